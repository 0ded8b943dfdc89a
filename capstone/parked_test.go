package capstone_test

import (
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
