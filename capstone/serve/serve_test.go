package serve_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/bcrypt"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/serve/servetest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
)

// newSystem returns a system over an empty log in memory, whose clock follows the commands.
func newSystem() *capstone.System {
	s := capstone.New(memory.NewSimulated(), codec.Offline(), "test")
	s.Projection, s.Project = readmodel.New(codec.Offline()), projection.Project
	s.AsOf, s.Simulated = projection.AsOf, true
	return s
}

const password = "correct horse"

// A service is a server in memory, with a principal for each role: its name is that of the role
// with /1, and all have the same password.
type service struct {
	*serve.Server
	t       *testing.T
	system  *capstone.System
	refused string // the file of refused requests
}

func newService(t *testing.T, change ...func(*serve.Config)) *service {
	dir := t.TempDir()
	file := filepath.Join(dir, "principals")
	hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
	require.NoError(t, err)
	all := map[string]serve.Local{}
	for _, role := range serve.Roles() {
		all[string(role)+"/1"] = serve.Local{Hash: string(hash),
			Roles: []serve.Role{serve.Reader, role}}
	}
	all["trader/2"] = all["trader/1"]
	text, err := json.Marshal(all)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(file, text, 0o600))
	passwords, err := serve.OpenPasswords(file)
	require.NoError(t, err)
	refusals, err := serve.OpenRefusals(filepath.Join(dir, "refused"), time.Now)
	require.NoError(t, err)
	t.Cleanup(func() { refusals.Close() })
	c := serve.Config{System: newSystem(), Event: serve.NewEvent, Refusals: refusals,
		SignIn: []serve.Authenticator{passwords, serve.UnknownTokens{}}}
	for _, f := range change {
		f(&c)
	}
	return &service{serve.New(c), t, c.System, filepath.Join(dir, "refused")}
}

// do sends a request as a principal; "" sends no credential.
func (s *service) do(as, method, path, body string, header ...string) *httptest.ResponseRecorder {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), method, path, strings.NewReader(body))
	if as != "" {
		r.SetBasicAuth(as, password)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// command sends a command as a principal, and returns the status and the answer.
func (s *service) command(as, line string) (int, answer) {
	s.t.Helper()
	w := s.do(as, "POST", "/v1/commands", line, "Content-Type", "application/json")
	var a answer
	require.NoError(s.t, json.Unmarshal(w.Body.Bytes(), &a), w.Body.String())
	return w.Code, a
}

// An answer is an outcome, or a problem that may have one.
type answer struct {
	serve.Outcome
	Recorded *serve.Outcome `json:"outcome"`
	Field    string         `json:"field"`
}

// rules returns the rules in the record of refused requests.
func (s *service) rules() (all []string) {
	text, err := os.ReadFile(s.refused)
	require.NoError(s.t, err)
	for line := range bytes.Lines(text) {
		var r struct{ Rule string }
		require.NoError(s.t, json.Unmarshal(line, &r))
		all = append(all, r.Rule)
	}
	return all
}

// mark is the line of a price mark.
func mark(id, price string) string {
	return fmt.Sprintf(`{"command_id":%q,"entered_at":"2025-01-13T17:30:00Z","reason":"close",`+
		`"op":"MARK","curve":"oil/BRENT","currency":"USD",`+
		`"points":[{"delivery":"2025-06","price":%q}]}`, id, price)
}

// settleNothing is the line of a command that is refused.
const settleNothing = `{"command_id":"s-1","entered_at":"2025-01-13T17:30:00Z","reason":"x",` +
	`"op":"SETTLE","uti":"NONE","quantity":"1","unit":"bbl","price":"70"}`

// The same command again gets its recorded outcome, and a reused id the outcome on record.
func TestCommandIsIdempotent(t *testing.T) {
	t.Parallel()
	s := newService(t)
	code, first := s.command("trader/1", mark("m-1", "71.20"))
	require.Equal(t, http.StatusCreated, code)
	require.Equal(t, "accepted", first.Result)
	require.Equal(t, "trader/1", first.Actor)
	require.Equal(t, "trader/1", first.SubmittedBy)
	require.False(t, first.KnownAt.IsZero() || first.EffectiveAt.IsZero(), "both times")
	code, again := s.command("trader/1", mark("m-1", "71.20"))
	require.Equal(t, http.StatusOK, code)
	require.True(t, again.Again)
	again.Again = false
	require.Equal(t, first, again)
	code, other := s.command("trader/1", mark("m-1", "72"))
	require.Equal(t, http.StatusConflict, code)
	require.Equal(t, string(lines.Reused), other.Rule)
	require.Equal(t, first.Event, other.Recorded.Event)
	for _, again := range []bool{false, true} {
		code, refused := s.command("trader/1", settleNothing)
		require.Equal(t, http.StatusUnprocessableEntity, code)
		require.Equal(t, "refused", refused.Recorded.Result)
		require.Equal(t, again, refused.Recorded.Again)
		require.Equal(t, "lifecycle.not-begun", refused.Rule)
	}
	code, bad := s.command("trader/1", `{"op":"MARK"}`)
	require.Equal(t, http.StatusBadRequest, code)
	require.NotEmpty(t, bad.Rule+bad.Field)
}

// The actor of an event is the principal that signed in: a body that names another actor, or an
// approver, is refused, and nothing enters the log.
func TestActorCannotBeClaimed(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for _, claim := range []string{`"actor":"trader/2"`, `"approver":"approver/1"`} {
		line := strings.Replace(mark("m-1", "70"), "{", "{"+claim+",", 1)
		code, refused := s.command("trader/1", line)
		require.Equal(t, http.StatusForbidden, code)
		require.Equal(t, string(serve.ActorClaimed), refused.Rule)
		w := s.do("trader/1", "POST", "/v1/batches", line)
		require.Contains(t, w.Body.String(), `"rule":"access.actor-claimed"`)
	}
	require.Equal(t, []string{"access.actor-claimed", "access.actor-claimed",
		"access.actor-claimed", "access.actor-claimed"}, s.rules())
	end, err := s.system.Log.End(t.Context())
	require.NoError(t, err)
	require.Zero(t, contract.Cursor{}.Distance(end))
	code, _ := s.command("trader/1", strings.Replace(mark("m-1", "70"), "{",
		`{"actor":"trader/1",`, 1))
	require.Equal(t, http.StatusCreated, code, "its own name is no claim")
}

// Each refused request is on record, with its rule.
func TestEachRefusalIsOnRecord(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, as, method, path string
		header                 []string
		status                 int
		rule                   serve.Rule
	}{
		{"no credential", "", "GET", "/v1/events", nil, 401, serve.NoCredential},
		{"no credential for metrics", "", "GET", "/metrics", nil, 401, serve.NoCredential},
		{"unknown principal", "nobody", "GET", "/v1/events", nil, 401, serve.BadCredential},
		{"wrong password", "", "GET", "/v1/events", []string{"Authorization",
			"Basic dHJhZGVyLzE6d3JvbmcgcGFzcw=="}, 401, serve.BadCredential},
		{"unknown token", "", "GET", "/v1/events", []string{"Authorization", "Bearer abc"},
			401, serve.BadCredential},
		{"role", "reader/1", "POST", "/v1/commands", nil, 403, serve.RoleTooLow},
		{"role for a batch", "approver/1", "POST", "/v1/batches", nil, 403, serve.RoleTooLow},
		{"another site", "trader/1", "POST", "/v1/commands", []string{"Sec-Fetch-Site",
			"cross-site"}, 403, serve.CrossOrigin},
		{"another origin", "trader/1", "POST", "/v1/batches", []string{"Origin",
			"https://evil.example"}, 403, serve.CrossOrigin},
		{"path", "reader/1", "GET", "/v1/../../etc/passwd", nil, 400, serve.BadPath},
		{"coded path", "reader/1", "GET", "/v1/%2e%2e/%2e%2e/etc/passwd", nil, 400, serve.BadPath},
		{"other slash", "reader/1", "GET", `/v1/..%5c..%5cetc`, nil, 400, serve.BadPath},
		{"line break", "reader/1", "GET", "/v1/events?from=%0d%0aSet-Cookie:%20a=b", nil, 400,
			serve.BadHeader},
		{"line break in a source", "importer/1", "POST", "/v1/batches?source=a%0aX:b", nil, 400,
			serve.BadHeader},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			w := s.do(c.as, c.method, c.path, "", c.header...)
			require.Equal(t, c.status, w.Code, w.Body.String())
			require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
			require.Contains(t, w.Body.String(), string(c.rule))
			require.Equal(t, []string{string(c.rule)}, s.rules())
		})
	}
}

// start runs the service on loopback, and returns its address and the function that stops it.
func (s *service) start(over ...*tls.Config) (address string, stop func() error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(s.t, err)
	for _, config := range over {
		listener = tls.NewListener(listener, config)
	}
	ctx, cancel := context.WithCancel(s.t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx, listener) }()
	return listener.Addr().String(), func() error { cancel(); return <-ended }
}

// A request with a line break inside a header never reaches a page, and is on record all the same,
// in the clear and over TLS. So is the certificate of a stranger.
func TestMalformedHeaderIsOnRecord(t *testing.T) {
	t.Parallel()
	authority := servetest.Certificate("authority", nil)
	pool := x509.NewCertPool()
	pool.AddCert(authority.Leaf)
	secure := &tls.Config{Certificates: []tls.Certificate{servetest.Certificate("s", &authority)},
		ClientCAs: pool, ClientAuth: tls.VerifyClientCertIfGiven}
	bad := "GET /livez HTTP/1.1\r\nHost: x\r\nX-A: b\rSet-Cookie: a=b\r\n\r\n"
	for name, config := range map[string]*tls.Config{"clear": nil, "tls": {RootCAs: pool},
		"stranger": {RootCAs: pool, GetClientCertificate: func(*tls.CertificateRequestInfo) (
			*tls.Certificate, error) {
			c := servetest.Certificate("bob", nil)
			return &c, nil
		}}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newService(t)
			dial, over := net.Dial, []*tls.Config(nil)
			if config != nil {
				over = append(over, secure)
				dial = func(network, address string) (net.Conn, error) {
					return tls.Dial(network, address, config)
				}
			}
			address, stop := s.start(over...)
			c, err := dial("tcp", address)
			require.NoError(t, err)
			defer c.Close()
			_, err = io.WriteString(c, bad)
			require.NoError(t, err)
			answer, err := io.ReadAll(c)
			rule := serve.BadHeader
			if name == "stranger" {
				require.Error(t, err)
				rule = serve.BadCredential
			} else {
				require.NoError(t, err)
				require.Contains(t, string(answer), "400 Bad Request")
			}
			require.NoError(t, stop())
			require.Equal(t, []string{string(rule)}, s.rules())
		})
	}
}

// A flood of refused requests costs few lines, and the rest is counted. A second later 20 more have
// their lines, after the number of those without.
func TestFloodOfRefusalsIsCounted(t *testing.T) {
	t.Parallel()
	now, file := time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC), filepath.Join(t.TempDir(), "refused")
	s := newService(t, func(c *serve.Config) {
		refusals, err := serve.OpenRefusals(file, func() time.Time { return now })
		require.NoError(t, err)
		t.Cleanup(func() { refusals.Close() })
		c.Refusals = refusals
	})
	flood := func() [][]byte {
		for range 300 {
			s.do("", "GET", "/v1/events", "")
		}
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		return bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	}
	require.Len(t, flood(), 200)
	now = now.Add(time.Second)
	written := flood()
	require.Len(t, written, 200+1+20)
	require.Contains(t, string(written[200]), `"omitted":{"access.no-credential":100}`)
}

// Two importers and a reader at once leave the state of one direct import. Each event has the
// importing principal beside the actor that the line claims.
func TestBatchesLeaveTheStateOfAnImport(t *testing.T) {
	t.Parallel()
	book, err := books.FS.ReadFile(books.First)
	require.NoError(t, err)
	direct := newSystem()
	_, err = direct.Import(t.Context(), lines.Read(bytes.NewReader(book)), func(capstone.Result) {})
	require.NoError(t, err)
	want, err := direct.State(t.Context())
	require.NoError(t, err)

	s := newService(t)
	var all sync.WaitGroup
	for range 2 {
		all.Go(func() {
			w := s.do("importer/1", "POST", "/v1/batches?source=first.jsonl", string(book))
			if !strings.Contains(w.Body.String(), `"result":"done"`) {
				t.Error(w.Body.String())
			}
		})
	}
	all.Go(func() {
		for range 20 {
			if w := s.do("reader/1", "GET", "/v1/events?limit=10", ""); w.Code != 200 {
				t.Error(w.Body.String())
			}
		}
	})
	all.Wait()
	got, err := s.system.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.Digest(), got.Digest())
	end, err := s.system.Log.End(t.Context())
	require.NoError(t, err)
	for e, err := range s.system.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		require.Equal(t, "importer/1", e.SubmittedBy)
		require.NotEqual(t, "importer/1", e.Actor)
	}
}

// A feed goes on after the last event that the client has seen, and ends with the service.
func TestFeedResumes(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i := range 3 {
		s.command("trader/1", mark(fmt.Sprintf("m-%d", i), "70"))
	}
	address, stop := s.start()
	all := readFeed(t, address, "", 3)
	require.Len(t, all, 3)
	require.Equal(t, all[1:], readFeed(t, address, all[0], 2))
	s.command("trader/1", mark("m-3", "70"))
	require.NotEqual(t, all[2], readFeed(t, address, all[2], 1)[0])
	require.Equal(t, 400, s.do("reader/1", "GET", "/v1/events?from=[99]", "").Code)
	require.NoError(t, stop())
}

// readFeed returns the ids of the next n events after last.
func readFeed(t *testing.T, address, last string, n int) (ids []string) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, "GET", "http://"+address+"/v1/feed", nil)
	require.NoError(t, err)
	r.SetBasicAuth("reader/1", password)
	r.Header.Set("Last-Event-ID", last)
	answer, err := http.DefaultClient.Do(r)
	require.NoError(t, err)
	defer answer.Body.Close()
	for in := bufio.NewScanner(answer.Body); len(ids) < n && in.Scan(); {
		if id, ok := strings.CutPrefix(in.Text(), "id: "); ok {
			ids = append(ids, id)
		}
	}
	return ids
}

// L2.I17: a client that goes on after any event of an append to several streams gets the whole
// append again, until it has seen the next event. The ids do not depend on where it began.
func TestFeedResumesBeforeAnAppend(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.command("trader/1", mark("m-1", "70"))
	log := s.System.Log.(contract.Atomic)
	for n, size := range []int{3, 2} {
		_, err := log.AppendAll(t.Context(), atomicAppends(t, s, n, size))
		require.NoError(t, err)
	}
	s.command("trader/1", mark("m-2", "71"))
	address, stop := s.start()
	ids := []string{"[1]", "[1]", "[1]", "[1]", "[4]", "[4]", "[7]"}
	require.Equal(t, ids, readFeed(t, address, "", 7))
	require.Equal(t, ids[1:], readFeed(t, address, "[1]", 6))
	require.Equal(t, ids[4:], readFeed(t, address, "[4]", 3))
	require.NoError(t, stop())
}

// The pages of the log have every event once.
func TestPagesOfTheLog(t *testing.T) {
	t.Parallel()
	s := newService(t)
	for i := range 5 {
		s.command("trader/1", mark(fmt.Sprintf("m-%d", i), "70"))
	}
	seen, next := map[string]bool{}, ""
	for range 3 {
		w := s.do("reader/1", "GET", "/v1/events?limit=2&from="+url.QueryEscape(next), "")
		require.Equal(t, 200, w.Code, w.Body.String())
		var page struct {
			Answer []struct{ ID string }
			Next   contract.Cursor
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		for _, e := range page.Answer {
			require.False(t, seen[e.ID])
			seen[e.ID] = true
		}
		next = page.Next.String()
	}
	require.Len(t, seen, 5)
}

// atomicAppends returns an append of one event to each of size streams. Their bodies are those of
// the first event in the log.
func atomicAppends(t *testing.T, s *service, n, size int) (appends []contract.StreamAppend) {
	var model contract.Event
	for r, err := range s.System.Log.Read(t.Context(), nil, contract.Cursor{1}) {
		require.NoError(t, err)
		model = r.Event
	}
	for i := range size {
		e := model
		e.Stream = fmt.Sprint("account/main/", i)
		e.ID = uuid.NewSHA1(model.ID, fmt.Append(nil, n, i))
		appends = append(appends, contract.StreamAppend{
			Stream: e.Stream, Expected: contract.Any, Events: []contract.Event{e},
		})
	}
	return appends
}

// L2.I17: no page ends within an append to several streams, also one that is longer than a page.
func TestPagesHoldWholeAppends(t *testing.T) {
	t.Parallel()
	s := newService(t)
	s.command("trader/1", mark("m-1", "70"))
	log := s.System.Log.(contract.Atomic)
	for n, size := range []int{2, 3, 1, 5} {
		_, err := log.AppendAll(t.Context(), atomicAppends(t, s, n, size))
		require.NoError(t, err)
	}
	var sizes []int
	for next := ""; next != "[12]"; {
		w := s.do("reader/1", "GET", "/v1/events?limit=3&from="+url.QueryEscape(next), "")
		require.Equal(t, 200, w.Code, w.Body.String())
		var page struct {
			Answer []any
			Next   contract.Cursor
		}
		require.NoError(t, json.Unmarshal(w.Body.Bytes(), &page))
		sizes, next = append(sizes, len(page.Answer)), page.Next.String()
	}
	require.Equal(t, []int{3, 3, 1, 5}, sizes)
}

// listOf returns a query that answers with the rows.
func listOf(rows *[]int) serve.Query {
	return serve.Query{Name: "list", Params: []serve.Param{{Name: "book"}},
		Ask: func(context.Context, url.Values) serve.Answer {
			text, _ := json.Marshal(map[string]any{"answer": *rows})
			return serve.Answer{Status: 200, JSON: text}
		}}
}

// A list comes in pages of one unchanged answer, each answer has its two times, and an ETag saves
// an unchanged one.
func TestAnswersHavePagesTimesAndTags(t *testing.T) {
	t.Parallel()
	rows := []int{1, 2, 3}
	s := newService(t, func(c *serve.Config) { c.Queries = []serve.Query{listOf(&rows)} })
	type page struct {
		Answer      []int
		Next        string
		KnownAt     time.Time `json:"known_at"`
		EffectiveAt any       `json:"effective_at"`
	}
	get := func(path string, header ...string) (int, page, string) {
		w := s.do("reader/1", "GET", path, "", header...)
		var p page
		if w.Code == 200 {
			require.NoError(t, json.Unmarshal(w.Body.Bytes(), &p))
		}
		return w.Code, p, w.Header().Get("ETag")
	}
	s.command("trader/1", mark("m-1", "70"))
	_, all, tag := get("/v1/list")
	require.Equal(t, rows, all.Answer)
	require.False(t, all.KnownAt.IsZero())
	require.Equal(t, "all", all.EffectiveAt)
	code, _, _ := get("/v1/list", "If-None-Match", tag)
	require.Equal(t, http.StatusNotModified, code)
	_, first, _ := get("/v1/list?limit=2")
	require.Equal(t, []int{1, 2}, first.Answer)
	_, second, _ := get("/v1/list?limit=2&cursor=" + first.Next)
	require.Equal(t, []int{3}, second.Answer)
	require.Empty(t, second.Next)
	rows = append(rows, 4)
	code, _, other := get("/v1/list", "If-None-Match", tag)
	require.Equal(t, http.StatusOK, code)
	require.NotEqual(t, tag, other)
	_, late, _ := get("/v1/list?limit=2&cursor=" + first.Next)
	require.Equal(t, second, late, "the next page of the answer before")
	for i := range 8 { // each leaves a page to read: the first list makes room
		get(fmt.Sprintf("/v1/list?limit=2&book=%d", i))
	}
	code, _, _ = get("/v1/list?limit=2&cursor=" + first.Next)
	require.Equal(t, http.StatusConflict, code)
	rows = make([]int, 10_001)
	_, first, _ = get("/v1/list") // a list without a limit is bounded, too
	require.Len(t, first.Answer, 10_000)
	_, second, _ = get("/v1/list?cursor=" + first.Next)
	require.Len(t, second.Answer, 1)
	for _, bad := range []string{"x=1", "limit=0", "limit=10001", "cursor=abc",
		"cursor=abc&limit=1", "book=a&book=b"} {
		code, _, _ := get("/v1/list?" + bad)
		require.Equal(t, http.StatusBadRequest, code, bad)
	}
}

// Each GET of the API has an ETag, which saves an unchanged answer, and states both times. The
// pages of a list of one row end.
func TestEachAnswerHasTimesAndATag(t *testing.T) {
	t.Parallel()
	rows := []int{1}
	s := newService(t, func(c *serve.Config) {
		c.Queries = []serve.Query{listOf(&rows)}
		c.Prove = func(context.Context, string) ([]byte, error) { return []byte("proof"), nil }
	})
	s.settled()
	s.command("trader/1", void)
	var api struct{ Paths map[string]map[string]any }
	text := s.do("reader/1", "GET", "/openapi.json", "").Body.Bytes()
	require.NoError(t, json.Unmarshal(text, &api))
	live := []string{"/livez", "/readyz", "/metrics", "/v1/feed"} // the state of this moment
	tagged := 0
	for path, does := range api.Paths {
		if does["get"] == nil || slices.Contains(live, path) {
			continue
		}
		tagged++
		path = strings.ReplaceAll(path, "{event}", uuid.NewString())
		w := s.do("reader/1", "GET", path, "")
		require.Equal(t, http.StatusOK, w.Code, path)
		tag := w.Header().Get("ETag")
		require.NotEmpty(t, tag, path)
		if !strings.HasPrefix(path, "/v1/proofs/") { // a proof has its own format
			require.Regexp(t, `"known_at(_cursor)?":["\[](?s:.*)`, w.Body.String(), path)
			require.Contains(t, w.Body.String(), `"effective_at":"all"`, path)
		}
		w = s.do("reader/1", "GET", path, "", "If-None-Match", tag)
		require.Equal(t, http.StatusNotModified, w.Code, path)
		require.Empty(t, w.Body.String(), path)
	}
	require.Equal(t, 4, tagged, "list, pending, events, proofs")
	s.command("trader/1", strings.Replace(void, "v-1", "v-2", 1))
	first := s.do("approver/1", "GET", "/v1/pending?limit=1", "").Body.String()
	cursor := regexp.MustCompile(`"next":"([^"]+)"`).FindStringSubmatch(first)
	require.NotNil(t, cursor, first)
	second := s.do("approver/1", "GET", "/v1/pending?cursor="+cursor[1], "").Body.String()
	require.Contains(t, first, `"command_id":"v-1"`)
	require.NotContains(t, second, `"command_id":"v-1"`)
	require.Contains(t, second, `"command_id":"v-2"`)
}

// An answer that says no has its problem in its tag: a client that has the yes gets it. A question
// without an answer is a problem of RFC 9457, with no tag.
func TestProblemsOfAnswers(t *testing.T) {
	t.Parallel()
	answer := serve.Answer{Status: http.StatusOK, JSON: []byte(`{"answer":[1]}`)}
	s := newService(t, func(c *serve.Config) {
		c.Queries = []serve.Query{{Name: "list",
			Ask: func(context.Context, url.Values) serve.Answer { return answer }}}
	})
	yes := s.do("reader/1", "GET", "/v1/list", "").Header().Get("ETag")
	require.NotEmpty(t, yes)
	answer.Detail, answer.Hint = "two lines differ", "compare them"
	no := s.do("reader/1", "GET", "/v1/list", "", "If-None-Match", yes)
	require.Equal(t, http.StatusOK, no.Code)
	require.NotEqual(t, yes, no.Header().Get("ETag"))
	var said struct{ Problem struct{ Detail, Hint string } }
	require.NoError(t, json.Unmarshal(no.Body.Bytes(), &said))
	require.Equal(t, "two lines differ", said.Problem.Detail)
	require.Equal(t, "compare them", said.Problem.Hint)
	require.Equal(t, http.StatusNotModified, s.do("reader/1", "GET", "/v1/list", "",
		"If-None-Match", "W/\"other\", "+no.Header().Get("ETag")).Code)

	answer.Status = http.StatusConflict
	w := s.do("reader/1", "GET", "/v1/list", "", "If-None-Match", yes)
	require.Equal(t, http.StatusConflict, w.Code)
	require.Empty(t, w.Header().Get("ETag"))
	require.Equal(t, "application/problem+json", w.Header().Get("Content-Type"))
	require.JSONEq(t, `{"title":"Conflict","status":409,"detail":"two lines differ",`+
		`"hint":"compare them","answer":[1]}`, w.Body.String())
}

// The read models follow, the log is sealed after enough events, follow-ups that a crash left
// undone are issued, and /readyz names each part.
func TestWorkKeepsUp(t *testing.T) {
	t.Parallel()
	sealed := make(chan struct{}, 1)
	s := newService(t, func(c *serve.Config) {
		c.Models = []serve.Model{{Name: "positions", Applier: c.System.Projection}}
		c.SealEveryEvents = 2
		c.ReconcileEvery = time.Hour
		c.Reconcile = func(context.Context) (int, error) { return 2, nil }
		c.RecheckEvery = time.Hour
		c.Late = func(context.Context) (map[string]int, error) {
			return map[string]int{"cftc-v3.2": 3, "remit-2014": 0}, nil
		}
		c.Seal = func(context.Context) (contract.Checkpoint, error) {
			sealed <- struct{}{}
			return contract.Checkpoint{Size: 2}, nil
		}
	})
	s.command("trader/1", mark("m-1", "70"))
	s.command("trader/1", mark("m-2", "71"))
	for line, err := range lines.Read(strings.NewReader(halfNovated)) {
		require.NoError(t, err)
		_, err := s.system.Desk.Do(t.Context(), line.Command)
		require.NoError(t, err)
	}
	_, stop := s.start()
	<-sealed
	require.Eventually(t, func() bool {
		for _, err := range s.system.Log.Stream(t.Context(), "trade/B") {
			return err == nil
		}
		return false
	}, 10*time.Second, 10*time.Millisecond, "the follow-up of the novation")
	require.Eventually(t, func() bool {
		at, err := s.system.Projection.Cursor(t.Context())
		require.NoError(t, err)
		end, err := s.system.Log.End(t.Context())
		require.NoError(t, err)
		body := s.do("", "GET", "/readyz", "").Body.String()
		return at.Equal(end) && strings.Contains(body, "read model positions") &&
			strings.Contains(body, `"seal"`) && strings.Contains(body, "follow-ups") &&
			strings.Contains(body, "2 breaks are open") &&
			strings.Contains(body, "3 reports are late")
	}, time.Minute, 10*time.Millisecond)
	metrics := s.do("reader/1", "GET", "/metrics", "").Body.String()
	for _, line := range []string{`blotter_commands_total{outcome="accepted",rule=""} 2`,
		`blotter_breaks_open 2`, `blotter_reports_late{rules="cftc-v3.2"} 3`,
		`blotter_reports_late{rules="remit-2014"} 0`} {
		require.Contains(t, metrics, line+"\n")
	}
	require.NoError(t, stop())
	require.Equal(t, 503, s.do("", "GET", "/readyz", "").Code, "it stops")
	require.Equal(t, 200, s.do("", "GET", "/livez", "").Code)
}

// slow is a store whose next append waits.
type slow struct {
	contract.Store
	began, go_ chan struct{}
}

func (s *slow) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	close(s.began)
	<-s.go_
	return s.Store.Append(ctx, stream, expected, events...)
}

// A command in flight finishes when the service is told to stop.
func TestStopFinishesCommands(t *testing.T) {
	t.Parallel()
	log := &slow{began: make(chan struct{}), go_: make(chan struct{})}
	s := newService(t, func(c *serve.Config) {
		log.Store = c.System.Log
		c.System.Log, c.System.Desk.Log = log, log
	})
	address, stop := s.start()
	answered := make(chan int, 1)
	go func() {
		r, _ := http.NewRequest("POST", "http://"+address+"/v1/commands",
			strings.NewReader(mark("m-1", "70")))
		r.SetBasicAuth("trader/1", password)
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			answered <- 0
			return
		}
		answer.Body.Close()
		answered <- answer.StatusCode
	}()
	<-log.began
	stopped := make(chan error, 1)
	go func() { stopped <- stop() }()
	require.Eventually(t, func() bool { return s.do("", "GET", "/readyz", "").Code == 503 },
		time.Minute, time.Millisecond)
	close(log.go_)
	require.Equal(t, http.StatusCreated, <-answered)
	require.NoError(t, <-stopped)
	_, err := s.system.Log.Find(t.Context(), trade.EventID("m-1", 0))
	require.NoError(t, err)
}
