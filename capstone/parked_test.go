package capstone_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
	replay "example.com/blotter/solutions/4-replay"
	snapshots "example.com/blotter/solutions/4-replay/memory"
)

// Another writer appends events of one stream to others, past the desk. Nothing stops: imports go
// on, the read model equals a fold, a replay equals a snapshot, and every parked stream is found in
// the log.
func TestForeignEventsStopNothing(t *testing.T) {
	t.Parallel()
	parked := 0
	rapid.Check(t, func(t *rapid.T) {
		s := newSystem()
		s.Snapshots, s.Replayer = snapshots.New(), replay.New(s.Desk.Codec)
		book := randomLines(t, 40)
		half := len(book) / 2
		importAny(t, s, book[:half])
		_, err := s.Snapshot(t.Context(), "before")
		require.True(t, err == nil || errors.Is(err, capstone.ErrNothingRecorded), err)
		for i := range 4 {
			intrude(t, s, i)
		}
		importAny(t, s, book[half:])
		_, err = s.FollowUps.Orphaned(t.Context())
		require.NoError(t, err)
		taken, err := s.Snapshot(t.Context(), "now")
		require.NoError(t, err)
		replayed, err := s.Replay(t.Context(), "now")
		require.NoError(t, err)
		require.Nil(t, replayed.Difference)
		found, err := s.Parked(t.Context(), taken.Cursor)
		require.NoError(t, err)
		_, basis, err := s.StateAsOf(t.Context(), trade.AsOf{})
		require.NoError(t, err)
		require.Len(t, found, len(basis.Parked))
		for i, p := range found {
			require.Equal(t, basis.Parked[i], p.Parked)
			require.Equal(t, p.Event, p.Illegal.ID)
			require.Equal(t, p.Actor, p.Illegal.Actor)
		}
		parked += len(found)
	})
	require.Positive(t, parked)
}

// A curve is parked, too: its marks before the illegal event count, and a desk that opens the log
// afterwards refuses another mark.
func TestMarkOfAParkedCurveIsRefused(t *testing.T) {
	t.Parallel()
	s := newSystem()
	marked := func(id, price string) trade.Command {
		cmd := command(id, "", trade.PriceMarked{Curve: "oil/BRENT", Currency: "USD",
			Points: []trade.Point{{Delivery: period("2025-06"), Price: trade.Dec(price)}}})
		cmd.UTI = ""
		return cmd
	}
	for i, price := range []string{"70", "71", "72"} {
		require.Nil(t, do(t, s, marked(fmt.Sprint("m-", i), price)).Refusal)
	}
	stray := do(t, s, marked("m-3", "73")).Event.Event
	stray.ID, stray.CommandID, stray.Corrects = uuid.UUID{0xff}, "forged", uuid.Max
	_, err := s.Log.Append(t.Context(), stray.Stream, contract.Any, stray)
	require.NoError(t, err)

	later := over(s.Log)
	out := do(t, later, marked("m-4", "74"))
	require.Equal(t, trade.IsParked, out.Refusal.Rule)
	state, err := later.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, "73", state.Curves["oil/BRENT"].Points[period("2025-06")].Price.String())
	require.Len(t, state.Parked, 1)
	require.EqualValues(t, 5, state.Parked[0].Version)
}

// An event that cannot be decoded parks its own stream, in any stream. The desk, the read model, a
// snapshot and a replay go on. While the registry does not answer, nothing is parked: each of them
// stops with its error.
func TestUnreadableEventStopsOnlyItsStream(t *testing.T) {
	t.Parallel()
	registry := &unanswering{Codec: codec.Offline()}
	log := memory.New(contract.SimulatedClock)
	s := capstone.New(log, registry, "test")
	s.Projection, s.Project = readmodel.New(registry), projection.Project
	s.AsOf, s.Snapshots, s.Replayer = projection.AsOf, snapshots.New(), replay.New(registry)
	good := do(t, s, oil("c-1", "A")).Event.Event
	for i, stream := range []string{"trade/A", "refused/A", trade.SnapshotStream, "elsewhere"} {
		e := good
		e.ID, e.CommandID, e.Stream = uuid.UUID{0xff, byte(i)}, fmt.Sprint("cut-", i), stream
		e.Data = e.Data[:len(e.Data)-1]
		_, err := log.Append(t.Context(), stream, contract.Any, e)
		require.NoError(t, err)
	}
	require.Nil(t, do(t, s, oil("c-2", "B")).Refusal)
	require.Equal(t, trade.IsParked, do(t, s, settle("c-3", "A", 9)).Refusal.Rule)
	taken, err := s.Snapshot(t.Context(), "now")
	require.NoError(t, err)
	replayed, err := s.Replay(t.Context(), "now")
	require.NoError(t, err)
	require.Nil(t, replayed.Difference)
	require.ErrorContains(t, replayed.Faults, "foreign event")
	state, err := s.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, "2000", state.Positions[0].Quantity.String())
	found, err := s.Parked(t.Context(), taken.Cursor)
	require.NoError(t, err)
	require.Len(t, found, 4)
	for _, p := range found {
		require.Equal(t, trade.IsUnreadable, p.Rule)
		require.Contains(t, p.Detail, contract.ErrTruncated.Error())
	}

	registry.away = true
	_, err = s.Parked(t.Context(), taken.Cursor)
	require.ErrorIs(t, err, errUnanswered)
	_, err = s.Desk.Do(t.Context(), settle("c-4", "A", 9))
	require.ErrorIs(t, err, errUnanswered)
	_, err = s.Replay(t.Context(), "now")
	require.ErrorIs(t, err, errUnanswered)
}

// An older program parks a stream with an event that it cannot decode. With a later one, retry
// applies the events that waited, in order, and the read model is that of a fold.
func TestRetryAppliesTheEventsThatWaited(t *testing.T) {
	t.Parallel()
	older := &outdated{Codec: codec.Offline(), old: true}
	s := capstone.New(memory.New(contract.SimulatedClock), older, "test")
	s.Projection, s.Project = readmodel.New(older), projection.Project
	retry := func(stream string) capstone.Retried {
		r, err := s.Retry(t.Context(), stream, func(ctx context.Context) error {
			s.Projection = readmodel.New(older)
			return s.CatchUp(ctx, s.Projection)
		})
		require.NoError(t, err)
		return r
	}
	later := capstone.New(s.Log, &outdated{Codec: codec.Offline()}, "test")
	later.Projection, later.Project = readmodel.New(later.Desk.Codec), projection.Project
	for _, cmd := range []trade.Command{
		oil("c-1", "A"), settle("c-2", "A", 100), settle("c-3", "A", 200), oil("c-4", "B"),
	} {
		require.Nil(t, do(t, later, cmd).Refusal)
	}
	r := retry("trade/A")
	require.Equal(t, trade.IsUnreadable, r.Parked.Rule)
	require.Equal(t, capstone.Retried{Stream: "trade/A", Waiting: 2, Parked: r.Parked}, r)

	older.old = false
	require.Equal(t, capstone.Retried{Stream: "trade/A", Applied: 2}, retry("trade/A"))
	require.Equal(t, capstone.Retried{Stream: "trade/B"}, retry("trade/B"))
	got, err := s.State(t.Context())
	require.NoError(t, err)
	want, err := later.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(want.Canonical()), string(got.Canonical()))
	_, err = s.Retry(t.Context(), "trade/C", nil)
	require.ErrorIs(t, err, contract.ErrNotFound)
}

// A program finds commands on record that a later program decided, and cannot decode their events.
// An accepted command stays accepted, so nobody sends it again with a new id. A refused one stays
// refused, for a rule that it cannot read. A follow-up on record is not orphaned.
func TestUnreadableOutcomeStays(t *testing.T) {
	t.Parallel()
	older := &outdated{Codec: codec.Offline(), old: true}
	log := memory.New(contract.SimulatedClock)
	later := capstone.New(log, &outdated{Codec: older.Codec}, "test")
	s := capstone.New(log, older, "test")
	accepted, refused := settle("s-2", "S", 100), settle("s-3", "S", 5000)
	do(t, later, oil("s-1", "S"))
	require.Nil(t, do(t, later, accepted).Refusal)
	require.Equal(t, trade.Exceeds, do(t, later, refused).Refusal.Rule)
	do(t, later, oil("c-1", "A"))
	do(t, later, novate("c-2", "A", "B"))
	require.Empty(t, do(t, later, restated("c-3", 0)).Orphaned) // and B is voided

	require.Empty(t, do(t, s, restated("c-3", 0)).Orphaned)
	again := do(t, s, accepted)
	require.True(t, again.Again)
	require.Nil(t, again.Refusal)
	require.Equal(t, trade.IsUnreadable, do(t, s, refused).Refusal.Rule)
	n, err := s.Import(t.Context(), each([]lines.Line{
		{Number: 1, Command: accepted}, {Number: 2, Command: refused},
	}), func(capstone.Result) {})
	require.NoError(t, err)
	require.Equal(t, []int{2, 1, 1}, []int{n.Again, n.Accepted, n.Refused})
	var reused *capstone.ReusedCommandError
	_, err = s.Do(t.Context(), settle("s-2", "S", 101))
	require.ErrorAs(t, err, &reused)
	require.Empty(t, reused.Refused)
}

// A novation waits after an event that an older program cannot decode, and sweeps pass both. Retry
// with a later program issues its follow-up, once.
func TestRetryIssuesFollowUps(t *testing.T) {
	t.Parallel()
	registry := &outdated{Codec: codec.Offline(), old: true}
	s := capstone.New(memory.New(contract.SimulatedClock), registry, "test")
	s.Projection, s.Project = readmodel.New(registry), projection.Project
	s.FollowUps.SweptTo = &savedCursor{}
	do(t, s, oil("c-1", "A"))
	force(t, s, settle("i-1", "A", 100))
	force(t, s, novate("i-2", "A", "B"))
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	registry.old = false
	require.NoError(t, s.FollowUps.Sweep(t.Context()))
	missing, err := s.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 1)

	for range 2 {
		_, err := s.Retry(t.Context(), "trade/A", func(context.Context) error {
			s.Projection = readmodel.New(registry)
			return nil
		})
		require.NoError(t, err)
		missing, err = s.FollowUps.Orphaned(t.Context())
		require.NoError(t, err)
		require.Empty(t, missing)
	}
	state, err := s.State(t.Context())
	require.NoError(t, err)
	require.Len(t, state.Trades, 2)
	end, err := s.Log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{4}, end)
}

// The NEW of B was entered by hand while the novation of A waited. Retry names the follow-up that
// is refused.
func TestRetryNamesRefusedFollowUps(t *testing.T) {
	t.Parallel()
	registry := &outdated{Codec: codec.Offline(), old: true}
	s := capstone.New(memory.New(contract.SimulatedClock), registry, "test")
	s.Projection, s.Project = readmodel.New(registry), projection.Project
	do(t, s, oil("c-1", "A"))
	force(t, s, settle("i-1", "A", 100))
	force(t, s, novate("i-2", "A", "B"))
	do(t, s, oil("c-2", "B"))
	registry.old = false
	r, err := s.Retry(t.Context(), "trade/A", func(context.Context) error { return nil })
	require.NoError(t, err)
	require.Len(t, r.Orphaned, 1)
	require.Equal(t, trade.AlreadyBegun, r.Orphaned[0].Refusal.Rule)
}

// A later program reads the event that parks a stream, and the model still has the rows of an
// older one. No snapshot archives them, even if the stream stays parked by another rule. Retry
// replaces the model, and then a replay equals a snapshot.
func TestStaleParkedRowIsRefused(t *testing.T) {
	t.Parallel()
	for quantity, left := range map[int64]trade.Rule{100: "", 5000: trade.Exceeds} {
		registry := &outdated{Codec: codec.Offline(), old: true}
		s := capstone.New(memory.New(contract.SimulatedClock), registry, "test")
		s.Projection, s.Project = readmodel.New(registry), projection.Project
		s.Snapshots, s.Replayer = snapshots.New(), replay.New(registry)
		do(t, s, oil("c-1", "A"))
		force(t, s, settle("i-1", "A", quantity))
		_, err := s.Snapshot(t.Context(), "cut")
		require.NoError(t, err, "the older program reads no more than that")

		registry.old = false
		_, err = s.Snapshot(t.Context(), "stale")
		var stale *capstone.StaleError
		require.ErrorAs(t, err, &stale)
		require.Equal(t, trade.IsUnreadable, stale.Rule)
		require.Contains(t, stale.Hint(), "blotter parked retry trade/A")
		rows, err := s.Stale(t.Context())
		require.NoError(t, err)
		require.Len(t, rows, 1)

		r, err := s.Retry(t.Context(), "trade/A", func(context.Context) error {
			s.Projection = readmodel.New(registry)
			return nil
		})
		require.NoError(t, err)
		if r.Parked != nil {
			require.Equal(t, left, r.Parked.Rule)
		} else {
			require.Empty(t, left)
		}
		_, err = s.Snapshot(t.Context(), "mended")
		require.NoError(t, err)
		replayed, err := s.Replay(t.Context(), "mended")
		require.NoError(t, err)
		require.Nil(t, replayed.Difference)
	}
}

// ops/1 skips the event that parks a stream, with the approval of ops/2. The events that waited
// count, and their follow-ups are issued. The read model equals a fold, a replay equals a snapshot
// from before and one from after, and as known before the skip the stream is parked.
func TestSkipLeavesTheIllegalEventOut(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Snapshots, s.Replayer = snapshots.New(), replay.New(s.Desk.Codec)
	do(t, s, oil("c-1", "A"))
	force(t, s, settle("i-1", "A", 5000))
	force(t, s, novate("i-2", "A", "B"))
	force(t, s, settle("i-3", "A", 601)) // one more than is left after i-2
	force(t, s, settle("i-4", "A", 100))
	_, err := s.Snapshot(t.Context(), "before")
	require.NoError(t, err)
	skip := func(version int64) (capstone.SkippedEvent, error) {
		return s.Skip(t.Context(), capstone.Skip{
			Stream: "trade/A", Version: version, Actor: "ops/1", Approver: "ops/2",
			Reason: "the sender withdrew it",
		})
	}

	done, err := skip(2)
	require.NoError(t, err)
	require.Equal(t, 1, done.Applied)
	require.Equal(t, 2, done.Waiting)
	require.EqualValues(t, 4, done.Parked.Version)
	again, err := skip(2)
	require.NoError(t, err)
	require.Equal(t, done.Event.ID, again.Event.ID, "it is recorded once")
	done, err = skip(4)
	require.NoError(t, err)
	require.Equal(t, capstone.Retried{Stream: "trade/A", Applied: 1}, done.Retried)
	require.Empty(t, done.Orphaned)
	require.Equal(t, "ops/2", done.Event.Approver)
	require.Equal(t, "the sender withdrew it", done.Event.Reason)

	state, err := s.State(t.Context())
	require.NoError(t, err)
	require.Empty(t, state.Parked)
	require.Len(t, state.Skipped, 2)
	require.Equal(t, []string{"500", "400"}, []string{
		state.Trades[0].Open.String(), state.Trades[1].Open.String(),
	})
	require.Empty(t, mismatches(t, s))
	orphaned, err := s.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Empty(t, orphaned)
	require.Nil(t, do(t, s, settle("c-5", "A", 1)).Refusal)
	for _, name := range []string{"before", "after"} {
		_, err = s.Snapshot(t.Context(), "after")
		require.NoError(t, err)
		replayed, err := s.Replay(t.Context(), name)
		require.NoError(t, err)
		require.Nil(t, replayed.Difference, name)
	}
}

// A skip is refused without a second principal, without a reason, for another event than the one
// that parks the stream, and in a stream that is not parked or has ended. Nothing is recorded.
func TestSkipIsRefused(t *testing.T) {
	t.Parallel()
	s := newSystem()
	do(t, s, oil("c-1", "A"))
	force(t, s, settle("i-1", "A", 5000))
	do(t, s, oil("c-2", "B"))
	force(t, s, command("i-2", "C", trade.Cancel{Kind: trade.Void}))
	for name, k := range map[string]capstone.Skip{
		"cannot approve":      {"trade/A", 2, "ops/1", "ops/1", "r"},
		"is no principal":     {"trade/A", 2, "ops/1", "", "r"},
		"no printable text":   {"trade/A", 2, "ops/1", "ops/2", ""},
		"version 2 is":        {"trade/A", 1, "ops/1", "ops/2", "r"},
		"B is not parked":     {"trade/B", 1, "ops/1", "ops/2", "r"},
		"NONE is not parked":  {"trade/NONE", 1, "ops/1", "ops/2", "r"},
		"trade/C has ended: ": {"trade/C", 1, "ops/1", "ops/2", "r"},
	} {
		before, err := s.Log.End(t.Context())
		require.NoError(t, err)
		_, err = s.Skip(t.Context(), k)
		var refused *capstone.SkipError
		require.ErrorAs(t, err, &refused, name)
		require.ErrorContains(t, err, name)
		require.NotEmpty(t, refused.Hint())
		after, err := s.Log.End(t.Context())
		require.NoError(t, err)
		require.Equal(t, before, after, name)
	}
}

// force appends the event of a command past the desk.
func force(t *testing.T, s *capstone.System, cmd trade.Command) {
	t.Helper()
	payload, err := s.Desk.Codec.Encode(t.Context(), cmd.Body)
	require.NoError(t, err)
	cancel, _ := cmd.Body.(trade.Cancel)
	_, err = s.Log.Append(contract.At(t.Context(), cmd.EnteredAt), cmd.Stream(), contract.Any,
		contract.Event{
			ID: trade.EventID(cmd.ID, 0), Stream: cmd.Stream(), Type: payload.Type,
			Schema: payload.Schema, Fingerprint: payload.Fingerprint, EffectiveAt: cmd.EnteredAt,
			EnteredAt: cmd.EnteredAt, Actor: "intruder", Reason: cmd.Reason, CommandID: cmd.ID,
			Source: "elsewhere", Ends: cancel.Kind == trade.Void, Data: payload.Data,
		})
	require.NoError(t, err)
}

func mismatches(t *testing.T, s *capstone.System) []trade.Mismatch {
	t.Helper()
	_, basis, err := s.StateAsOf(t.Context(), trade.AsOf{})
	require.NoError(t, err)
	return basis.Mismatches
}

// outdated is a codec that gives some types a later schema, and does not know it while it is old.
type outdated struct {
	contract.Codec
	old bool
}

var changedTypes = []string{"trade.settled", "trade.cancelled", "command.refused"}

func (o *outdated) Encode(ctx context.Context, body trade.Body) (contract.Payload, error) {
	p, err := o.Codec.Encode(ctx, body)
	if slices.Contains(changedTypes, p.Type) {
		p.Schema = 99
	}
	return p, err
}

func (o *outdated) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	if o.old && slices.Contains(changedTypes, typ) {
		return nil, contract.ErrUnknownSchema
	}
	return o.Codec.Decode(ctx, typ, data)
}

// unanswering is a codec whose registry does not answer while it is away.
type unanswering struct {
	contract.Codec
	away bool
}

var errUnanswered = errors.New("the registry does not answer")

func (u *unanswering) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	if u.away {
		return nil, errUnanswered
	}
	return u.Codec.Decode(ctx, typ, data)
}

// randomLines returns those of n random lines that can be read.
func randomLines(t *rapid.T, n int) (book []lines.Line) {
	for i := range n {
		text, err := json.Marshal(anyLine(t, i))
		require.NoError(t, err)
		if line, err := lines.Parse(i+1, text); err == nil {
			book = append(book, line)
		}
	}
	return book
}

// intrude appends an event on record again, as another event and to a random stream.
func intrude(t *rapid.T, s *capstone.System, i int) {
	end, err := s.Log.End(t.Context())
	require.NoError(t, err)
	var all []contract.Recorded
	for r, err := range s.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		all = append(all, r)
	}
	if len(all) == 0 {
		return
	}
	any := rapid.IntRange(0, len(all)-1)
	e := all[any.Draw(t, "event")].Event
	e.ID, e.Ends = uuid.UUID{0xff, byte(i)}, false
	e.CommandID, e.Actor, e.Source = e.ID.String(), "intruder", "elsewhere"
	e.Stream = all[any.Draw(t, "target")].Stream
	over := func(r contract.Recorded) bool { return r.Stream == e.Stream && r.Ends }
	if slices.ContainsFunc(all, over) {
		return // no writer adds to a stream that has ended
	}
	_, err = s.Log.Append(t.Context(), e.Stream, contract.Any, e)
	require.NoError(t, err)
}
