package capstone_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	replay "example.com/blotter/solutions/4-replay"
	"example.com/blotter/solutions/4-replay/memory"
)

// shared is a read model that another process advances right after its state was read.
type shared struct {
	contract.Projection
	other func()
}

func (s *shared) State(ctx context.Context) (trade.State, error) {
	state, err := s.Projection.State(ctx)
	s.advance()
	return state, err
}

func (s *shared) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		s.Projection.Events(ctx)(yield)
		s.advance()
	}
}

func (s *shared) advance() {
	if other := s.other; other != nil {
		s.other = nil
		other()
	}
}

// The cursor of a snapshot must belong to its state. Otherwise the archive would hold a state that
// no replay up to that cursor can reach.
func TestSnapshotOfASharedReadModel(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Snapshots, s.Replayer = memory.New(), replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine }
	model := s.Projection
	do(t, s, oil("c-1", "A"))
	s.Projection = &shared{model, func() {
		do(t, s, oil("c-2", "B"))
		require.NoError(t, projection.Project(t.Context(), s.Log, model, end(t, s.Log), 10))
	}}
	_, err := s.Snapshot(t.Context(), "month-end")
	require.NoError(t, err)
	replayed, err := s.Replay(t.Context(), "month-end")
	require.NoError(t, err)
	require.Nil(t, replayed.Difference)
	require.EqualValues(t, 2, replayed.Events)
}

// A state in another format differs from a replay, though no event was changed. Replay says so.
func TestSnapshotOfAnotherFormatIsNamed(t *testing.T) {
	t.Parallel()
	s := newSystem()
	archive := memory.New()
	s.Snapshots, s.Replayer = archive, replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine }
	do(t, s, oil("c-1", "A"))
	taken, err := s.Snapshot(t.Context(), "now")
	require.NoError(t, err)
	require.Equal(t, trade.StateFormat, taken.Format)

	old := []byte(`{"trade":{"uti":"A"}}` + "\n")
	taken.Name, taken.Format, taken.State = "old", "blotter/state/v0", old
	taken.Digest = sha256.Sum256(old)
	require.NoError(t, archive.Put(t.Context(), taken.Snapshot))
	record(t, s, taken.Snapshot)
	_, err = s.Replay(t.Context(), "old")
	var other *capstone.FormatError
	require.ErrorAs(t, err, &other)
	require.EqualError(t, err, `snapshot old has a state of format "blotter/state/v0", `+
		`and this program writes "`+trade.StateFormat+`"`)
	require.Contains(t, other.Hint(), "blotter snapshot")
}

// record appends the event that the program of a snapshot recorded.
func record(t *testing.T, s *capstone.System, taken contract.Snapshot) {
	t.Helper()
	payload, err := s.Desk.Codec.Encode(t.Context(), trade.SnapshotTaken{
		Name: taken.Name, Digest: taken.Digest, Format: taken.Format, Cursor: taken.Cursor,
		RecordedThrough: taken.RecordedThrough,
	})
	require.NoError(t, err)
	id := trade.SnapshotID(taken.Name)
	_, err = s.Log.Append(t.Context(), trade.SnapshotStream, contract.Any, contract.Event{
		ID: trade.EventID(id, 0), Stream: trade.SnapshotStream, CommandID: id,
		Type: payload.Type, Schema: payload.Schema, Fingerprint: payload.Fingerprint,
		Data: payload.Data, EffectiveAt: taken.Taken, EnteredAt: taken.Taken,
		Actor: capstone.SnapshotActor, Source: capstone.SnapshotActor, Reason: "an older program",
	})
	require.NoError(t, err)
}

// An archive that lost and found snapshots: the names of lost are gone, and those of other have
// other content.
type tampered struct {
	contract.Snapshots
	lost    []string
	other   map[string]contract.Snapshot
	read    []string // the names of the states that were read
	listing func()   // another process acts before the archive is listed
}

func (a *tampered) Get(ctx context.Context, name string) (contract.Snapshot, error) {
	a.read = append(a.read, name)
	if s, ok := a.other[name]; ok {
		return s, nil
	}
	if slices.Contains(a.lost, name) {
		return contract.Snapshot{}, contract.ErrNoSnapshot
	}
	return a.Snapshots.Get(ctx, name)
}

func (a *tampered) List(ctx context.Context) ([]contract.Snapshot, error) {
	if a.listing != nil {
		a.listing()
	}
	all, err := a.Snapshots.List(ctx)
	for i, s := range all {
		if other, ok := a.other[s.Name]; ok {
			all[i], all[i].State = other, nil
		}
	}
	return slices.DeleteFunc(all, func(s contract.Snapshot) bool {
		return slices.Contains(a.lost, s.Name)
	}), err
}

// withSnapshots returns a system with the snapshots s1 and s2, each after one more event.
func withSnapshots(t *testing.T) (*capstone.System, *tampered) {
	t.Helper()
	s := newSystem()
	archive := &tampered{Snapshots: memory.New(), other: map[string]contract.Snapshot{}}
	s.Snapshots, s.Replayer = archive, replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine.Add(time.Hour) }
	for _, name := range []string{"s1", "s2"} {
		do(t, s, oil("c-"+name, strings.ToUpper(name)))
		_, err := s.Snapshot(t.Context(), name)
		require.NoError(t, err)
	}
	return s, archive
}

// A snapshot is an event of the log, after the archive has it. No state has the event in it.
func TestSnapshotIsOnRecord(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	before, err := s.State(t.Context())
	require.NoError(t, err)
	taken, err := s.Snapshot(t.Context(), "s3")
	require.NoError(t, err)
	require.Equal(t, before.Digest(), taken.Digest)

	var events []contract.Recorded
	for e, err := range s.Log.Stream(t.Context(), trade.SnapshotStream) {
		require.NoError(t, err)
		events = append(events, e)
	}
	require.Len(t, events, 3)
	last := events[2]
	require.Equal(t, "snapshot.taken", last.Type)
	require.Equal(t, capstone.SnapshotActor, last.Actor)
	require.Equal(t, taken.Taken, last.EffectiveAt)
	require.Equal(t, trade.EventID("snapshot/s3", 0), last.ID)
	body, err := s.Desk.Codec.Decode(t.Context(), last.Type, last.Data)
	require.NoError(t, err)
	require.Equal(t, trade.SnapshotTaken{
		Name: "s3", Digest: taken.Digest, Format: trade.StateFormat, Cursor: taken.Cursor,
		RecordedThrough: events[1].RecordedAt,
	}, body)

	again, err := s.Snapshot(t.Context(), "s3")
	require.NoError(t, err, "the same state under the same name")
	require.True(t, again.Unchanged)
	again.Unchanged = false
	require.Equal(t, taken, again)
	after, err := s.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, before.Digest(), after.Digest())
}

// A deleted snapshot does not make Replay take an earlier one. Replay names it, and so does every
// replay of another snapshot.
func TestMissingSnapshotIsNamed(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	r, err := s.Replay(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, "s2", r.Snapshot.Name)
	require.NoError(t, r.Faults)

	archive.lost = []string{"s2"}
	for _, name := range []string{"", "s2"} {
		_, err = s.Replay(t.Context(), name)
		var fault *capstone.SnapshotFault
		require.ErrorAs(t, err, &fault)
		require.EqualError(t, err, "snapshot s2 is on record, but not in the archive")
	}
	r, err = s.Replay(t.Context(), "s1")
	require.NoError(t, err)
	require.Nil(t, r.Difference)
	require.EqualError(t, r.Faults, "snapshot s2 is on record, but not in the archive")
	_, err = s.Snapshot(t.Context(), "s2")
	require.EqualError(t, err, "snapshot s2 is on record, but not in the archive",
		"another state must not take its place")
	_, err = s.Replay(t.Context(), "s9")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
}

// A snapshot with another state, cursor or time than the one on record was replaced.
func TestReplacedSnapshotIsNamed(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	first, err := archive.Get(t.Context(), "s1")
	require.NoError(t, err)
	second, err := archive.Get(t.Context(), "s2")
	require.NoError(t, err)
	for name, change := range map[string]func(*contract.Snapshot){
		"state":  func(c *contract.Snapshot) { c.State, c.Digest = first.State, first.Digest },
		"cursor": func(c *contract.Snapshot) { c.Cursor = first.Cursor },
		"time":   func(c *contract.Snapshot) { c.Taken = c.Taken.Add(time.Microsecond) },
		"known":  func(c *contract.Snapshot) { c.RecordedThrough = first.RecordedThrough },
		"format": func(c *contract.Snapshot) { c.Format = "blotter/state/v0" },
	} {
		changed := second
		change(&changed)
		archive.other["s2"] = changed
		_, err := s.Replay(t.Context(), "")
		const replaced = "snapshot s2 was replaced: " +
			"the archived one is another than the one on record"
		require.EqualError(t, err, replaced, name)
		r, err := s.Replay(t.Context(), "s1")
		require.NoError(t, err)
		require.EqualError(t, r.Faults, replaced, name)
		all, err := s.ListSnapshots(t.Context())
		require.NoError(t, err)
		require.Nil(t, all[0].Fault)
		require.NotNil(t, all[1].Fault, name)
		require.EqualError(t, all[1].Fault, replaced, name)
	}
}

// A list reads no state, and a replay reads one.
func TestReplayReadsOneState(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	archive.read = nil
	_, err := s.ListSnapshots(t.Context())
	require.NoError(t, err)
	require.Empty(t, archive.read)
	_, err = s.Replay(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, []string{"s2"}, archive.read)
}

// A snapshot that another process takes while a list reads the log and the archive is no finding.
func TestSnapshotTakenDuringAList(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	archive.listing = func() {
		archive.listing = nil
		_, err := s.Snapshot(t.Context(), "s3")
		require.NoError(t, err)
	}
	all, err := s.ListSnapshots(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 3)
	for _, l := range all {
		require.True(t, l.Recorded)
		require.Nil(t, l.Fault)
	}
}

// A snapshot that nobody recorded is named, and never the one that Replay takes.
func TestUnrecordedSnapshotIsNamed(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	planted := contract.Snapshot{
		Name: "s3", Taken: nine.AddDate(1, 0, 0), Cursor: contract.Cursor{1},
		Digest: sha256.Sum256(nil), Format: trade.StateFormat,
	}
	require.NoError(t, archive.Put(t.Context(), planted))
	r, err := s.Replay(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, "s2", r.Snapshot.Name)
	require.EqualError(t, r.Faults, "snapshot s3 is in the archive, but not on record")
	_, err = s.Replay(t.Context(), "s3")
	require.EqualError(t, err, "snapshot s3 is in the archive, but not on record")
	_, err = s.Snapshot(t.Context(), "s3")
	require.EqualError(t, err,
		"snapshot s3 is archived but not on record, and does not follow from the log")
}

// A crash between the archive and the log leaves a snapshot that is not on record. The command,
// given again, records it, also after later events.
func TestInterruptedSnapshotIsFinished(t *testing.T) {
	t.Parallel()
	for _, later := range []bool{false, true} {
		s, archive := withSnapshots(t)
		log := s.Log
		s.Desk.Log = &dying{log, 0}
		_, err := s.Snapshot(t.Context(), "s3")
		require.ErrorIs(t, err, errDied)
		r, err := s.Replay(t.Context(), "")
		require.NoError(t, err)
		require.EqualError(t, r.Faults, "snapshot s3 is in the archive, but not on record")

		archived, err := archive.Get(t.Context(), "s3")
		require.NoError(t, err)

		s.Desk.Log = log
		s.Clock = func() time.Time { return nine.Add(2 * time.Hour) }
		if later {
			do(t, s, oil("c-3", "C"))
		}
		taken, err := s.Snapshot(t.Context(), "s3")
		require.NoError(t, err)
		require.Equal(t, archived, taken.Snapshot)
		used, err := s.TimesTo(t.Context(), archived.Cursor)
		require.NoError(t, err)
		require.Equal(t, used, taken.Times)
		require.Equal(t, later, taken.Earlier, "the present state is not archived")
		r, err = s.Replay(t.Context(), "")
		require.NoError(t, err)
		require.NoError(t, r.Faults)
		require.Equal(t, taken.Snapshot, r.Snapshot)
	}
}

// A snapshot that somebody put into the archive gets on record only with a state of the log, and
// with a time at which it can have been taken. The time becomes the time of an event.
func TestPlantedSnapshotIsNotFinished(t *testing.T) {
	t.Parallel()
	nothing := contract.Snapshot{
		State: trade.State{}.Canonical(), Digest: trade.State{}.Digest(), Taken: nine,
	}
	empty := func(s *contract.Snapshot) { *s = nothing }
	year := func(years int) func(*contract.Snapshot) {
		return func(s *contract.Snapshot) { s.Taken = s.Taken.AddDate(years, 0, 0) }
	}
	for _, tc := range []struct {
		name      string
		simulated bool
		change    func(*contract.Snapshot)
	}{
		{"no event", false, empty},
		{"no event, simulated", true, empty},
		{"before its events", false, year(-1)},
		{"in the future", false, year(70)},
		{"after the log, simulated", true, year(1)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			s, archive := withSnapshots(t)
			s.Simulated = tc.simulated
			s.Clock = func() time.Time { return nine.AddDate(2, 0, 0) }
			planted, err := archive.Get(t.Context(), "s2")
			require.NoError(t, err)
			tc.change(&planted)
			planted.Name, planted.Format = "month-end", trade.StateFormat
			require.NoError(t, archive.Put(t.Context(), planted))
			before := end(t, s.Log)
			_, err = s.Snapshot(t.Context(), "month-end")
			require.EqualError(t, err, "snapshot month-end is archived but not on record, "+
				"and does not follow from the log")
			require.Equal(t, before, end(t, s.Log), "nothing was recorded")
		})
	}
}

// The clock of the log may be ahead of this machine's. No snapshot is older than its events.
func TestSnapshotIsNotBeforeItsEvents(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	s.Clock = func() time.Time { return nine.AddDate(-1, 0, 0) }
	taken, err := s.Snapshot(t.Context(), "s3")
	require.NoError(t, err)
	require.Equal(t, taken.RecordedThrough, taken.Taken)
}

// A foreign event in the stream of snapshots is named, and stops no command.
func TestForeignSnapshotEventIsNamed(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	var events []contract.Recorded
	for r, err := range s.Log.Read(t.Context(), nil, end(t, s.Log)) {
		require.NoError(t, err)
		events = append(events, r)
	}
	for i, of := range []string{trade.TradeStream("S1"), trade.SnapshotStream} {
		foreign := events[slices.IndexFunc(events, func(r contract.Recorded) bool {
			return r.Stream == of
		})].Event
		foreign.ID, foreign.Stream = uuid.UUID{0xff, byte(i)}, trade.SnapshotStream
		_, err := s.Log.Append(t.Context(), foreign.Stream, contract.Any, foreign)
		require.NoError(t, err)
	}
	const named = "stream snapshots has a foreign event at position 0/4\n" +
		"stream snapshots has a foreign event at position 0/5"
	_, err := s.Snapshot(t.Context(), "s3")
	require.NoError(t, err)
	for _, name := range []string{"", "s1"} {
		r, err := s.Replay(t.Context(), name)
		require.NoError(t, err)
		require.Nil(t, r.Difference)
		require.EqualError(t, r.Faults, named)
	}
	_, err = s.Replay(t.Context(), "s9")
	require.ErrorIs(t, err, contract.ErrNoSnapshot)
	all, err := s.CheckSnapshots(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 5)
	require.Contains(t, all[4].Fault.Hint(), "find the program that appended it")
}

// An event of the stream of snapshots that cannot be decoded is a fault until it is skipped.
func TestSkippedSnapshotEventIsNoFault(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	var cut contract.Event
	for r, err := range s.Log.Stream(t.Context(), trade.SnapshotStream) {
		require.NoError(t, err)
		cut = r.Event
	}
	cut.ID, cut.CommandID, cut.Data = uuid.UUID{0xff}, "cut", cut.Data[:len(cut.Data)-1]
	_, err := s.Log.Append(t.Context(), cut.Stream, contract.Any, cut)
	require.NoError(t, err)
	r, err := s.Replay(t.Context(), "s1")
	require.NoError(t, err)
	require.ErrorContains(t, r.Faults, "foreign event")

	found, err := s.Parked(t.Context(), end(t, s.Log))
	require.NoError(t, err)
	require.Len(t, found, 1)
	_, err = s.Skip(t.Context(), capstone.Skip{Stream: cut.Stream, Version: found[0].Version,
		Actor: "ops/1", Approver: "ops/2", Reason: "a stray"})
	require.NoError(t, err)
	for _, name := range []string{"", "s1"} {
		r, err := s.Replay(t.Context(), name)
		require.NoError(t, err)
		require.NoError(t, r.Faults)
	}
	found, err = s.Parked(t.Context(), end(t, s.Log))
	require.NoError(t, err)
	require.Empty(t, found)
	_, err = s.Snapshot(t.Context(), "s3")
	require.NoError(t, err)
}

// A snapshot of a simulated log is taken at the log's last time. The machine's time would move the
// clock of the log, and all later events with it.
func TestSnapshotOfASimulatedLog(t *testing.T) {
	t.Parallel()
	s := newSystem()
	s.Snapshots, s.Replayer, s.Simulated = memory.New(), replay.New(s.Desk.Codec), true
	s.Clock = func() time.Time { return nine.AddDate(5, 0, 0) }
	_, err := s.Snapshot(t.Context(), "empty")
	require.ErrorIs(t, err, capstone.ErrNothingRecorded)
	first := do(t, s, oil("c-1", "A"))
	taken, err := s.Snapshot(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, first.Event.RecordedAt, taken.Taken)
	require.Equal(t, first.Event.RecordedAt, taken.RecordedThrough)
	next := do(t, s, novate("c-2", "A", "B"))
	require.Equal(t, nine.Add(time.Hour), next.Event.RecordedAt)
}

// A counting codec counts the events that it decodes.
type counting struct {
	contract.Codec
	decoded int
}

func (c *counting) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	c.decoded++
	return c.Codec.Decode(ctx, typ, data)
}

// The times of an answer from all events before a cursor name it, and count the future.
func TestTimesToACursor(t *testing.T) {
	t.Parallel()
	s := newSystem()
	codec := &counting{Codec: s.Desk.Codec}
	do(t, s, oil("c-0", "Z"))
	do(t, s, oil("c-1", "A"))
	ahead := latePrice("c-2", "A", "71")
	ahead.EffectiveAt = nine.AddDate(0, 1, 0)
	last := do(t, s, ahead)
	to := end(t, s.Log)
	do(t, s, oil("c-3", "B"))
	s.Desk.Codec = codec
	used, err := s.TimesTo(t.Context(), to)
	require.NoError(t, err)
	require.Equal(t, 2, codec.decoded, "only the stream that has a future is decoded")
	require.Equal(t, capstone.Times{
		AsOf: trade.AsOf{Known: last.Event.RecordedAt}, Cursor: to, Later: 1,
	}, used)
}

// A replay of a part folds the events of one contract, or compares the lines of one book. It does
// not see a difference elsewhere.
func TestReplayOfAPart(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	r, err := s.ReplayPart(t.Context(), "s2", capstone.Part{UTI: "S1"})
	require.NoError(t, err)
	require.Nil(t, r.Difference)
	require.EqualValues(t, 1, r.Events)
	r, err = s.ReplayPart(t.Context(), "s2", capstone.Part{Book: "CRUDE"})
	require.NoError(t, err)
	require.Nil(t, r.Difference)
	for _, none := range []capstone.Part{{UTI: "S2"}, {Book: "GAS"}} {
		_, err = s.ReplayPart(t.Context(), "s1", none)
		require.ErrorIs(t, err, capstone.ErrNoPart, "%s", none)
	}

	wrong, err := archive.Get(t.Context(), "s2")
	require.NoError(t, err)
	wrong.State = bytes.Replace(wrong.State, []byte(`"S2","status":"LIVE"`),
		[]byte(`"S2","status":"SETTLED"`), 1)
	archive.other["s2"] = wrong
	for part, differs := range map[capstone.Part]bool{
		{}: true, {UTI: "S1"}: false, {UTI: "S2"}: true, {Book: "CRUDE"}: true,
	} {
		r, err = s.ReplayPart(t.Context(), "s2", part)
		require.NoError(t, err)
		require.Equal(t, differs, r.Difference != nil, "%s", part)
	}
}

// A replay against all snapshots goes on after one that is lost, or has another format.
func TestReplayAgainstAllSnapshots(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	old, err := archive.Get(t.Context(), "s2")
	require.NoError(t, err)
	old.Name, old.Format = "s3", "blotter/state/v0"
	require.NoError(t, archive.Put(t.Context(), old))
	record(t, s, old)
	archive.lost = []string{"s1"}
	var got []string
	for r, err := range s.ReplayAll(t.Context()) {
		require.Nil(t, r.Difference)
		got = append(got, fmt.Sprintf("%s %d %v", r.Snapshot.Name, r.Events, err))
	}
	require.Equal(t, []string{
		"s1 0 snapshot s1 is on record, but not in the archive",
		"s2 3 <nil>",
		`s3 0 snapshot s3 has a state of format "blotter/state/v0", ` +
			`and this program writes "` + trade.StateFormat + `"`,
	}, got)
}
