package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	cosignature "github.com/transparency-dev/formats/note"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A visitor reads the pages of a service. The reason of the trade T70 is markup, and its novation
// of 20 was corrected to 25. The exercise of OIL-CALL-1 began OIL-FWD-1.
type visitor struct {
	*serve.Server
	t       *testing.T
	session *session.Session
}

func newVisitor(t *testing.T, store string) *visitor {
	c := &cli{Data: filepath.Join(passableDir(t), "data"), Stack: "embedded", Store: store,
		Partitions: 2, Name: "blotter", Zone: "CET"}
	c.Ledger.SnapshotEvery = 1000
	a := newApp(c, io.Discard, io.Discard)
	t.Cleanup(func() { require.NoError(t, a.finish(context.Background(), nil)) })
	config := a.config()
	config.New = a.newLog(true)
	s, err := a.openAs(t.Context(), config, session.Write)
	require.NoError(t, err)
	text, err := os.ReadFile("testdata/console.jsonl")
	require.NoError(t, err)
	_, err = s.System().Import(t.Context(), lines.Read(bytes.NewReader(text)),
		func(r capstone.Result) { require.NoError(t, r.Problem) })
	require.NoError(t, err)
	command := &serveCmd{ReportRules: []string{"RECORDS"}}
	server, err := command.server(t.Context(), a, s, "secret", observed{})
	require.NoError(t, err)
	return &visitor{server, t, s}
}

// snapshot archives the state of the log.
func (v *visitor) snapshot(name string) {
	system := v.session.System()
	var err error
	system.Projection, err = v.session.ReadModel(v.t.Context())
	require.NoError(v.t, err)
	system.Snapshots, err = v.session.Snapshots(v.t.Context(), true)
	require.NoError(v.t, err)
	_, err = system.Snapshot(v.t.Context(), name)
	require.NoError(v.t, err)
}

// ledger posts the trades. Its page shows the balances, each with a link to the statement of its
// account, as of the two times. It returns an account of cash.
func (v *visitor) ledger() string {
	require.Contains(v.t, v.get("/console/ledger").Body.String(), "ledger main has no account")
	codec, err := v.session.Domain(v.t.Context())
	require.NoError(v.t, err)
	desk := &ledger.Desk{Log: v.session.Log.(contract.Atomic), Codec: codec,
		Zone: trade.BookZone(), Source: "test"}
	poster := &ledger.Poster{Desk: desk, Trades: v.session.Codec, Ledger: "main"}
	_, err = poster.CatchUp(v.t.Context())
	require.NoError(v.t, err)
	all := v.page("/console/ledger")
	require.Regexp(v.t, `Total</th><td><td>USD.*<td class="n">0.00</tr>`, all)
	link := regexp.MustCompile(
		`"/console/ledger\?account=(assets%3Acash%3A[^"]+)&amp;ledger=main"`)
	found := link.FindStringSubmatch(all)
	require.NotNil(v.t, found, all)
	account, err := url.QueryUnescape(found[1])
	require.NoError(v.t, err)
	require.Regexp(v.t, "Statement of "+account+`(?s:.*)<th scope="row">T-`,
		v.page("/console/ledger", "account", account))
	require.NotContains(v.t, v.page("/console/ledger", "effective-at", "2024-01-01"), account)
	require.NotEqual(v.t, http.StatusOK, v.get("/console/ledger", "account", "none").Code)
	return account
}

// verdicts asks for a verification as a reader does, and has the service verify: only its own one
// is counted. None of the trades of January was ever reported: the reports are late.
func (v *visitor) verdicts() {
	const verified = `blotter_verdicts_total{check="verify",verdict="holds"} `
	require.Equal(v.t, http.StatusOK, v.get("/v1/verify").Code)
	require.Contains(v.t, v.get("/metrics").Body.String(), verified+"0\n")
	v.Recheck(v.t.Context())
	require.Contains(v.t, v.get("/metrics").Body.String(), verified+"1\n")
	late, err := v.Late(v.t.Context())
	require.NoError(v.t, err)
	require.Positive(v.t, late["RECORDS"])
	_, err = lateReports(v.session, []string{"cftc-v9"})
	require.ErrorContains(v.t, err, "cftc-v9")
	_, err = lateReports(v.session, []string{"remit-2026"})
	require.ErrorContains(v.t, err, "are a draft")
}

// get asks for a page with parameters.
func (v *visitor) get(path string, params ...string) *httptest.ResponseRecorder {
	values := url.Values{}
	for i := 0; i < len(params); i += 2 {
		values.Set(params[i], params[i+1])
	}
	r := httptest.NewRequestWithContext(v.t.Context(), "GET", path+"?"+values.Encode(), nil)
	r.Header.Set("Authorization", "Bearer secret")
	w := httptest.NewRecorder()
	v.Handler().ServeHTTP(w, r)
	return w
}

// page returns a page, which states both times, and has no script or style of its own.
func (v *visitor) page(path string, params ...string) string {
	w := v.get(path, params...)
	require.Equal(v.t, http.StatusOK, w.Code, w.Body.String())
	require.Contains(v.t, w.Header().Get("Content-Security-Policy"), "default-src 'none'")
	require.NotRegexp(v.t, `<script>|<style|style=|onclick|javascript:`, w.Body.String())
	require.Regexp(v.t, `Known at <strong>.+</strong>,\neffective at <strong>.`, w.Body.String())
	return w.Body.String()
}

// asks asks every query of the service for pages of one row. Each answer has its tag and its two
// times. sealed is the size of a checkpoint.
func (v *visitor) asks(account string, sealed int64) {
	values := map[string]string{"uti": "T70", "name": "T70", "field": "open", "principal": "ops/1",
		"event": trade.EventID("t-2", 0).String(), "on": "2025-01-31", "since": "2025-01-15",
		"from": "2025-01-15", "to": "2025-01-31", "account": account, "version": "1",
		"stream": "trade/OIL-FWD-1", "party": "trader/1", "book": "CRUDE",
		"here": "records-2018", "there": "remit-2014",
		"move": "2025-01-15..2025-01-31"}
	one := map[string][2]string{ // of several that may be given
		"what-if": {"method", "fifo"}, "history": {"name", "T70"}, "search": {"words", "client"},
		"audit-deleted": {"old", strconv.FormatInt(sealed, 10)}}
	next := regexp.MustCompile(`"next":"([^"]+)"`)
	pages := 0
	for _, q := range v.Queries {
		params := []string{"limit", "1"}
		if extra, ok := one[q.Name]; ok {
			params = append(params, extra[:]...)
		}
		for _, p := range q.Params {
			if p.Required {
				params = append(params, p.Name, values[p.Name])
			}
		}
		w := v.get("/v1/"+q.Name, params...)
		assert.Equal(v.t, http.StatusOK, w.Code, "%s %v: %s", q.Name, params, w.Body)
		assert.NotEmpty(v.t, w.Header().Get("ETag"), q.Name)
		assert.Regexp(v.t, `"known_at(_cursor)?":`, w.Body.String(), q.Name)
		assert.Contains(v.t, w.Body.String(), `"effective_at":`, q.Name)
		if cursor := next.FindStringSubmatch(w.Body.String()); cursor != nil {
			pages++
			w = v.get("/v1/"+q.Name, append(params, "cursor", cursor[1])...)
			assert.Equal(v.t, http.StatusOK, w.Code, "%s %v: %s", q.Name, params, w.Body)
		}
	}
	require.Greater(v.t, pages, 10, "lists of more than one row")
}

// party records personal data, which the page of its query masks.
func (v *visitor) party() {
	people, err := v.session.Vault(v.t.Context())
	require.NoError(v.t, err)
	entry := said{Actor: "hr/1", Reason: "joins"}.entry("party", "")
	require.NoError(v.t, people.Record(v.t.Context(), entry, "trader/1",
		map[string]string{"name": "Ann Smith"}))
	shown := v.get("/v1/party-show", "party", "trader/1").Body.String()
	require.Contains(v.t, shown, `"name"`)
	require.NotContains(v.t, shown, "Smith")
}

// parks appends the first event of a trade to the trade again, past the desk. The page of the
// health links to the trade.
func (v *visitor) parks(uti string) {
	for first, err := range v.session.Log.Stream(v.t.Context(), "trade/"+uti) {
		require.NoError(v.t, err)
		e := first.Event
		e.ID, e.CommandID = uuid.UUID{0xff}, "again"
		_, err := v.session.Log.Append(v.t.Context(), e.Stream, contract.Any, e)
		require.NoError(v.t, err)
		break
	}
	require.Regexp(v.t, `Parked streams<dd><span class="bad"><a href="/console/trade\?uti=`+uti+
		`">trade/`+uti+`</a> lifecycle\.`, v.page("/console/health"))
}

// The pages of the console show the figures of both times, escape all texts, and only read.
func TestConsole(t *testing.T) {
	t.Parallel()
	notElsewhere(t)
	v := newVisitor(t, "kafka")
	const before, after = "2025-01-16T13:10:00Z", "2025-01-16T13:20:00Z"
	at := func(known, effective string) string {
		return v.page("/console/trade", "uti", "T70", "known-at", known, "effective-at", effective)
	}
	require.Contains(t, at(after, "2025-01-15"), `class="figure">70 bbl`)
	require.Contains(t, at(before, "2025-01-16"), `class="figure">50 bbl`)
	require.Contains(t, at(before, "2025-01-16"), "1 later events were not known yet")
	last := at(after, "2025-01-16")
	require.Contains(t, last, `class="figure">45 bbl`)
	require.Contains(t, last, "open: <del>50</del> → <ins>45</ins>")
	require.Contains(t, last, "ops/1, approved by ops/2")
	require.Contains(t, last, "corrected by a later event")
	require.Contains(t, last, "&lt;script&gt;alert(1)&lt;/script&gt;")
	require.Contains(t, last, "known-at="+url.QueryEscape(after)) // in the links to other pages

	require.Contains(t, last, "not proven")
	v.witnessed()
	sealed, err := v.Seal(t.Context())
	require.NoError(t, err)
	require.Regexp(t, "included as leaf \\d+ in the checkpoint of \\d+ leaves of blotter.*, "+
		"cosigned by <strong>notary</strong> at 20", v.page("/console/trade", "uti", "T70"))
	v.tampers(trade.EventID("t-2", 0).String())

	// the event that began the other contract links to its cause
	cause := trade.EventID("f-045", 0).String()
	require.Contains(t, v.page("/console/trade", "uti", "OIL-FWD-1"),
		`<a href="/console/transaction?id=`+cause+"#e-"+cause+`">event `)
	require.Regexp(t, `id="e-`+cause+`"(?s:.*)trade/OIL-FWD-1 version 1`,
		v.page("/console/transaction", "id", cause))

	require.Contains(t, v.page("/console/", "q", "book=crude STATUS=live"), "1 trades")
	require.Contains(t, v.page("/console/", "q", "book=nowhere"), "0 trades")
	require.Contains(t, v.page("/console/", "q", "confirmation"), "uti=T70")
	require.Contains(t, v.page("/console/", "known-at", "2025-01-09"), "0 trades")
	require.Equal(t, http.StatusBadRequest, v.get("/console/", "q", "no=attribute").Code)
	require.Equal(t, http.StatusBadRequest, v.get("/console/", "known-at", "never").Code)
	require.Equal(t, http.StatusNotFound, v.get("/console/trade", "uti", `"><script>`).Code)
	require.NotContains(t, v.get("/console/trade", "uti", `"><script>`).Body.String(), `"><script>`)
	require.Contains(t, v.page("/console/positions"), "90.00")
	require.Regexp(t, `it covers the log(?s:.*)>audit</th>.*<span>0: (\d+) of \d+</span> <span>1: `,
		v.page("/console/health"))
	require.Contains(t, v.page("/console/curves"), `<polyline points="`)
	require.Contains(t, v.get("/console/explain").Body.String(), `name="from"`)
	require.Regexp(t, `NOVATE T70</a>(?s:.*)difference`,
		v.page("/console/explain", "from", "2025-01-15", "to", "2025-01-31"))
	require.Equal(t, http.StatusBadRequest, v.get("/console/explain", "from", "never").Code)
	v.snapshot("month-end")
	require.Contains(t, v.page("/console/snapshots"), ">Replay month-end</a>")
	require.Contains(t, v.page("/console/snapshots", "replay", "month-end"),
		"equal to month-end, byte for byte")
	require.Contains(t, v.get("/console/snapshots", "replay", "year-end").Body.String(), "year-end")
	account := v.ledger()
	v.verdicts()
	require.Contains(t, v.page("/console/health"), `Parked streams<dd><span class="good">none`)
	v.parks("OIL-FWD-1")
	v.party()
	v.asks(account, sealed.Size)
	for _, path := range []string{"assets/console.css", "assets/console.js"} {
		require.Equal(t, http.StatusOK, v.get("/console/"+path).Code)
	}
	require.Equal(t, http.StatusSeeOther, v.get("/").Code)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/console/", nil)
	w := httptest.NewRecorder()
	v.Handler().ServeHTTP(w, r)
	require.Equal(t, http.StatusUnauthorized, w.Code)
}

// witnessed writes a policy with a witness, which cosigns every checkpoint that it gets (C2SP
// tlog-witness, add-checkpoint).
func (v *visitor) witnessed() {
	secret, public, err := note.GenerateKey(rand.Reader, "notary.example")
	require.NoError(v.t, err)
	signer, err := cosignature.NewSignerForCosignatureV1(secret)
	require.NoError(v.t, err)
	public, err = cosignature.VKeyToCosignatureV1(public)
	require.NoError(v.t, err)
	witness := httptest.NewServer(http.HandlerFunc(
		func(w http.ResponseWriter, r *http.Request) {
			body, _ := io.ReadAll(r.Body)
			_, signed, _ := strings.Cut(string(body), "\n\n")
			text, _, _ := strings.Cut(signed, "\n\n")
			cosigned, _ := note.Sign(&note.Note{Text: text + "\n"}, signer)
			_, _ = w.Write(cosigned[len(text)+2:])
		}))
	v.t.Cleanup(witness.Close)
	require.NoError(v.t, v.session.Dir().CreatePolicy(fmt.Sprintf(
		"witness notary %s %s\nquorum notary\n", public, witness.URL)))
}

// tampers alters copies of the proof of an event. The page names the check that fails, and the
// proof of the record still holds.
func (v *visitor) tampers(event string) {
	leaf := v.get("/console/tamper", "event", event).Body.String()
	require.NotContains(v.t, leaf, "Altered copy")
	for _, c := range []struct{ of, byte, fails string }{
		{"event", "200", "inclusion"}, {"event", "0", "leaf"}, {"path", "7", "inclusion"},
		{"checkpoint", "1", "checkpoint"}, {"event", "", ""},
	} {
		w := v.get("/console/tamper", "event", event, "of", c.of, "byte", c.byte)
		require.Equal(v.t, http.StatusOK, w.Code, w.Body.String())
		failing := regexp.MustCompile(`the check “(.*)” fails`).FindStringSubmatch(w.Body.String())
		require.Equal(v.t, c.fails != "", failing != nil, w.Body.String())
		if failing != nil {
			require.Equal(v.t, c.fails, failing[1])
		}
		require.NotRegexp(v.t, `</th><td><span class="bad">`, w.Body.String(), "the record")
	}
	size, err := strconv.Atoi(regexp.MustCompile(`signed checkpoint, (\d+) bytes`).
		FindStringSubmatch(leaf)[1])
	require.NoError(v.t, err)
	var texts string // with other bytes in the cosignature, some of which are no base64
	for n := size - 30; n < size-20; n++ {
		texts += v.get("/console/tamper", "event", event, "of", "checkpoint", "byte",
			strconv.Itoa(n)).Body.String()
	}
	require.Contains(v.t, texts, "the check “witnesses” fails")
	for _, bad := range [][]string{{"byte", "-1"}, {"byte", "99999"}, {"of", "nothing"},
		{"byte", "x"}} {
		w := v.get("/console/tamper", append(bad, "event", event)...)
		require.Equal(v.t, http.StatusBadRequest, w.Code, bad)
	}
	for _, none := range []string{"", "x", uuid.NewString()} {
		require.Contains(v.t, []int{404, 409}, v.get("/console/tamper", "event", none).Code)
	}
}
