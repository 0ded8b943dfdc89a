package ledger_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hamba/avro/v2"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// A book is a ledger on a log.
type book struct {
	*ledger.Desk
	n atomic.Int64
}

func over(log contract.Atomic) *book {
	return &book{Desk: &ledger.Desk{Log: log, Codec: domain.Offline(), Zone: trade.BookZone(),
		Source: "test"}}
}

func (b *book) command(at time.Time, r ledger.Request) ledger.Command {
	return ledger.Command{
		ID: fmt.Sprint("c", b.n.Add(1)), Ledger: "main", EnteredAt: at, Actor: "clerk/1",
		Reason: "test", Do: r,
	}
}

func (b *book) must(t testing.TB, at time.Time, requests ...ledger.Request) {
	t.Helper()
	for _, r := range requests {
		out, err := b.Do(t.Context(), b.command(at, r))
		require.NoError(t, err)
		if out.Refusal != nil {
			t.Fatalf("%+v: %v", r, out.Refusal)
		}
	}
}

// books folds the whole log.
func (b *book) books(t testing.TB) *ledger.Books {
	end, err := b.Log.End(t.Context())
	require.NoError(t, err)
	books := ledger.NewBooks("main", b.Zone)
	for f, err := range ledger.Facts(b.Log.Read(t.Context(), nil, end), "main") {
		require.NoError(t, err)
		books.Take(f)
	}
	require.Empty(t, books.Check())
	return books
}

func (b *book) open(t testing.TB) *book {
	zero := trade.Decimal{}
	cash := open("cash", ledger.Asset, "EUR")
	cash.Floor = &zero
	b.must(t, start, cash, open("sales", ledger.Income, "EUR"), open("fees", ledger.Expense, "EUR"),
		ledger.OpenPeriod{Period: "2025-01"}, ledger.OpenPeriod{Period: "2025-02"})
	return b
}

// 64 clients draw on one account with a floor of zero, through four desks that share a log: it is
// never below zero, and the totals are exact.
func TestOverdraftRace(t *testing.T) {
	t.Parallel()
	raceForOverdraft(t, memory.New(contract.SimulatedClock))
}

// On Postgres the desks conflict in the database.
func TestOverdraftRaceOnPostgres(t *testing.T) {
	t.Parallel()
	log, _ := onPostgres(t)
	raceForOverdraft(t, log)
}

func raceForOverdraft(t *testing.T, log contract.Atomic) {
	over(log).open(t).must(t, day(1), post("in", "cash", "sales", "100", "EUR"))
	var accepted, refused atomic.Int64
	var clients sync.WaitGroup
	desks := []*book{over(log), over(log), over(log), over(log)}
	for client := range 64 {
		clients.Go(func() {
			for n := range 3 {
				cmd := desks[client%4].command(day(1+n), post(fmt.Sprintf("out-%d-%d", client, n),
					"fees", "cash", "0.99", "EUR"))
				cmd.ID = fmt.Sprintf("out-%d-%d", client, n)
				out, err := desks[client%4].Do(context.Background(), cmd)
				switch {
				case err != nil:
					t.Error(err)
				case out.Refusal == nil:
					accepted.Add(1)
				case out.Refusal.Rule == ledger.BelowFloor:
					refused.Add(1)
				default:
					t.Error(out.Refusal)
				}
			}
		})
	}
	clients.Wait()
	require.Equal(t, []int64{101, 91}, []int64{accepted.Load(), refused.Load()})
	books := over(log).books(t)
	require.NoError(t, books.Trial(trade.AsOf{}).Balanced())
	for _, row := range books.Statement("cash", trade.AsOf{}) {
		require.GreaterOrEqual(t, row.Balance.Sign(), 0)
	}
	rows := books.Statement("cash", trade.AsOf{})
	require.Equal(t, "0.01", rows[len(rows)-1].Balance.String())
}

// An entry is reversed once, also if 64 clients try at the same time.
func TestDoubleReversalRace(t *testing.T) {
	t.Parallel()
	log := memory.New(contract.SimulatedClock)
	over(log).open(t).must(t, day(1), post("E", "cash", "sales", "10", "EUR"))
	var reversed atomic.Int64
	var clients sync.WaitGroup
	for client := range 64 {
		clients.Go(func() {
			b := over(log)
			cmd := b.command(day(1), ledger.ReverseEntry{Entry: "E", By: fmt.Sprint("R", client)})
			cmd.ID = fmt.Sprint("reverse", client)
			out, err := b.Do(context.Background(), cmd)
			if err != nil || out.Refusal != nil && out.Refusal.Rule != ledger.AlreadyReversed {
				t.Error(err, out.Refusal)
			} else if out.Refusal == nil {
				reversed.Add(1)
			}
		})
	}
	clients.Wait()
	require.EqualValues(t, 1, reversed.Load())
}

// A period closes between a decision and its append: the posting is decided again, and refused.
func TestClosingOvertakesPosting(t *testing.T) {
	t.Parallel()
	log := memory.New(contract.SimulatedClock)
	slow := over(log).open(t)
	slow.must(t, day(1), post("E1", "cash", "sales", "10", "EUR")) // knows the open period
	over(log).closes(t)
	out, err := slow.Do(t.Context(), slow.command(day(1), post("E2", "cash", "sales", "1", "EUR")))
	require.NoError(t, err)
	require.Equal(t, ledger.IsClosed, out.Refusal.Rule)
}

// A refusal is decided on what the log has, and not on what a desk remembers: another desk may have
// removed the reason since. A refusal is final, so a wrong one would stay.
func TestRefusalIsDecidedOnTheLog(t *testing.T) {
	t.Parallel()
	log := memory.New(contract.SimulatedClock)
	a, b := over(log).open(t), over(log)
	b.n.Store(100)
	a.closes(t)
	reopen := b.command(day(2), ledger.ReopenPeriod{Period: "2025-01"})
	reopen.Approver = "chief/1"
	out, err := b.Do(t.Context(), reopen)
	require.NoError(t, err)
	require.Nil(t, out.Refusal)
	a.must(t, day(1), post("E1", "cash", "sales", "1", "EUR"))  // a remembers 1 on cash
	b.must(t, day(1), post("E2", "cash", "sales", "10", "EUR")) // b deposits 10
	a.must(t, day(1), post("E3", "fees", "cash", "11", "EUR"))
}

// An entry of a month that another desk has closed since is not taken back without an approver.
func TestReversalGuardsTheOldPeriod(t *testing.T) {
	t.Parallel()
	for _, take := range []ledger.Request{
		ledger.ReverseEntry{Entry: "E", By: "E-R"},
		ledger.CorrectEntry{Entry: "E", Reversal: "E-R", Replacement: "E2",
			Lines: lines("cash", "sales", "9", "EUR")},
	} {
		log := memory.New(contract.SimulatedClock)
		slow := over(log).open(t)
		slow.must(t, day(1), post("E", "cash", "sales", "10", "EUR")) // remembers an open January
		over(log).closes(t)
		out, err := slow.Do(t.Context(), slow.command(day(40), take))
		require.NoError(t, err)
		require.NotNil(t, out.Refusal, "%T", take)
		require.Equal(t, ledger.NeedsApprover, out.Refusal.Rule)
	}
}

// The refusals of a ledger lie in the place of the ledger, as its other streams do.
func TestRefusalsLieWithTheLedger(t *testing.T) {
	t.Parallel()
	streams := []string{ledger.RefusalStream("main"), ledger.PeriodStream("main", "2025-01"),
		ledger.AccountStream("main", "cash"), ledger.JournalStream("main", "E")}
	require.NoError(t, contract.Apart(streams...))
	for _, stream := range streams {
		name, _, ok := ledger.Of(stream)
		require.True(t, ok)
		require.Equal(t, "main", name)
	}
}

func (b *book) closes(t *testing.T) {
	cmd := b.command(day(2), ledger.ClosePeriod{Period: "2025-01"})
	cmd.ID = "close"
	out, err := b.Do(t.Context(), cmd)
	require.NoError(t, err)
	require.Nil(t, out.Refusal)
}

// A command that is sent again gets its recorded outcome, accepted or refused. An id with other
// content is refused by a rule of its own. Nothing more is recorded.
func TestCommandSentAgain(t *testing.T) {
	t.Parallel()
	log := memory.New(contract.SimulatedClock)
	b := over(log).open(t)
	accepted := b.command(day(1), post("E", "cash", "sales", "10", "EUR"))
	refused := b.command(day(1), post("F", "cash", "sales", "0.001", "EUR"))
	renamed := b.command(day(1), ledger.RenameAccount{Account: "cash", Name: "the till"})
	for _, cmd := range []ledger.Command{accepted, refused, renamed} {
		_, err := b.Do(t.Context(), cmd)
		require.NoError(t, err)
	}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	for _, desk := range []*book{b, over(log)} {
		three := []ledger.Command{accepted, refused, renamed}
		for i, cmd := range slices.Concat(three, three) { // at once, and a minute later
			cmd.EnteredAt = cmd.EnteredAt.Add(time.Duration(i/3) * time.Minute)
			out, err := desk.Do(t.Context(), cmd)
			require.NoError(t, err)
			require.True(t, out.Again, cmd.ID)
			require.Equal(t, cmd.ID == refused.ID, out.Refusal != nil)
		}
		other := accepted
		other.Do = post("G", "cash", "sales", "11", "EUR")
		out, err := desk.Do(t.Context(), other)
		require.NoError(t, err)
		require.Equal(t, ledger.ReusedCommand, out.Refusal.Rule)
	}
	after, err := log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, after)
}

// A refusal is on record, with its rule. All events of a posting have one recorded time and one
// append group.
func TestRecordOfPostingAndRefusal(t *testing.T) {
	t.Parallel()
	log := memory.New(contract.SimulatedClock)
	b := over(log).open(t)
	b.must(t, day(1), post("E", "cash", "sales", "10", "EUR"))
	_, err := b.Do(t.Context(), b.command(day(1), post("E", "cash", "sales", "10", "EUR")))
	require.NoError(t, err)
	var group []contract.Recorded
	for _, stream := range []string{"journal/main/E", "account/main/cash", "account/main/sales"} {
		var last contract.Recorded
		for r, err := range log.Stream(t.Context(), stream) {
			require.NoError(t, err)
			last = r
		}
		group = append(group, last)
	}
	for _, r := range group {
		require.Equal(t, group[0].RecordedAt, r.RecordedAt)
		require.Equal(t, group[0].AppendGroup, r.AppendGroup)
	}
	for r, err := range log.Stream(t.Context(), ledger.RefusalStream("main")) {
		require.NoError(t, err)
		f, _, err := ledger.FactOf(r)
		require.NoError(t, err)
		require.Equal(t, "entry.exists", f.Body.(ledger.CommandRefused).Rule)
		return
	}
	t.Fatal("no refusal is on record")
}

// An entry from before version 2 of its schema is read in today's form.
func TestPostedVersionOneIsRead(t *testing.T) {
	t.Parallel()
	one, ok := schemas.Find("ledger.journal-entry-posted", 1)
	require.True(t, ok)
	schema, err := avro.ParseWithCache(one.Text, "", &avro.SchemaCache{})
	require.NoError(t, err)
	body, err := avro.Marshal(schema, ledger.JournalEntryPosted{Entry: "E", Description: "old",
		Lines: lines("cash", "sales", "10.5", "EUR"), Rules: "not in version 1"})
	require.NoError(t, err)
	f, ok, err := ledger.FactOf(contract.Recorded{Event: contract.Event{Type: one.Type, Schema: 1,
		Fingerprint: one.Fingerprint, Data: append(make([]byte, 5), body...)}})
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, ledger.JournalEntryPosted{Entry: "E", Description: "old",
		Lines: lines("cash", "sales", "10.5", "EUR")}, f.Body)
}
