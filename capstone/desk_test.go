package capstone_test

import (
	"context"
	"iter"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

func TestRepeatedCommandGetsRecordedOutcome(t *testing.T) {
	t.Parallel()
	s := newSystem()
	first := do(t, s, oil("c-1", "A"))
	require.False(t, first.Again)
	again := do(t, s, oil("c-1", "A"))
	require.True(t, again.Again)
	require.Equal(t, first.Event.ID, again.Event.ID)
	require.Equal(t, first.Event.RecordedAt, again.Event.RecordedAt)
}

// A recorded refusal stays, even where the command would be legal by now.
func TestRecordedRefusalStays(t *testing.T) {
	t.Parallel()
	s := newSystem()
	early := novate("c-2", "A", "B")
	require.Equal(t, trade.NotBegun, do(t, s, early).Refusal.Rule)
	do(t, s, oil("c-1", "A"))
	out := do(t, s, early) // would be legal now
	require.True(t, out.Again)
	require.Equal(t, trade.NotBegun, out.Refusal.Rule)
	require.Equal(t, "refused/A", out.Event.Stream)
}

// An event keeps the entry of its command: time, id, file and line. A follow-up keeps the time of
// entry of its cause.
func TestEventKeepsItsEntry(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	cause := novate("c-2", "A", "B")
	cause.Source, cause.SourceLine = "day.jsonl", 7
	e := do(t, s, cause).Event
	require.Equal(t, cause.EnteredAt, e.EnteredAt)
	require.Equal(t, []any{"c-2", "day.jsonl", int64(7)},
		[]any{e.CommandID, e.Source, e.SourceLine})
	followUps := 0
	for followUp, err := range s.Log.Stream(t.Context(), "trade/B") {
		require.NoError(t, err)
		require.Equal(t, cause.EnteredAt, followUp.EnteredAt)
		require.Equal(t, e.ID, followUp.Causation)
		followUps++
	}
	require.Equal(t, 1, followUps)
}

// A refusal keeps the command as it was sent: its line reads as the same command.
func TestRefusalKeepsTheCommand(t *testing.T) {
	t.Parallel()
	s := newSystem()
	sent := novate("c-1", "A", "B")
	e := do(t, s, sent).Event
	body, err := s.Desk.Codec.Decode(t.Context(), e.Type, e.Data)
	require.NoError(t, err)
	refused := body.(trade.CommandRefused)
	require.Equal(t, string(trade.NotBegun), refused.Rule)
	require.Contains(t, refused.Line, `"new_uti":"B"`)
	var read []string
	for line, err := range lines.Read(strings.NewReader(refused.Line)) {
		require.NoError(t, err)
		read = append(read, line.Command.ID+" "+line.Command.UTI)
		require.Equal(t, sent.Digest(), line.Command.Digest())
	}
	require.Equal(t, []string{"c-1 A"}, read)
}

// Nothing follows a void: the desk refuses it, and so does the store, for every writer.
func TestVoidEndsTheStream(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	void := command("c-2", "A", trade.Cancel{Kind: trade.Void})
	last := do(t, s, void).Event
	require.True(t, last.Ends)
	late := last.Event
	late.ID, late.Ends = trade.EventID("another-writer", 0), false
	_, err := s.Log.Append(t.Context(), late.Stream, contract.Any, late)
	ended := new(contract.EndedError)
	require.ErrorAs(t, err, &ended)
	require.Equal(t, contract.EndedError{Stream: "trade/A", Version: 2}, *ended)
	require.Equal(t, trade.IsVoided, do(t, s, novate("c-3", "A", "B")).Refusal.Rule)
	require.True(t, do(t, s, void).Again)
}

func TestCommandIDWithOtherContentIsAnError(t *testing.T) {
	t.Parallel()
	for says, first := range map[string]trade.Command{
		"which was accepted: use a new id":                      oil("c-1", "A"),
		"which was refused (lifecycle.not-begun): use a new id": novate("c-1", "A", "B"),
	} {
		s := newSystem()
		do(t, s, first)
		_, err := s.Do(t.Context(), oil("c-1", "OTHER"))
		var reused *capstone.ReusedCommandError
		require.ErrorAs(t, err, &reused)
		require.Equal(t, `command_id "c-1" is on record with other content, `+says, reused.Error())
	}
}

// A curve keeps the currency of its first mark, or of that mark's correction while there is only
// one mark. It does not matter which desk is asked, or how many marks there are.
func TestCurveIsMarkedInOneCurrency(t *testing.T) {
	t.Parallel()
	first := newSystem()
	second := over(first.Log)
	mark := func(id string, currency trade.Currency) trade.Command {
		return command(id, "", trade.PriceMarked{
			Curve: "oil/BRENT", Currency: currency,
			Points: []trade.Point{{Delivery: period("2025-06"), Price: trade.Dec("70")}},
		})
	}
	corrected := mark("c-2", "USD")
	corrected.Corrects = trade.EventID("c-1", 0)
	for _, cmd := range []trade.Command{
		mark("c-1", "EUR"), corrected, mark("c-3", "USD"), mark("c-4", "USD"), mark("c-5", "USD"),
	} {
		require.Nil(t, do(t, first, cmd).Refusal, cmd.ID)
	}
	for i, s := range []*capstone.System{first, second, second} {
		euros, dollars := mark("d-"+strconv.Itoa(i), "EUR"), mark("e-"+strconv.Itoa(i), "USD")
		require.Equal(t, trade.OtherCurrency, do(t, s, euros).Refusal.Rule)
		require.Nil(t, do(t, s, dollars).Refusal)
	}
}

func TestFollowUpIDsAreReserved(t *testing.T) {
	t.Parallel()
	s := newSystem()
	_, err := s.Do(t.Context(), oil("follow-up/"+trade.EventID("c-2", 0).String(), "B"))
	require.ErrorIs(t, err, capstone.ErrReserved)
	require.Zero(t, end(t, s.Log).At(0), "nothing is recorded")
}

// overtaken is a store that calls other before its first append: after the desk has looked for the
// command and decided it.
type overtaken struct {
	contract.Store
	other func()
}

func (s *overtaken) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

// The second desk finds no contract and is about to refuse the command. Meanwhile the first desk
// records the contract, and accepts the command.
func TestTwoDesksRecordOneOutcome(t *testing.T) {
	t.Parallel()
	first := newSystem()
	late := novate("c-2", "A", "B")
	second := over(&overtaken{first.Log, func() {
		do(t, first, oil("c-1", "A"))
		do(t, first, late)
	}})
	out := do(t, second, late)
	require.True(t, out.Again)
	require.Nil(t, out.Refusal)
}

// streams counts the reads of each stream.
type streams struct {
	contract.Store
	reads map[string]int
}

func (s *streams) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	s.reads[stream]++
	return s.Store.Stream(ctx, stream)
}

// The follow-ups of a command are derived from the history that the desk has decided against.
func TestCommandReadsEachStreamOnce(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	log := &streams{Store: s.Log, reads: map[string]int{}}
	s = over(log)
	do(t, s, novate("c-2", "A", "B"))
	require.Equal(t, map[string]int{"trade/A": 1, "trade/B": 1}, log.reads)
	require.Equal(t, "400", tradeOf(t, s, "B").Open.String())
}

func TestFollowUpIsRecordedAfterItsCause(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	cause := do(t, s, novate("c-2", "A", "B")).Event
	b := tradeOf(t, s, "B")
	require.Equal(t, "A", b.PriorUTI)
	require.Equal(t, "NEWCO", b.Counterparty)
	require.Equal(t, "400", b.Open.String())
	for e, err := range s.Log.Stream(t.Context(), trade.TradeStream("B")) {
		require.NoError(t, err)
		require.Equal(t, cause.ID, e.Causation)
		require.Equal(t, cause.Correlation, e.Correlation)
		require.Equal(t, cause.RecordedAt.Add(time.Microsecond), e.RecordedAt,
			"recorded right after its cause, not at its effective time")
	}
}

// An event that another writer appended, and that the rules forbid, parks its stream and nothing
// else: a command to it is refused, and all other commands and follow-ups go on.
func TestDeskRefusesOnlyTheParkedStream(t *testing.T) {
	t.Parallel()
	s := newSystem()
	for _, cmd := range []trade.Command{oil("c-1", "A"), novate("c-2", "A", "B"), oil("c-3", "C")} {
		require.Nil(t, do(t, s, cmd).Refusal)
	}
	forged := do(t, s, settle("c-4", "B", 100)).Event.Event
	payload, err := s.Desk.Codec.Encode(t.Context(), settle("", "", 5000).Body)
	require.NoError(t, err)
	forged.ID, forged.CommandID, forged.Actor = trade.EventID("forged", 0), "forged", "intruder/1"
	forged.Data = payload.Data
	_, err = s.Log.Append(t.Context(), "trade/B", contract.Any, forged)
	require.NoError(t, err)

	out := do(t, s, settle("c-5", "B", 10))
	require.Equal(t, trade.IsParked, out.Refusal.Rule)
	require.Contains(t, out.Refusal.Detail, `its version 3 by "intruder/1"`)
	require.Contains(t, out.Refusal.Detail, forged.ID.String())
	require.Equal(t, "refused/B", out.Event.Stream)
	require.Equal(t, trade.IsParked, do(t, s, restated("c-6", 300)).Refusal.Rule,
		"its follow-up goes to the parked stream")
	require.Nil(t, do(t, s, settle("c-7", "A", 10)).Refusal)
	require.Nil(t, do(t, s, novate("c-8", "C", "D")).Refusal)
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	require.Empty(t, orphaned(t, s))
}

// A real-time log refuses a command that was entered more than a minute after its clock, and takes
// one that a clock slightly ahead has stamped. The refusal stays the outcome of this command.
func TestEntryInTheFutureIsRefused(t *testing.T) {
	t.Parallel()
	s := newSystem()
	now := nine
	s.Desk.Now = func() time.Time { return now }
	early, skewed := oil("c-1", "A"), oil("c-2", "B")
	early.EnteredAt = nine.Add(time.Minute + time.Microsecond)
	skewed.EnteredAt = nine.Add(time.Minute)
	require.Nil(t, do(t, s, skewed).Refusal)
	refused := do(t, s, early)
	require.EqualError(t, refused.Refusal, "refused: entry.in-future: "+
		"entered_at is 2025-01-06T09:01:00.000001Z, and the log's clock shows 2025-01-06T09:00:00Z")
	require.Equal(t, "refused/A", refused.Event.Stream)
	now = nine.Add(time.Hour)
	again := do(t, s, early)
	require.True(t, again.Again)
	require.Equal(t, refused.Refusal, again.Refusal)
}

// A clock that is set back does not refuse the follow-up of a recorded event.
func TestFollowUpNeedsNoClock(t *testing.T) {
	t.Parallel()
	s := newSystem()
	now := nine.Add(24 * time.Hour)
	s.Desk.Now = func() time.Time { return now }
	do(t, s, oil("c-1", "A"))
	s.Log = &dying{s.Log, 1}
	s.Desk.Log = s.Log
	_, err := s.Do(t.Context(), novate("c-2", "A", "B"))
	require.ErrorIs(t, err, errDied)
	now = nine
	s.Log.(*dying).appends = 1
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	missing, err := s.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Empty(t, missing)
}
