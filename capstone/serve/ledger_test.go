package serve_test

import (
	"context"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/publication"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// withLedgers adds ledgers to a service, of which main follows the trades.
func withLedgers(c *serve.Config) {
	log := c.System.Log.(contract.Atomic)
	desk := &ledger.Desk{Log: log, Codec: domain.Offline(), Zone: trade.BookZone(),
		Source: "test"}
	c.Ledgers = &serve.Ledgers{Desk: desk, Poster: &ledger.Poster{Desk: desk,
		Trades: c.System.Desk.Codec, Ledger: "main"}}
}

// bookLine is a line of a command about the ledger club, with its op and the fields of that.
func bookLine(id, fields string) string {
	return fmt.Sprintf(`{"command_id":%q,"ledger":"club","entered_at":"2025-01-10T09:00:00Z",`+
		`"reason":"test",%s}`, id, fields)
}

// bookNothing is the line of a command that is refused.
var bookNothing = bookLine("b-0", `"op":"close-period","period":"2024-12"`)

func accountLine(id, name, of string) string {
	return bookLine(id, fmt.Sprintf(`"op":"open","account":%q,"name":"an account","type":%q,`+
		`"currency":"EUR"`, name, of))
}

func entryLines(amount string) string {
	return fmt.Sprintf(`"description":"a sale","lines":[{"account":"cash","debit":%q,`+
		`"currency":"EUR"},{"account":"sales","credit":%[1]q,"currency":"EUR"}]`, amount)
}

// Accounts, periods and entries are made by the API. Each outcome is that of the desk: the same
// line again gets it, a refusal has its rule, and a bad line its field.
func TestLedgerCommands(t *testing.T) {
	t.Parallel()
	s := newService(t, withLedgers)
	for _, c := range []struct {
		line string
		code int
		says string
	}{
		{accountLine("b-1", "cash", "asset"), 201, `"subject":"cash"`},
		{accountLine("b-2", "sales", "income"), 201, `"result":"accepted"`},
		{bookLine("b-3", `"op":"open-period","period":"2025-01"`), 201, `"command":"OpenPeriod"`},
		{bookLine("b-4", `"op":"post","entry":"E-1",`+entryLines("10.00")), 201, `"again":false`},
		{bookLine("b-4", `"op":"post","entry":"E-1",`+entryLines("10.00")), 200, `"again":true`},
		{bookLine("b-4", `"op":"post","entry":"E-1",`+entryLines("11.00")), 409, "command.reused"},
		{bookLine("b-5", `"op":"reverse","entry":"E-1","by":"E-2"`), 201, `"subject":"E-1"`},
		{bookLine("b-6", `"op":"reverse","entry":"E-1","by":"E-3"`), 422, "entry.already-reversed"},
		{bookLine("b-7", `"op":"post","entry":"E-4",`+entryLines("10.00")), 201, `"E-4"`},
		{bookLine("b-8", `"op":"correct","entry":"E-4","by":"E-5","replacement":"E-6",`+
			entryLines("12.00")), 201, `"command":"CorrectEntry"`},
		{bookLine("b-9", `"op":"post","entry":"E-7","by":"x"`), 400, `has no field`},
		{bookLine("b-9", `"op":"post","actor":"ops/9","entry":"E-7"`), 403, "actor-claimed"},
	} {
		code, text := s.ask("operations/1", [3]string{"POST", "/v1/ledger-commands", c.line})
		require.Equal(t, c.code, code, "%s: %s", c.line, text)
		require.Contains(t, text, c.says, c.line)
	}
	end, err := s.system.Log.End(t.Context())
	require.NoError(t, err)
	books := ledger.NewBooks("club", trade.BookZone())
	for f, err := range ledger.Facts(s.system.Log.Read(t.Context(), nil, end), "club") {
		require.NoError(t, err)
		require.Equal(t, "operations/1", f.Actor)
		books.Take(f)
	}
	require.Equal(t, "12", books.Balances(trade.AsOf{})[0].Balance.String())
}

// A command that names an approver waits until both have sent the same line. Who may not approve
// is denied, and so is an approver of its own command.
func TestLedgerCommandWithApprover(t *testing.T) {
	t.Parallel()
	s := newService(t, withLedgers)
	send := func(as, line string, code int, says string) {
		t.Helper()
		got, text := s.ask(as, [3]string{"POST", "/v1/ledger-commands", line})
		require.Equal(t, code, got, text)
		require.Contains(t, text, says)
	}
	send("operations/1", accountLine("b-1", "cash", "asset"), 201, "accepted")
	send("operations/1", bookLine("b-2", `"op":"close","account":"cash"`), 201, "accepted")
	reopen := func(id, approver string) string {
		return bookLine(id, fmt.Sprintf(`"actor":"operations/1","approver":%q,"op":"reopen",`+
			`"account":"cash"`, approver))
	}
	send("operations/1", reopen("b-3", "operations/1"), 422, "ledger.needs-approver")
	send("operations/1", reopen("b-4", "trader/1"), 202, "pending")
	send("trader/1", reopen("b-4", "trader/1"), 403, "command.approve")
	send("operations/1", reopen("b-5", "approver/1"), 202, "pending")
	send("operations/1", reopen("b-5", "approver/1"), 202, "pending")
	send("approver/1", strings.Replace(reopen("b-5", "approver/1"), "test", "other", 1), 202,
		"pending")
	send("approver/1", strings.Replace(reopen("b-5", "approver/1"), "2025-01-10", "2025-02-10", 1),
		202, "pending") // it would take effect at another time
	send("approver/1", reopen("b-5", "approver/1"), 201, "accepted")
	r, err := s.system.Log.Find(t.Context(), trade.EventID("b-5", 0))
	require.NoError(t, err)
	require.Equal(t, []string{"operations/1", "approver/1"}, []string{r.Actor, r.Approver})
}

// If the answer to the second principal was lost, either of the two gets the recorded outcome, also
// a refusal. Another command under the same id is a conflict.
func TestLedgerOutcomeAfterALostAnswer(t *testing.T) {
	t.Parallel()
	s := newService(t, withLedgers)
	send := func(as, line string, code int, says string) {
		t.Helper()
		got, text := s.ask(as, [3]string{"POST", "/v1/ledger-commands", line})
		require.Equal(t, code, got, text)
		require.Contains(t, text, says)
	}
	reopen := func(id, reason string) string {
		return strings.Replace(bookLine(id, `"actor":"operations/1","approver":"approver/1",`+
			`"op":"reopen","account":"cash"`), "test", reason, 1)
	}
	send("operations/1", accountLine("b-1", "cash", "asset"), 201, "accepted")
	send("operations/1", bookLine("b-2", `"op":"close","account":"cash"`), 201, "accepted")
	send("operations/1", reopen("b-3", "first"), 202, "pending")
	send("approver/1", reopen("b-3", "first"), 201, "accepted")
	send("operations/1", reopen("b-4", "twice"), 202, "pending")
	send("approver/1", reopen("b-4", "twice"), 422, "refused")
	for _, as := range []string{"operations/1", "approver/1"} {
		send(as, reopen("b-3", "first"), 200, `"again":true`)
		send(as, reopen("b-4", "twice"), 422, `"again":true`)
		send(as, reopen("b-3", "other"), 409, "command.reused")
	}
	send("trader/1", reopen("b-3", "first"), 403, "actor-claimed")
}

// halved is a log that fails before one append.
type halved struct {
	contract.Atomic
	appends int // that still succeed before it
}

func (h *halved) AppendAll(ctx context.Context, all []contract.StreamAppend,
	guards ...contract.Guard) ([][]contract.Receipt, error) {
	if h.appends--; h.appends == -1 {
		return nil, errBroken
	}
	return h.Atomic.AppendAll(ctx, all, guards...)
}

// A transfer of two principals whose second half is missing is continued by either of them.
func TestLedgerContinuesAnApprovedTransfer(t *testing.T) {
	t.Parallel()
	log := new(halved)
	s := newService(t, withLedgers, func(c *serve.Config) {
		log.Atomic, log.appends = c.System.Log.(contract.Atomic), 100
		c.Ledgers.Desk.Log = log
	})
	send := func(as, line string, code int, says string) {
		t.Helper()
		got, text := s.ask(as, [3]string{"POST", "/v1/ledger-commands", line})
		require.Equal(t, code, got, text)
		require.Contains(t, text, says)
	}
	other := func(line string) string { return strings.Replace(line, "club", "pool", 1) }
	january := `"op":"open-period","period":"2025-01"`
	send("operations/1", accountLine("b-1", "cash", "asset"), 201, "accepted")
	send("operations/1", accountLine("b-2", "sales", "income"), 201, "accepted")
	send("operations/1", bookLine("b-3", january), 201, "accepted")
	send("operations/1", other(accountLine("b-4", "cash", "asset")), 201, "accepted")
	send("operations/1", other(accountLine("b-5", "sales", "income")), 201, "accepted")
	send("operations/1", other(bookLine("b-6", january)), 201, "accepted")
	transfer := bookLine("b-7", `"actor":"operations/1","approver":"approver/1",`+
		`"op":"transfer","entry":"E-1","to":"pool",`+entryLines("10.00")+","+
		strings.Replace(entryLines("10.00"), `"description":"a sale","lines"`, `"to_lines"`, 1))
	send("operations/1", transfer, 202, "pending")
	log.appends = 1 // the first half
	send("approver/1", transfer, 503, "away")
	send("operations/1", transfer, 201, "accepted")
	send("operations/1", transfer, 200, `"again":true`)
	second, err := s.system.Log.Find(t.Context(), trade.EventID("b-7/to", 0))
	require.NoError(t, err)
	require.Equal(t, "approver/1", second.Approver)
}

// The service publishes an account that is opened while it runs, and says how far it has come.
func TestServicePublishesLedgers(t *testing.T) {
	t.Parallel()
	brokers := kgo.SeedBrokers(newCluster(t).ListenAddrs()...)
	topic, err := publication.OpenTopic([]kgo.Opt{brokers}, "log.public")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, topic.Close()) })
	s := newService(t, withLedgers, func(c *serve.Config) {
		c.Publisher = &publication.Publisher{Log: c.System.Log, Name: "log", Topic: topic,
			Cursor: logdir.CursorFile(filepath.Join(t.TempDir(), "published")),
			Of:     logdir.IDFile(filepath.Join(t.TempDir(), "published.topic"))}
	})
	s.start()
	code, text := s.ask("operations/1",
		[3]string{"POST", "/v1/ledger-commands", accountLine("b-1", "cash", "asset")})
	require.Equal(t, http.StatusCreated, code, text)
	require.Eventually(t, func() bool {
		parts := s.do("", "GET", "/readyz", "").Body.String()
		return strings.Contains(parts, "all events of ledgers are published") &&
			s.metric(lag("publication")) == 0
	}, 30*time.Second, 10*time.Millisecond)
	client, err := kgo.NewClient(brokers, kgo.ConsumeTopics("log.public"),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()))
	require.NoError(t, err)
	defer client.Close()
	records := client.PollFetches(t.Context()).Records()
	require.Len(t, records, 1)
	require.Contains(t, string(records[0].Value), trade.EventID("b-1", 0).String())
}

// The service posts a trade that comes while it runs. A refused entry is an exception: the part
// says so until the account is unblocked, by the API too.
func TestLedgerFollowsTrades(t *testing.T) {
	t.Parallel()
	s := newService(t, withLedgers)
	_, stop := s.start()
	says := func(want string) func() bool {
		return func() bool {
			return strings.Contains(s.do("", "GET", "/readyz", "").Body.String(), want)
		}
	}
	trades := func(uti string) {
		code, a := s.command("trader/1", strings.ReplaceAll(`{"command_id":"UTI-1",`+
			`"entered_at":"2025-01-10T09:00:00Z","reason":"order","op":"NEW","uti":"UTI",`+
			`"book":"CRUDE","counterparty":"ACME","trader":"trader/1","side":"buy",`+
			`"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"100",`+
			`"unit":"bbl","price":"70.00","currency":"USD","fee":"-2.00"}`, "UTI", uti))
		require.Equal(t, http.StatusCreated, code, a)
	}
	book := func(id, op string) {
		line := strings.Replace(bookLine(id, `"op":"`+op+`","account":"assets:cash:CRUDE:USD"`),
			"club", "main", 1)
		code, text := s.ask("operations/1", [3]string{"POST", "/v1/ledger-commands", line})
		require.Equal(t, http.StatusCreated, code, text)
	}
	posted := func(entries int) func() bool {
		return func() bool {
			end, err := s.system.Log.End(t.Context())
			require.NoError(t, err)
			books := ledger.NewBooks("main", trade.BookZone())
			for f, err := range ledger.Facts(s.system.Log.Read(t.Context(), nil, end), "main") {
				require.NoError(t, err)
				books.Take(f)
			}
			return len(books.Entries(trade.AsOf{})) == entries
		}
	}
	const patience, tick = 30 * time.Second, 10 * time.Millisecond
	trades("ONE")
	require.Eventually(t, posted(1), patience, tick)
	book("m-1", "block")
	trades("TWO")
	require.Eventually(t, says("it refuses 1 entries of the trades"), patience, tick)
	book("m-2", "unblock")
	require.Eventually(t, posted(2), patience, tick)
	require.Eventually(t, says("all trades are posted"), patience, tick)
	require.NoError(t, stop())
}
