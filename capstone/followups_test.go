package capstone_test

import (
	"context"
	"iter"
	"sync"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// halfway returns a log on which the contract A is novated into B, and B has not begun: the desk
// died between the cause and its follow-up.
func halfway(t *testing.T) contract.Store {
	t.Helper()
	log := newSystem().Log
	s := over(&dying{log, 2})
	do(t, s, oil("c-1", "A"))
	_, err := s.Do(t.Context(), novate("c-2", "A", "B"))
	require.ErrorIs(t, err, errDied)
	return log
}

func TestCorrectedCauseCorrectsItsFollowUp(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	do(t, s, novate("c-2", "A", "B"))
	do(t, s, restated("c-3", 250))
	b := tradeOf(t, s, "B")
	require.Equal(t, "LIVE 250", string(b.Status)+" "+b.Open.String())
	do(t, s, restated("c-4", 0))
	b = tradeOf(t, s, "B")
	require.Equal(t, "VOIDED 0", string(b.Status)+" "+b.Open.String())
}

func TestFollowUpIsIssuedAfterACrash(t *testing.T) {
	t.Parallel()
	for _, repair := range []string{"sweep", "the same command again"} {
		s := over(halfway(t))
		list := orphaned(t, s)
		require.Len(t, list, 1)
		require.Equal(t, "B", list[0].Command.UTI)
		if repair == "sweep" {
			require.NoError(t, s.FollowUps.Sweep(t.Context()))
		} else {
			do(t, s, novate("c-2", "A", "B"))
		}
		require.Empty(t, orphaned(t, s))
		require.NoError(t, s.FollowUps.Sweep(t.Context()), "a second sweep records nothing twice")
		require.Equal(t, "400", tradeOf(t, s, "B").Open.String())
	}
}

// A change of a cause issues the follow-up that a dead desk left undone BEFORE its own. Otherwise
// the change would be refused for good, and the contract would begin later with its first terms.
func TestChangeIssuesUndoneFollowUpsFirst(t *testing.T) {
	t.Parallel()
	s := over(halfway(t))
	do(t, s, restated("c-3", 250))
	require.Equal(t, "250", tradeOf(t, s, "B").Open.String())
	require.Empty(t, orphaned(t, s))

	s = over(halfway(t))
	do(t, s, latePrice("c-3", "A", "75"))
	require.Equal(t, "75", tradeOf(t, s, "B").Price.String())
	require.Empty(t, orphaned(t, s))
}

// A command whose follow-up would be refused is refused, and nothing is on record of it but the
// refusal. The same outcome comes again when it is sent again.
func TestCauseIsRefusedWithItsFollowUp(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		past []trade.Command
		last trade.Command
		rule trade.Rule
	}{
		"the UTI is taken": {[]trade.Command{oil("c-0", "B"), oil("c-1", "A")},
			novate("c-2", "A", "B"), trade.AlreadyBegun},
		"corrected below what is settled": {[]trade.Command{oil("c-1", "A"),
			novate("c-2", "A", "B"), settle("c-3", "B", 300)}, restated("c-4", 200),
			trade.BreaksLater},
	} {
		s := newSystem()
		for _, cmd := range c.past {
			require.Nil(t, do(t, s, cmd).Refusal, name)
		}
		before := tradeOf(t, s, "A")
		require.Equal(t, c.rule, do(t, s, c.last).Refusal.Rule, name)
		require.True(t, do(t, s, c.last).Again, name)
		require.Equal(t, before, tradeOf(t, s, "A"), name)
		require.Empty(t, orphaned(t, s), name)
	}
}

// taken returns a system on which a race left a pair apart: another desk took the UTI B between
// the decision on the novation of A and its append.
func taken(t *testing.T) *capstone.System {
	t.Helper()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	late := over(&overtaken{s.Log, func() { do(t, s, oil("c-0", "B")) }})
	out := do(t, late, novate("c-2", "A", "B"))
	require.Nil(t, out.Refusal)
	require.Len(t, out.Orphaned, 1, "the outcome holds the refused follow-up")
	require.Equal(t, trade.AlreadyBegun, out.Orphaned[0].Refusal.Rule)
	require.Equal(t, out.Event.ID, out.Orphaned[0].Cause.ID)
	return s
}

// The follow-up of a race's loser is orphaned until the novation is annulled, which voids nothing.
func TestRaceForAUTILeavesAPairApart(t *testing.T) {
	t.Parallel()
	s := taken(t)
	require.Len(t, do(t, s, novate("c-2", "A", "B")).Orphaned, 1, "sent again")
	list := orphaned(t, s)
	require.Len(t, list, 1)
	require.Equal(t, trade.AlreadyBegun, list[0].Refusal.Rule)

	require.Equal(t, trade.UnknownEvent, do(t, s, restated("c-3", 300)).Refusal.Rule)
	require.Nil(t, do(t, s, restated("c-4", 0)).Refusal)
	require.Empty(t, orphaned(t, s))
	require.Equal(t, trade.Live, tradeOf(t, s, "B").Status)
}

// This must hold wherever the desk dies in between.
func TestLatePriceReachesLinkedContracts(t *testing.T) {
	t.Parallel()
	for appends := 2; appends <= 6; appends++ {
		log := newSystem().Log
		story := []trade.Command{
			oil("c-1", "A"), novate("c-2", "A", "B"), novate("c-3", "B", "C"),
			latePrice("c-4", "A", "75"),
		}
		died := over(&dying{log, appends})
		for _, cmd := range story {
			_, _ = died.Do(t.Context(), cmd)
		}
		s := over(log)
		for _, cmd := range story {
			require.Nil(t, do(t, s, cmd).Refusal)
		}
		for _, uti := range []string{"A", "B", "C"} {
			require.Equal(t, "75", tradeOf(t, s, uti).Price.String(), uti)
		}
		require.Empty(t, orphaned(t, s))
		before := end(t, log)
		require.NoError(t, s.FollowUps.Sweep(t.Context()))
		require.Equal(t, before, end(t, log), "the sweep issues nothing twice")
	}
}

// savedCursor is a capstone.SavedCursor in memory.
type savedCursor struct{ contract.Cursor }

func (s *savedCursor) Load() (contract.Cursor, error)    { return s.Cursor, nil }
func (s *savedCursor) Save(cursor contract.Cursor) error { s.Cursor = cursor; return nil }

// A sweep from a saved cursor finds a change, even where the cause lies before the cursor.
func TestSweepIssuesFollowUpsOfALatePrice(t *testing.T) {
	t.Parallel()
	for _, wholeLog := range []bool{true, false} {
		s := newSystem()
		do(t, s, oil("c-1", "A"))
		do(t, s, novate("c-2", "A", "B"))
		if !wholeLog {
			s.FollowUps.SweptTo = &savedCursor{end(t, s.Log)}
		}
		_, err := over(&dying{s.Log, 1}).Do(t.Context(), latePrice("c-3", "A", "75"))
		require.ErrorIs(t, err, errDied)
		require.Len(t, orphaned(t, s), 1)
		require.NoError(t, s.FollowUps.Sweep(t.Context()))
		require.Equal(t, "75", tradeOf(t, s, "B").Price.String())
		require.Empty(t, orphaned(t, s))
	}
}

// reads notes the cursors from which a log was read.
type reads struct {
	contract.Store
	from []contract.Cursor
}

func (s *reads) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	s.from = append(s.from, from)
	return s.Store.Read(ctx, from, to)
}

// A sweep continues at the saved cursor, except where that cursor lies past the end of the log: it
// is the cursor of another log.
func TestSweepContinuesAtTheSavedCursor(t *testing.T) {
	t.Parallel()
	log := &reads{Store: newSystem().Log}
	s, saved := over(log), new(savedCursor)
	s.FollowUps.SweptTo = saved
	do(t, s, oil("c-1", "A"))
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	first := saved.Cursor
	do(t, s, oil("c-2", "B"))
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	require.NotEqual(t, first, saved.Cursor)
	require.Equal(t, []contract.Cursor{nil, first}, log.from)

	other := &reads{Store: newSystem().Log}
	s = over(other)
	s.FollowUps.SweptTo = saved
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	require.Equal(t, []contract.Cursor{nil}, other.from)
}

// settledMeanwhile returns a system on which a race left a pair apart: another desk settled more of
// B than the novation of A comes to, between the decision on its correction and the append.
func settledMeanwhile(t *testing.T) *capstone.System {
	t.Helper()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	do(t, s, novate("c-2", "A", "B"))
	late := over(&overtaken{s.Log, func() { do(t, s, settle("c-3", "B", 300)) }})
	require.Nil(t, do(t, late, restated("c-4", 200)).Refusal)
	return s
}

// A pair that a race left apart is listed until the two contracts match again.
func TestOrphanedIsListedUntilRepaired(t *testing.T) {
	t.Parallel()
	for _, repair := range []string{"restated", "annulled"} {
		s := settledMeanwhile(t)
		require.Equal(t, "200", tradeOf(t, s, "A").Novated.String())
		require.Equal(t, "400", tradeOf(t, s, "B").Contracted.String())
		list := orphaned(t, s)
		require.Len(t, list, 1)
		require.Equal(t, "B", list[0].Command.UTI)
		require.Equal(t, trade.BreaksLater, list[0].Refusal.Rule)
		require.Equal(t, trade.EventID("c-4", 0), list[0].Cause.ID)

		if repair == "annulled" {
			do(t, s, restated("c-5", 0))
		} else {
			less := settle("c-5", "B", 150)
			less.Corrects, less.Approver = trade.EventID("c-3", 0), "control/1"
			require.Nil(t, do(t, s, less).Refusal)
			require.Len(t, orphaned(t, s), 1, "settled less, but not restated")
			require.Nil(t, do(t, s, restated("c-6", 200)).Refusal)
		}
		require.Empty(t, orphaned(t, s), repair)
	}
}

func TestAnnulledCauseVoidsTheWholeChain(t *testing.T) {
	t.Parallel()
	s := newSystem()
	for _, cmd := range []trade.Command{
		oil("c-1", "A"), novate("c-2", "A", "B"), novate("c-3", "B", "C"), restated("c-4", 0),
	} {
		require.Nil(t, do(t, s, cmd).Refusal)
	}
	require.Equal(t, trade.Live, tradeOf(t, s, "A").Status)
	require.Equal(t, trade.Voided, tradeOf(t, s, "B").Status)
	require.Equal(t, trade.Voided, tradeOf(t, s, "C").Status)
	require.Empty(t, orphaned(t, s))
}

// line returns a line with the names that lines.Read gives it; others are the further UTIs in it.
func line(number int, cmd trade.Command, others ...string) lines.Line {
	names := []string{cmd.Stream(), "command/" + cmd.ID}
	for _, uti := range others {
		names = append(names, trade.TradeStream(uti))
	}
	return lines.Line{Number: number, Command: cmd, Names: names}
}

// An import lists the orphaned follow-ups of its lines, except those that a later line repaired.
func TestImportListsItsOrphanedFollowUps(t *testing.T) {
	t.Parallel()
	s := taken(t)
	book := []lines.Line{line(1, oil("c-1", "A")), line(2, novate("c-2", "A", "B"), "B")}
	require.Len(t, imported(t, s, book, 1).Orphaned, 1, "imported again")
	book = append(book, line(3, restated("c-3", 0), "B"))
	require.Empty(t, imported(t, s, book, 1).Orphaned)
}

// lookups notes, for each append to the log, which ids were looked up before.
type lookups struct {
	contract.Store
	mu     sync.Mutex
	ids    map[uuid.UUID]bool
	before map[uuid.UUID]map[uuid.UUID]bool // by the id of the appended event
}

func (s *lookups) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	s.mu.Lock()
	s.ids[id] = true
	s.mu.Unlock()
	return s.Store.Find(ctx, id)
}

func (s *lookups) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	s.mu.Lock()
	seen := map[uuid.UUID]bool{}
	for id := range s.ids {
		seen[id] = true
	}
	s.before[events[0].ID] = seen
	s.mu.Unlock()
	return s.Store.Append(ctx, stream, expected, events...)
}

// A line about a contract waits for an earlier line about a linked contract, even though neither
// names the other: the follow-ups of the earlier line come first, at any width.
func TestLinesOfLinkedContractsKeepTheirOrder(t *testing.T) {
	t.Parallel()
	book := []lines.Line{
		line(1, oil("c-1", "A")), line(2, novate("c-2", "A", "B"), "B"),
		line(3, novate("c-3", "B", "C"), "C"), line(4, latePrice("c-4", "A", "75")),
		line(5, settle("c-5", "C", 100)), line(6, oil("c-6", "D")),
	}
	log := &lookups{
		Store: newSystem().Log, ids: map[uuid.UUID]bool{},
		before: map[uuid.UUID]map[uuid.UUID]bool{},
	}
	imported(t, over(log), book, 16)
	last := uuid.Nil // the last follow-up of line 4
	for e, err := range log.Stream(t.Context(), "trade/C") {
		require.NoError(t, err)
		if e.Corrects != uuid.Nil {
			last = e.ID
		}
	}
	require.NotEqual(t, uuid.Nil, last)
	require.False(t, log.before[last][trade.EventID("c-5", 0)],
		"line 5 waits for all follow-ups of line 4")
}

var _ capstone.SavedCursor = (*savedCursor)(nil)
