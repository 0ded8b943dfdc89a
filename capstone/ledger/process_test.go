package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/ledger"
	importlines "example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// trading is a trading desk and a ledger on one log.
type trading struct {
	*book
	system *capstone.System
	poster *ledger.Poster
}

func newTrading() *trading {
	log := memory.New(contract.SimulatedClock)
	b := over(log)
	return &trading{b, capstone.New(log, codec.Offline(), "test"),
		&ledger.Poster{Desk: b.Desk, Trades: codec.Offline(), Ledger: "main"}}
}

// enter sends the commands of a simulated desk, and posts after each n of them.
func (d *trading) enter(t *testing.T, cfg simulate.Config, n int) {
	t.Helper()
	sent := 0
	for step := range simulate.Book(cfg) {
		_, err := d.system.Do(t.Context(), step.Command)
		require.NoError(t, err)
		if sent++; sent%n == 0 {
			_, err := d.poster.CatchUp(t.Context())
			require.NoError(t, err)
		}
	}
	_, err := d.poster.CatchUp(t.Context())
	require.NoError(t, err)
}

// streams reads all trades from scratch.
func (d *trading) streams(t *testing.T) map[string][]trade.Event {
	end, err := d.Log.End(t.Context())
	require.NoError(t, err)
	streams := map[string][]trade.Event{}
	for r, err := range d.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(t.Context(), codec.Offline(), r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams
}

// ties returns all ties, and fails if none has an amount.
func (d *trading) ties(t *testing.T, version string) (all []ledger.Tie) {
	rules, err := ledger.Rules(version)
	require.NoError(t, err)
	all = ledger.Ties(d.streams(t), d.books(t).Balances(trade.AsOf{}), rules)
	require.NotEmpty(t, all)
	return all
}

func requireTied(t *testing.T, ties []ledger.Tie) {
	t.Helper()
	figures := map[string]bool{}
	for _, tie := range ties {
		require.Zero(t, tie.Difference.Sign(), "%+v", tie)
		figures[tie.Figure] = figures[tie.Figure] || !tie.Trades.IsZero()
	}
	require.GreaterOrEqual(t, len(figures), 5)
	delete(figures, ledger.Exercised) // one side carries out what the other carries in
	for figure, has := range figures {
		require.True(t, has, "%s is zero everywhere", figure)
	}
}

var demo = simulate.Config{Seed: 3, Trades: 60, Days: 90, From: start}

// The ledger ties out with the trades to the cent, per book and currency, after corrections,
// novations, exercises and voids. Another process that starts from nothing posts nothing more.
func TestLedgerTiesOutWithTrades(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 7)
	requireTied(t, d.ties(t, "1"))
	require.NoError(t, d.books(t).Trial(trade.AsOf{}).Balanced())
	restarted := &ledger.Poster{Desk: over(d.Log).Desk, Trades: codec.Offline(), Ledger: "main"}
	n, err := restarted.CatchUp(t.Context())
	require.NoError(t, err)
	require.Zero(t, n)
}

// The books of a year of the simulated desk add up in hledger as they do here.
func TestHledgerAgreesOnTrades(t *testing.T) {
	t.Parallel()
	d := newTrading()
	cfg := demo
	if cfg.Days = 365; testing.Short() {
		cfg.Days = 60
	}
	d.enter(t, cfg, 1000)
	compareWithHledger(t, d.books(t), trade.AsOf{})
}

// A difference of 0.01 between the ledger and the trades is found, and named by book, currency,
// figure and account.
func TestSeededDifferenceIsNamed(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	var realised ledger.Tie
	for _, tie := range d.ties(t, "1") {
		if tie.Figure == ledger.Realised && !tie.Trades.IsZero() {
			realised = tie
		}
	}
	c := realised.Currency
	wrong := open("expenses:wrong", ledger.Expense, c)
	month := ledger.PeriodOf(d.last(t), d.Zone)
	out, err := d.Do(t.Context(), d.command(d.last(t), ledger.OpenPeriod{Period: month}))
	require.NoError(t, err)
	require.True(t, out.Refusal == nil || out.Refusal.Rule == ledger.PeriodExists)
	d.must(t, d.last(t), wrong, post("wrong", "expenses:wrong", realised.Accounts[0], "0.01", c))
	var found []ledger.Tie
	for _, tie := range d.ties(t, "1") {
		if !tie.Difference.IsZero() {
			found = append(found, tie)
		}
	}
	require.Len(t, found, 1)
	require.Equal(t, []string{realised.Book, string(c), "realised", "0.01"}, []string{found[0].Book,
		string(found[0].Currency), found[0].Figure, found[0].Difference.String()})
}

// Errors of 0.01 in two figures of one book do not cancel: both are named, for each pair.
func TestDifferencesOfTwoFiguresAreNamed(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	require.NoError(t, d.poster.Adopt(t.Context(), "2", d.last(t), chief))
	streams := d.streams(t)
	rules, err := ledger.Rules("2")
	require.NoError(t, err)
	books := map[ledger.Item][]ledger.Tie{}
	var all []ledger.Tie
	for _, tie := range d.ties(t, "2") {
		of := ledger.Item{Book: tie.Book, Currency: tie.Currency}
		if books[of] = append(books[of], tie); len(books[of]) > len(all) {
			all = books[of]
		}
	}
	require.Len(t, all, 6, "a book has every figure")
	for i, debited := range all {
		for _, credited := range all[i+1:] {
			seeded := []ledger.Balance{
				{Account: debited.Accounts[0], Currency: debited.Currency, Balance: cent},
				{Account: credited.Accounts[0], Currency: debited.Currency, Balance: cent.Neg()},
			}
			balances := append(d.books(t).Balances(trade.AsOf{}), seeded...)
			var found []string
			for _, tie := range ledger.Ties(streams, balances, rules) {
				if !tie.Difference.IsZero() {
					require.Equal(t, debited.Book, tie.Book)
					require.Equal(t, "0.01", tie.Difference.Abs().String())
					found = append(found, tie.Figure)
				}
			}
			require.Equal(t, []string{debited.Figure, credited.Figure}, found)
		}
	}
}

var cent = trade.Dec("0.01")

func (d *trading) last(t *testing.T) time.Time {
	at, err := d.Log.Frontier(t.Context())
	require.NoError(t, err)
	return at
}

// An event of a closed period is posted into the next open one, with its original date, and the
// sums tie out as before.
func TestLateTradeGoesToOpenPeriod(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	for name := range d.books(t).Periods {
		d.must(t, d.last(t), ledger.ClosePeriod{Period: name})
	}
	more := demo
	more.Seed, more.From = 4, start.AddDate(0, 0, 40)
	var utis int
	for step := range simulate.Book(more) {
		step.Command.ID += "-more"
		if _, err := d.system.Do(t.Context(), step.Command); err == nil {
			utis++
		}
	}
	require.Positive(t, utis)
	n, err := d.poster.CatchUp(t.Context())
	require.NoError(t, err)
	require.Positive(t, n)
	requireTied(t, d.ties(t, "1"))
	late := 0
	for _, p := range d.books(t).Entries(trade.AsOf{}) {
		if p.OriginalAt != "" {
			late++
		}
	}
	require.Positive(t, late)
}

// What-if names the accounts whose balances differ under other posting rules, with the events that
// make them differ. Adoption posts one entry from a date on, and everything ties out under the
// other rules, later events too.
func TestAdoptOtherPostingRules(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	one, err := ledger.Rules("1")
	require.NoError(t, err)
	two, err := ledger.Rules("2")
	require.NoError(t, err)
	what := ledger.NewWhatIf(one, two)
	end, err := d.Log.End(t.Context())
	require.NoError(t, err)
	for r, err := range d.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		if trade.Folds(r.Stream) {
			e, err := contract.Decoded(t.Context(), codec.Offline(), r)
			require.NoError(t, err)
			what.Take(r.Stream, e)
		}
	}
	before := d.books(t)
	changes := what.Changes()
	require.NotEmpty(t, changes)
	for _, c := range changes {
		sum := trade.Decimal{}
		for _, e := range c.Events {
			sum = sum.Add(e.Other).Sub(e.Current)
		}
		require.True(t, sum.Equal(c.Other.Sub(c.Current)), c.Account)
	}
	adopted := d.last(t).Add(-24 * time.Hour)
	by := ledger.Adoption{Actor: "clerk/1", Approver: "clerk/1", Reason: "another broker"}
	var refused *ledger.PostingError
	require.ErrorAs(t, d.poster.Adopt(t.Context(), "2", adopted, by), &refused)
	require.Equal(t, ledger.NeedsApprover, refused.Refusal.Rule)
	by.Approver = "chief/1"
	require.NoError(t, d.poster.Adopt(t.Context(), "2", adopted, by))
	after := d.books(t)
	for _, c := range changes {
		require.Equal(t, c.Other.String(), of(after, c.Account).String(), c.Account)
		require.Equal(t, c.Current.String(), of(before, c.Account).String(), c.Account)
	}
	require.ErrorIs(t, d.poster.Adopt(t.Context(), "2", adopted, by),
		ledger.ErrNothingToAdopt)
	more := demo
	more.Seed = 5
	for step := range simulate.Book(more) {
		step.Command.ID += "-more"
		_, _ = d.system.Do(t.Context(), step.Command)
	}
	restarted := &ledger.Poster{Desk: over(d.Log).Desk, Trades: codec.Offline(), Ledger: "main"}
	_, err = restarted.CatchUp(t.Context())
	require.NoError(t, err)
	requireTied(t, d.ties(t, "2"))
}

// Rules are adopted again after others, without an event in between: each adoption has an entry of
// its own.
func TestAdoptRulesBackAndForth(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	require.Equal(t, "1", d.books(t).Rules())
	for _, version := range []string{"2", "1", "2"} {
		require.NoError(t, d.poster.Adopt(t.Context(), version, d.last(t), chief))
		requireTied(t, d.ties(t, version))
		require.Equal(t, version, d.books(t).Rules())
	}
}

var chief = ledger.Adoption{Actor: "clerk/1", Approver: "chief/1", Reason: "another broker"}

// A process beside which another one adopts other rules goes on by these, again and again, also
// without an event in between.
func TestPosterFollowsAnAdoption(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	other := &ledger.Poster{Desk: over(d.Log).Desk, Trades: codec.Offline(), Ledger: "main"}
	for _, version := range []string{"2", "1", "2", "1"} {
		require.NoError(t, other.Adopt(t.Context(), version, d.last(t), chief))
		n, err := d.poster.CatchUp(t.Context())
		require.NoError(t, err)
		require.Zero(t, n)
		requireTied(t, d.ties(t, version))
	}
}

// Several entries of a rest after one event have names that the ledger takes: each follows a
// posting by hand that looks like the process's own.
func TestRestsOfOneEvent(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, demo, 1000)
	for n := range 3 {
		tie := d.ties(t, "1")[0]
		cmd := d.command(d.last(t), ledger.PostEntry{Entry: fmt.Sprint("T-other-", n), Rules: "1",
			Lines: lines(tie.Accounts[0], d.realised(tie), "0.01", tie.Currency)})
		out, err := d.Do(t.Context(), cmd)
		require.NoError(t, err)
		require.Nil(t, out.Refusal)
		posted, err := d.poster.CatchUp(t.Context())
		require.NoError(t, err)
		require.Equal(t, 1, posted)
		requireTied(t, d.ties(t, "1"))
	}
}

// realised returns the account of realised P&L beside a tie.
func (d *trading) realised(t ledger.Tie) string {
	return fmt.Sprintf("income:realised:%s:%s", t.Book, t.Currency)
}

func of(b *ledger.Books, account string) trade.Decimal {
	for _, s := range b.Balances(trade.AsOf{}) {
		if s.Account == account {
			return s.Balance
		}
	}
	return trade.Decimal{}
}

// few trades of the demo.
var few = simulate.Config{Seed: 3, Trades: 15, Days: 90, From: start}

// catchUp posts the trades, by a poster that was started again if restart. It returns the number of
// entries.
func (d *trading) catchUp(t *testing.T, restart bool) int {
	if restart {
		d.poster = &ledger.Poster{Desk: over(d.Log).Desk, Trades: codec.Offline(), Ledger: "main"}
	}
	posted, err := d.poster.CatchUp(t.Context())
	require.NoError(t, err)
	return posted
}

// more records trades of another simulated book.
func (d *trading) more(t *testing.T, seed uint64) {
	cfg, before := few, d.last(t)
	cfg.Seed = seed
	for step := range simulate.Book(cfg) {
		step.Command.ID += fmt.Sprint("-more-", seed)
		_, _ = d.system.Do(t.Context(), step.Command) // some are refused
	}
	require.True(t, d.last(t).After(before))
}

// An entry that the ledger refuses is an exception: the process posts the entries after it, and no
// rest hides the difference. It is listed, also from the log, and posted when its cause is gone, by
// this process and by another one.
func TestRefusedPostingIsAnException(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		d := newTrading()
		d.enter(t, few, 1000)
		shut := d.ties(t, "1")[0].Accounts[0]
		d.must(t, d.last(t), ledger.BlockAccount{Account: shut})
		before := of(d.books(t), shut)
		d.more(t, 6)
		next := func() int {
			return d.catchUp(t, restart)
		}
		require.Positive(t, next(), "other accounts are open")
		first := d.poster.Exceptions()
		require.NotEmpty(t, first)
		require.Equal(t, before.String(), of(d.books(t), shut).String())
		for _, e := range first {
			require.Equal(t, ledger.NotOpen, e.Refusal.Rule)
			require.Contains(t, e.Refusal.Detail, shut)
		}
		require.ElementsMatch(t, first, d.books(t).Exceptions(trade.AsOf{}))
		require.Zero(t, next(), "nothing is posted twice, and no rest is")
		require.ElementsMatch(t, names(first), names(d.poster.Exceptions()))
		d.must(t, d.last(t), ledger.UnblockAccount{Account: shut})
		require.Equal(t, len(first), next())
		require.Empty(t, d.poster.Exceptions())
		require.Empty(t, d.books(t).Exceptions(trade.AsOf{}))
		requireTied(t, d.ties(t, "1"))
		for _, p := range d.books(t).Entries(trade.AsOf{}) {
			require.NotContains(t, p.Entry, "REST-")
		}
	}
}

func names(all []ledger.Exception) (entries []string) {
	for _, e := range all {
		entries = append(entries, e.Entry)
	}
	return entries
}

// Each cause of an exception is mended by a command of its own: a closed account is reopened, and a
// month that closed since the process read it makes way for the next one. An exception is tried
// again only after such a command, and adoption waits for all of them.
func TestExceptionIsTriedAgainAfterACommand(t *testing.T) {
	t.Parallel()
	d := newTrading()
	d.enter(t, few, 1000)
	d.must(t, d.last(t), open("equity:out", ledger.Equity, "EUR"))
	var shut string
	for _, b := range d.books(t).Balances(trade.AsOf{}) {
		if b.Currency == "EUR" && b.Type == ledger.Asset {
			shut = b.Account
			d.must(t, d.last(t), ledger.PostEntry{Entry: "out", Lines: []ledger.Line{
				ledger.LineOf(shut, b.Balance.Neg(), "EUR"),
				ledger.LineOf("equity:out", b.Balance, "EUR")}},
				ledger.CloseAccount{Account: shut})
			break
		}
	}
	d.more(t, 6)
	catchUp := func() []ledger.Exception {
		_, err := d.poster.CatchUp(t.Context())
		require.NoError(t, err)
		return d.poster.Exceptions()
	}
	first := catchUp()
	require.NotEmpty(t, first)
	end, err := d.Log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, first, catchUp())
	again, err := d.Log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, again, "without a command it is not tried again")
	var refused *ledger.PostingError
	require.ErrorAs(t, d.poster.Adopt(t.Context(), "2", d.last(t), chief), &refused)
	require.Equal(t, first[0].Entry, refused.Entry)
	reopen := d.command(d.last(t), ledger.ReopenAccount{Account: shut})
	reopen.Approver = "chief/1"
	out, err := d.Do(t.Context(), reopen)
	require.NoError(t, err)
	require.Nil(t, out.Refusal)
	require.Empty(t, catchUp())
	require.Empty(t, d.books(t).Exceptions(trade.AsOf{}))
	require.NoError(t, d.books(t).Trial(trade.AsOf{}).Balanced())
}

// An entry that an account was too low for is posted once a later entry of the process lifts the
// account, without a command of anybody: by the same process, and by another one. It gets one
// refusal, however often the process looks.
func TestExceptionEndsWithTheFloor(t *testing.T) {
	t.Parallel()
	for _, restart := range []bool{false, true} {
		d, zero := newTrading(), trade.Decimal{}
		cash := open("assets:cash:CRUDE:USD", ledger.Asset, "USD")
		cash.Floor = &zero
		d.must(t, start, cash)
		trades := func(fees ...string) (posted int) {
			for _, fee := range fees {
				line, err := importlines.Parse(1, fmt.Appendf(nil, `{"command_id":"c%s",`+
					`"entered_at":"2025-01-10T09:00:00Z","actor":"trader/1","reason":"order",`+
					`"op":"NEW","uti":"T%[1]s","book":"CRUDE","counterparty":"ACME",`+
					`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT",`+
					`"delivery":"2025-06","quantity":"100","unit":"bbl","price":"70.00",`+
					`"currency":"USD","fee":"%[1]s"}`, fee))
				require.NoError(t, err)
				_, err = d.system.Do(t.Context(), line.Command)
				require.NoError(t, err)
			}
			return d.catchUp(t, restart)
		}
		require.Equal(t, 0, trades("-3"))
		require.Equal(t, ledger.BelowFloor, d.poster.Exceptions()[0].Refusal.Rule)
		refused := d.last(t)
		require.Equal(t, 1, trades("2"))
		require.Len(t, d.poster.Exceptions(), 1, "2 are fewer than 3")
		if !restart {
			require.Equal(t, d.refusals(t, refused), d.refusals(t, d.last(t)))
		}
		require.Equal(t, 3, trades("-4", "5"), "the entries that wait, and the one that lifts")
		require.Empty(t, d.poster.Exceptions())
		require.True(t, of(d.books(t), "assets:cash:CRUDE:USD").IsZero())
	}
}

// refusals returns the number of refusals of the ledger main that are on record at a time.
func (d *trading) refusals(t *testing.T, at time.Time) (n int) {
	for r, err := range d.Log.Stream(t.Context(), ledger.RefusalStream("main")) {
		require.NoError(t, err)
		if !r.RecordedAt.After(at) {
			n++
		}
	}
	return n
}

// dying is a log whose process dies at an append: before it is recorded, or after it is recorded
// and before the answer.
type dying struct {
	contract.Atomic
	appends int // that still succeed
	after   bool
}

var errDied = errors.New("died")

func (d *dying) AppendAll(ctx context.Context, all []contract.StreamAppend,
	guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if d.appends--; d.appends >= 0 {
		return d.Atomic.AppendAll(ctx, all, guards...)
	}
	if d.after {
		if _, err := d.Atomic.AppendAll(ctx, all, guards...); err != nil {
			return nil, err
		}
	}
	return nil, errDied
}

// The process of postings dies 100 times, at any append, recorded or not. Each entry is on record
// whole or not at all, nothing is posted twice, and the next run posts the rest.
func TestPosterDiesAtAnyAppend(t *testing.T) {
	t.Parallel()
	d := newTrading()
	for step := range simulate.Book(demo) {
		_, err := d.system.Do(t.Context(), step.Command)
		require.NoError(t, err)
	}
	r := rand.New(rand.NewPCG(12, 1))
	run := func(log contract.Atomic) error {
		poster := &ledger.Poster{Desk: over(log).Desk, Trades: codec.Offline(), Ledger: "main"}
		_, err := poster.CatchUp(t.Context())
		return err
	}
	for deaths := range 100 {
		require.ErrorIs(t, run(&dying{d.Log, r.IntN(3), r.IntN(2) == 0}), errDied, deaths)
		if deaths%20 == 0 {
			require.NoError(t, d.books(t).Trial(trade.AsOf{}).Balanced())
		}
	}
	require.NoError(t, run(d.Log))
	requireTied(t, d.ties(t, "1"))
	entries := map[string]bool{}
	for _, p := range d.books(t).Entries(trade.AsOf{}) {
		require.False(t, entries[p.Entry], p.Entry)
		entries[p.Entry] = true
		require.NotContains(t, p.Entry, "REST-")
	}
}

// parted is a log in three partitions: each read meets them in another order.
type parted struct {
	contract.Atomic
	*rand.Rand
}

func (p parted) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded,
	error,
] {
	return func(yield func(contract.Recorded, error) bool) {
		var parts [3][]contract.Recorded
		for r, err := range p.Atomic.Read(ctx, from, to) {
			if err != nil {
				yield(r, err)
				return
			}
			n := crc32.ChecksumIEEE([]byte(r.Stream)) % 3
			parts[n] = append(parts[n], r)
		}
		for len(parts[0])+len(parts[1])+len(parts[2]) > 0 {
			n := p.IntN(3)
			some := min(len(parts[n]), 1+p.IntN(9))
			for _, r := range parts[n][:some] {
				if !yield(r, nil) {
					return
				}
			}
			parts[n] = parts[n][some:]
		}
	}
}

// The process of postings dies again and again, and each run meets the partitions of the log in
// another order. Every entry balances, and in the end the ledger ties out with the trades.
func TestPosterMeetsAnyOrder(t *testing.T) {
	t.Parallel()
	d := newTrading()
	for step := range simulate.Book(demo) {
		_, err := d.system.Do(t.Context(), step.Command)
		require.NoError(t, err)
	}
	r := rand.New(rand.NewPCG(13, 1))
	run := func(log contract.Atomic) error {
		poster := &ledger.Poster{Desk: over(parted{log, r}).Desk, Trades: codec.Offline(),
			Ledger: "main"}
		_, err := poster.CatchUp(t.Context())
		return err
	}
	for deaths := range 30 {
		require.ErrorIs(t, run(&dying{d.Log, r.IntN(9), r.IntN(2) == 0}), errDied, deaths)
	}
	require.NoError(t, run(d.Log))
	requireTied(t, d.ties(t, "1"))
	before, err := d.Log.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, run(d.Log))
	after, err := d.Log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, after, "another order of the same events posts nothing")
}
