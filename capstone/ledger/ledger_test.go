package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var start = time.Date(2025, 1, 1, 12, 0, 0, 0, time.UTC)

// A desk decides commands in memory, and keeps the facts.
type desk struct {
	state *ledger.State
	books *ledger.Books
	facts []ledger.Fact
	now   time.Time
	n     int
}

func newDesk() *desk {
	return &desk{state: ledger.NewState("main", trade.BookZone()),
		books: ledger.NewBooks("main", trade.BookZone()), now: start}
}

// do decides a request that takes effect at a time, and records its events at the next microsecond.
func (d *desk) do(at time.Time, r ledger.Request) *trade.Refusal {
	return d.send(ledger.Command{EffectiveAt: at, Actor: "clerk/1", Do: r})
}

func (d *desk) send(cmd ledger.Command) *trade.Refusal {
	d.n++
	d.now = d.now.Add(time.Minute)
	cmd.ID, cmd.Ledger, cmd.Reason, cmd.EnteredAt = fmt.Sprint("c", d.n), "main", "test", d.now
	decision, refusal := ledger.Decide(d.state, cmd)
	if refusal != nil {
		return refusal
	}
	versions := map[string]int64{}
	for i, e := range decision.Events {
		if versions[e.Stream] == 0 {
			versions[e.Stream] = d.version(e.Stream)
		}
		versions[e.Stream]++
		f := ledger.Fact{Stream: e.Stream, Version: versions[e.Stream],
			ID: trade.EventID(cmd.ID, uint32(i)), EffectiveAt: cmd.EffectiveAt,
			EnteredAt: cmd.EnteredAt, RecordedAt: d.now, Actor: cmd.Actor, Body: e.Body}
		d.facts = append(d.facts, f)
	}
	for _, f := range d.facts[len(d.facts)-len(decision.Events):] {
		d.state.Evolve(f)
		d.books.Take(f)
	}
	return nil
}

func (d *desk) version(stream string) int64 {
	_, name, _ := ledger.Of(stream)
	return max(d.state.Accounts[name].Version*kind(stream, "account/"),
		d.state.Entries[name].Version*kind(stream, "journal/"),
		d.state.Periods[name].Version*kind(stream, "period/"))
}

func kind(stream, prefix string) int64 {
	if len(stream) > len(prefix) && stream[:len(prefix)] == prefix {
		return 1
	}
	return 0
}

func (d *desk) must(t *testing.T, at time.Time, requests ...ledger.Request) {
	t.Helper()
	for _, r := range requests {
		if refusal := d.do(at, r); refusal != nil {
			t.Fatalf("%T: %v", r, refusal)
		}
	}
}

func open(name string, of ledger.AccountType, c trade.Currency) ledger.OpenAccount {
	return ledger.OpenAccount{Account: name, Name: name, Type: of, Currency: c}
}

func post(entry, debit, credit, amount string, c trade.Currency) ledger.PostEntry {
	return ledger.PostEntry{Entry: entry, Description: "a test",
		Lines: lines(debit, credit, amount, c)}
}

func lines(debit, credit, amount string, c trade.Currency) []ledger.Line {
	return []ledger.Line{
		{Account: debit, Side: ledger.Debit, Amount: trade.Dec(amount), Currency: c},
		{Account: credit, Side: ledger.Credit, Amount: trade.Dec(amount), Currency: c},
	}
}

// opened has two accounts in EUR, one of which has a floor of zero, one in USD, and two periods.
func opened(t *testing.T) *desk {
	d := newDesk()
	zero := trade.Decimal{}
	cash := open("cash", ledger.Asset, "EUR")
	cash.Floor = &zero
	d.must(t, start, cash, open("sales", ledger.Income, "EUR"), open("fees", ledger.Expense, "EUR"),
		open("usd", ledger.Asset, "USD"), open("usd-sales", ledger.Income, "USD"),
		ledger.OpenPeriod{Period: "2025-01"}, ledger.OpenPeriod{Period: "2025-02"})
	return d
}

func day(n int) time.Time { return start.AddDate(0, 0, n) }

// Each rule of the ledger refuses, by its name.
func TestEachRuleRefuses(t *testing.T) {
	t.Parallel()
	d := opened(t)
	d.must(t, day(1), post("E1", "cash", "sales", "10", "EUR"))
	d.must(t, day(1), ledger.ReverseEntry{Entry: "E1", By: "E1-R"})
	d.must(t, day(1), post("E2", "cash", "sales", "5", "EUR"),
		ledger.CreateEntry{Entry: "D1", Description: "draft",
			Lines: lines("fees", "cash", "1", "EUR")})
	d.must(t, day(1), open("old", ledger.Asset, "EUR"), ledger.CloseAccount{Account: "old"},
		open("held", ledger.Asset, "EUR"), ledger.BlockAccount{Account: "held"})
	d.must(t, day(1), ledger.OpenPeriod{Period: "2024-12"}, ledger.ClosePeriod{Period: "2024-12"})
	mixed := append(lines("cash", "sales", "1", "EUR"), ledger.Line{Account: "usd",
		Side: ledger.Debit, Amount: trade.Dec("1"), Currency: "USD"})
	late := post("L1", "cash", "sales", "1", "EUR")
	late.OriginalAt = day(9)
	for _, c := range []struct {
		rule trade.Rule
		at   time.Time
		do   ledger.Request
	}{
		{ledger.BadCommand, day(1), open("a|b", ledger.Asset, "EUR")},
		{ledger.BadCommand, day(1), open("a", "asset?", "EUR")},
		{ledger.BadCommand, day(1), post("E/3", "cash", "sales", "1", "EUR")},
		{ledger.BadCommand, day(1), ledger.OpenPeriod{Period: "2025-1"}},
		{ledger.BadCommand, day(1), post("T-1", "cash", "sales", "1", "EUR")},
		{ledger.BadCommand, day(1), ledger.CreateEntry{Entry: "REST-1",
			Lines: lines("cash", "sales", "1", "EUR")}},
		{ledger.BadCommand, day(1), ledger.ReverseEntry{Entry: "E2", By: "RULES-1"}},
		{ledger.NeedsApprover, day(1), ledger.ReopenPeriod{Period: "2024-12"}},
		{ledger.NeedsApprover, day(1), ledger.ReopenAccount{Account: "old"}},
		{ledger.AccountIsNotShut, day(1), ledger.ReopenAccount{Account: "held"}},
		{ledger.NoAccount, day(1), ledger.ReopenAccount{Account: "nowhere"}},
		{ledger.AccountExists, day(1), open("cash", ledger.Asset, "EUR")},
		{ledger.NoAccount, day(1), post("E3", "cash", "nowhere", "1", "EUR")},
		{ledger.NoAccount, day(1), ledger.BlockAccount{Account: "nowhere"}},
		{ledger.NotOpen, day(1), post("E3", "old", "sales", "1", "EUR")},
		{ledger.NotOpen, day(1), post("E3", "held", "sales", "1", "EUR")},
		{ledger.NotBlocked, day(1), ledger.UnblockAccount{Account: "cash"}},
		{ledger.NotEmpty, day(1), ledger.CloseAccount{Account: "cash"}},
		{ledger.OtherCurrency, day(1), post("E3", "usd", "sales", "1", "EUR")},
		{ledger.BelowFloor, day(1), post("E3", "fees", "cash", "5.01", "EUR")},
		{ledger.BelowFloor, day(0), post("E3", "fees", "cash", "0.01", "EUR")},
		{ledger.EntryExists, day(1), post("E2", "cash", "sales", "1", "EUR")},
		{ledger.NoEntry, day(1), ledger.ReverseEntry{Entry: "E9", By: "E9-R"}},
		{ledger.NotPosted, day(1), ledger.ReverseEntry{Entry: "D1", By: "D1-R"}},
		{ledger.AlreadyReversed, day(1), ledger.ReverseEntry{Entry: "E1", By: "E1-S"}},
		{ledger.AlreadyReversed, day(1), ledger.CorrectEntry{Entry: "E1", Reversal: "E1-S",
			Replacement: "E1-T", Lines: lines("cash", "sales", "1", "EUR")}},
		{ledger.ReversedEarly, day(0), ledger.ReverseEntry{Entry: "E2", By: "E2-R"}},
		{ledger.Unbalanced, day(1), ledger.PostEntry{Entry: "E3", Lines: mixed}},
		{ledger.TooFewLines, day(1), ledger.PostEntry{Entry: "E3"}},
		{ledger.BadAmount, day(1), post("E3", "cash", "sales", "0.001", "EUR")},
		{ledger.BadAmount, day(1), post("E3", "cash", "sales", "-1", "EUR")},
		{ledger.NotBegun, day(90), post("E3", "cash", "sales", "1", "EUR")},
		{ledger.IsClosed, day(-9), post("E3", "cash", "sales", "1", "EUR")},
		{ledger.PeriodExists, day(1), ledger.OpenPeriod{Period: "2025-01"}},
		{ledger.PeriodIsNotShut, day(1), ledger.ReopenPeriod{Period: "2025-01"}},
		{ledger.OriginalNotSoon, day(1), late},
	} {
		before := len(d.facts)
		cmd := ledger.Command{EffectiveAt: c.at, Actor: "clerk/1", Do: c.do}
		if _, reopens := c.do.(ledger.ReopenAccount); c.rule == ledger.PeriodIsNotShut ||
			reopens && c.rule != ledger.NeedsApprover {
			cmd.Approver = "chief/1"
		}
		refusal := d.send(cmd)
		require.NotNil(t, refusal, "%s: %+v", c.rule, c.do)
		require.Equal(t, c.rule, refusal.Rule, "%+v: %s", c.do, refusal.Detail)
		require.Len(t, d.facts, before)
	}
}

// A draft moves nothing until it is posted. A correction takes the old entry back and posts another
// one, in one decision.
func TestDraftThenCorrection(t *testing.T) {
	t.Parallel()
	d := opened(t)
	d.must(t, day(1), ledger.CreateEntry{Entry: "E", Description: "sale",
		Lines: lines("cash", "sales", "10", "EUR")})
	require.Empty(t, d.books.Balances(trade.AsOf{}))
	d.must(t, day(2), ledger.PostEntry{Entry: "E"})
	before := d.now
	d.must(t, day(3), ledger.CorrectEntry{Entry: "E", Reversal: "E-R", Replacement: "E2",
		Description: "sale", Lines: lines("cash", "sales", "12", "EUR")})
	require.Equal(t, "12", balance(d, "cash", trade.AsOf{}).String())
	require.Equal(t, "10", balance(d, "cash", trade.AsOf{Effective: day(2)}).String())
	require.Equal(t, "10", balance(d, "cash", trade.AsOf{Known: before}).String())
	require.Empty(t, d.books.Check())
	rows := d.books.Statement("cash", trade.AsOf{})
	require.Len(t, rows, 3)
	require.Equal(t, "12", rows[2].Balance.String())
}

// An entry of a closed period is taken back in an open one, with an approver, and a closed period
// takes entries again after an approved reopening.
func TestClosedPeriodNeedsApprover(t *testing.T) {
	t.Parallel()
	d := opened(t)
	d.must(t, day(1), post("E1", "cash", "sales", "10", "EUR"),
		ledger.ClosePeriod{Period: "2025-01"})
	february := day(40)
	reverse := ledger.ReverseEntry{Entry: "E1", By: "E1-R"}
	require.Equal(t, ledger.NeedsApprover, d.do(february, reverse).Rule)
	require.Nil(t, d.send(ledger.Command{EffectiveAt: february, Actor: "clerk/1",
		Approver: "chief/1", Do: reverse}))
	reopen := ledger.ReopenPeriod{Period: "2025-01"}
	require.Equal(t, ledger.NeedsApprover, d.send(ledger.Command{EffectiveAt: february,
		Actor: "clerk/1", Approver: "clerk/1", Do: reopen}).Rule, "the actor approves")
	require.Nil(t, d.send(ledger.Command{EffectiveAt: february, Actor: "clerk/1",
		Approver: "chief/1", Do: reopen}))
	d.must(t, day(2), post("E2", "cash", "sales", "10", "EUR"))
}

// A closed account takes no entry until an approver reopens it. It keeps its movements.
func TestReopenedAccountTakesEntries(t *testing.T) {
	t.Parallel()
	d := opened(t)
	d.must(t, day(1), post("E1", "cash", "sales", "10", "EUR"))
	d.must(t, day(2), post("E2", "fees", "cash", "10", "EUR"),
		ledger.CloseAccount{Account: "cash"})
	require.Equal(t, ledger.NotOpen, d.do(day(2), post("E3", "cash", "sales", "1", "EUR")).Rule)
	require.Nil(t, d.send(ledger.Command{EffectiveAt: day(3), Actor: "clerk/1",
		Approver: "chief/1", Do: ledger.ReopenAccount{Account: "cash"}}))
	d.must(t, day(3), post("E3", "cash", "sales", "1", "EUR"))
	require.Equal(t, ledger.BelowFloor, d.do(day(2), post("E4", "fees", "cash", "1", "EUR")).Rule,
		"the movements before the close still count")
	require.Equal(t, "1", balance(d, "cash", trade.AsOf{}).String())
}

// The zone of a month is on record: an entry of a desk in another zone, whose months begin at other
// times, is refused, and the export has the dates of the ledger.
func TestZoneIsOnRecord(t *testing.T) {
	t.Parallel()
	d := opened(t)
	midnight := time.Date(2025, 1, 31, 23, 30, 0, 0, time.UTC) // February in the zone of the book
	d.must(t, midnight, post("E1", "cash", "sales", "10", "EUR"))
	elsewhere, err := trade.Zone("GB")
	require.NoError(t, err)
	d.state.Zone = elsewhere
	refusal := d.do(day(40), post("E2", "cash", "sales", "10", "EUR"))
	require.NotNil(t, refusal)
	require.Equal(t, ledger.OtherZone, refusal.Rule)
	books := ledger.NewBooks("main", elsewhere)
	for _, f := range d.facts {
		books.Take(f)
	}
	var export strings.Builder
	require.NoError(t, books.WriteHledger(&export, trade.AsOf{}))
	require.Contains(t, export.String(), "2025-02-01 (E1)")
}

// A posting guards its period, and an account's event has the amount of its line.
func TestPostingGuardsItsPeriod(t *testing.T) {
	t.Parallel()
	d := opened(t)
	decision, refusal := ledger.Decide(d.state, ledger.Command{ID: "x", Ledger: "main",
		Actor: "clerk/1", Reason: "test", EffectiveAt: day(1),
		Do: post("E1", "cash", "sales", "10", "EUR")})
	require.Nil(t, refusal)
	require.Equal(t, map[string]int64{"period/main/2025-01": 1}, decision.Guards)
	require.Len(t, decision.Events, 3)
	require.Equal(t, ledger.AccountCredited{Entry: "E1", Amount: trade.Int(10), Currency: "EUR"},
		decision.Events[2].Body)
}

// An account of a posting rule has a name that a ledger takes, also for the longest name of a book.
func TestLongestBookHasAccounts(t *testing.T) {
	t.Parallel()
	rules, err := ledger.Rules("2")
	require.NoError(t, err)
	in := strings.NewReplacer("{book}", strings.Repeat("B", trade.References.Longest),
		"{currency}", "EUR")
	d := newDesk()
	for _, rule := range rules.Rules {
		refusal := d.do(start, open(in.Replace(rule.Debit), ledger.Asset, "EUR"))
		require.True(t, refusal == nil || refusal.Rule == ledger.AccountExists, "%v", refusal)
	}
}

// A line has the fields of its op alone: one that is ignored would mislead. An empty list of lines
// is no draft.
func TestLineHasFieldsOfItsOp(t *testing.T) {
	t.Parallel()
	const all = `"command_id":"c","ledger":"main","entered_at":"2025-01-02T09:00:00Z",` +
		`"actor":"clerk/1","reason":"test"`
	for line, field := range map[string]string{
		`"op":"close","account":"a","period":"2025-01"`:           "period",
		`"op":"reverse","entry":"E","by":"R","lines":[]`:          "lines",
		`"op":"correct","entry":"E","original_at":""`:             "original_at",
		`"op":"create","entry":"E","original_at":"2025-01-02"`:    "original_at",
		`"op":"open-period","period":"2025-01","currency":"EUR"`:  "currency",
		`"op":"post","entry":"E","replacement":"F","lines":null`:  "replacement",
		`"op":"rename","account":"a","name":"b","type":"expense"`: "type",
	} {
		_, err := ledger.ParseCommand([]byte("{" + all + "," + line + "}"))
		require.ErrorContains(t, err, fmt.Sprintf("has no field %q", field), line)
	}
	for _, line := range []string{
		`"op":"close","account":"a","account":"b"`, `"op":"close","op":"open","account":"a"`,
		`"op":"post","entry":"E","lines":[{"account":"a","debit":"1","account":"b"}]`,
	} {
		_, err := ledger.ParseCommand([]byte("{" + all + "," + line + "}"))
		require.ErrorContains(t, err, "is given twice", line)
	}
	_, err := ledger.ParseRules([]byte(`[{"version":"1","version":"2"}]`))
	require.ErrorContains(t, err, `posting rules: the member "version" is given twice`)
	d := opened(t)
	d.must(t, day(1), ledger.CreateEntry{Entry: "E", Lines: lines("cash", "sales", "1", "EUR")})
	cmd, err := ledger.ParseCommand([]byte("{" + all + `,"op":"post","entry":"E","lines":[]}`))
	require.NoError(t, err)
	require.NotNil(t, d.do(day(1), cmd.Do))
	cmd, err = ledger.ParseCommand([]byte("{" + all + `,"op":"post","entry":"E"}`))
	require.NoError(t, err)
	require.Nil(t, d.do(day(1), cmd.Do))
}

// A correction of long entries is refused where its events would pass the limit of an append.
func TestCorrectionFitsAnAppend(t *testing.T) {
	t.Parallel()
	long := func(pairs int) (all []ledger.Line) {
		for range pairs {
			all = append(all, lines("cash", "sales", "1", "EUR")...)
		}
		return all
	}
	d := opened(t)
	d.must(t, day(1), ledger.PostEntry{Entry: "E", Lines: long(250)})
	correct := ledger.CorrectEntry{Entry: "E", Reversal: "R", Replacement: "F", Lines: long(249)}
	refusal := d.do(day(2), correct)
	require.NotNil(t, refusal)
	require.Equal(t, ledger.TooFewLines, refusal.Rule)
	correct.Lines = long(248)
	before := len(d.facts)
	d.must(t, day(2), correct)
	require.LessOrEqual(t, len(d.facts)-before, contract.MaxAppend)
}

func balance(d *desk, account string, at trade.AsOf) trade.Decimal {
	for _, b := range d.books.Balances(at) {
		if b.Account == account {
			return b.Balance
		}
	}
	return trade.Decimal{}
}

// random returns a ledger of about n posted entries over a year, with reversals, corrections,
// drafts, late entries, and accounts with a floor.
func random(t testing.TB, seed uint64, n int) *desk {
	r := rand.New(rand.NewPCG(seed, 1))
	d := newDesk()
	for m := 1; m <= 12; m++ {
		require.Nil(t, d.do(start, ledger.OpenPeriod{Period: fmt.Sprintf("2025-%02d", m)}))
	}
	types := []ledger.AccountType{ledger.Asset, ledger.Liability, ledger.Equity, ledger.Income,
		ledger.Expense}
	currencies := []trade.Currency{"EUR", "JPY", "TND"}
	for i := range 30 {
		a := open(fmt.Sprintf("%s:a%d", types[i%5], i), types[i%5], currencies[i%3])
		if i%4 == 0 {
			floor := trade.Int(-500)
			a.Floor = &floor
		}
		require.Nil(t, d.do(start, a))
	}
	for i := 0; i < n; i++ {
		d.randomEntry(r, i, currencies)
	}
	return d
}

func (d *desk) randomEntry(r *rand.Rand, i int, currencies []trade.Currency) {
	at := start.Add(time.Duration(r.Int64N(360*24)) * time.Hour)
	entry, old := fmt.Sprint("E", i), fmt.Sprint("E", r.IntN(i+1))
	switch set := randomLines(r, currencies); r.IntN(12) {
	case 0:
		d.do(at, ledger.ReverseEntry{Entry: old, By: entry})
	case 1:
		d.do(at, ledger.CorrectEntry{Entry: old, Reversal: entry + "R", Replacement: entry,
			Description: "corrected", Lines: set})
	case 2:
		d.do(at, ledger.CreateEntry{Entry: entry, Description: "draft", Lines: set})
	case 3:
		d.do(at, ledger.PostEntry{Entry: old})
	default:
		d.do(at, ledger.PostEntry{Entry: entry, Description: "random", Lines: set})
	}
}

// randomLines returns lines that balance in one or two currencies.
func randomLines(r *rand.Rand, currencies []trade.Currency) (all []ledger.Line) {
	for range 1 + r.IntN(2) {
		c := r.IntN(3)
		pick := func() string {
			i := c + 3*r.IntN(10)
			return fmt.Sprintf("%s:a%d", []string{"asset", "liability", "equity", "income",
				"expense"}[i%5], i)
		}
		unit := trade.MulDiv(trade.Int(1), trade.Int(1), trade.Dec([]string{"100", "1", "1000"}[c]),
			currencies[c].Places())
		x, y := trade.Int(1+r.Int64N(9999)).Mul(unit), trade.Int(1+r.Int64N(9999)).Mul(unit)
		all = append(all, ledger.Line{Account: pick(), Side: ledger.Debit, Amount: x.Add(y),
			Currency: currencies[c]}, ledger.Line{Account: pick(), Side: ledger.Credit, Amount: x,
			Currency: currencies[c]}, ledger.Line{Account: pick(), Side: ledger.Credit, Amount: y,
			Currency: currencies[c]})
	}
	return all
}
