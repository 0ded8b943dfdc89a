package capstone_test

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
	replay "example.com/blotter/solutions/4-replay"
	snapshots "example.com/blotter/solutions/4-replay/memory"
)

// records is the archive of a log: its events in batches.
type records []contract.Recorded

func (r records) Records(_ context.Context, each func(contract.SealedRecords) error) error {
	number := int64(0)
	for events := range slices.Chunk(r, 20) {
		number++
		if err := each(contract.SealedRecords{Number: number, Events: events}); err != nil {
			return err
		}
	}
	return nil
}

// archived returns a log in real time with some lines of the sample book, and its archive.
func archived(t *testing.T, lines int) (*capstone.System, capstone.Restore) {
	t.Helper()
	clock := time.Date(2025, 5, 1, 9, 0, 0, 0, time.UTC)
	log := memory.New(func(context.Context) time.Time {
		clock = clock.Add(time.Millisecond)
		return clock
	})
	s := over(log)
	imported(t, s, sample(t)[:lines], 1)
	var all records
	for r, err := range log.Read(t.Context(), nil, end(t, log)) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return s, capstone.Restore{
		Archive: all, Actor: "ops/1", Approver: "control/1", Reason: "the broker is gone",
		Checkpoint: contract.Checkpoint{Origin: "old.example", Size: 99, Root: [32]byte{7}},
	}
}

// leavesOf returns the leaves of a log but for those of restores.
func leavesOf(t *testing.T, log contract.Reader) (all []string) {
	t.Helper()
	for r, err := range log.Read(t.Context(), nil, end(t, log)) {
		require.NoError(t, err)
		if r.Stream != trade.BackfillStream {
			all = append(all, string(r.Leaf()))
		}
	}
	return all
}

// restoring returns a system over the log of a restore.
func restoring(log contract.Store) *capstone.System {
	s := over(log)
	s.Snapshots, s.Replayer = snapshots.New(), replay.New(s.Desk.Codec)
	return s
}

func empty() *memory.Store { return memory.New(contract.SimulatedClock) }

func noProgress(int) {}

// A restored log has the same leaves and the same state as the lost one, and a last event that says
// who restored it, why, and from which signed root. The desk goes on in it.
func TestRestoredLogsAreTheSame(t *testing.T) {
	t.Parallel()
	old, r := archived(t, len(sample(t)))
	want, err := old.State(t.Context())
	require.NoError(t, err)
	s := restoring(empty())
	counted := 0
	done, err := s.Restore(t.Context(), r, func(n int) { counted += n })
	require.NoError(t, err)
	require.Equal(t, len(r.Archive.(records)), done.Events)
	require.Equal(t, done.Events, counted)
	require.Equal(t, leavesOf(t, old.Log), leavesOf(t, s.Log))
	got, err := s.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, want.Digest(), got.Digest())

	last, err := s.Log.Find(t.Context(), trade.EventID(trade.RestoreID([32]byte{7}), 0))
	require.NoError(t, err)
	require.EqualValues(t, done.Events, last.Position.Offset)
	require.Equal(t, [3]string{"ops/1", "control/1", "the broker is gone"},
		[3]string{last.Actor, last.Approver, last.Reason})
	for n, ev := range r.Archive.(records) {
		require.True(t, last.RecordedAt.After(ev.RecordedAt), n)
	}
	out := do(t, s, oil("after", "UTI-AFTER"))
	require.Nil(t, out.Refusal)
}

// The events of an append to several streams are appended together again: each has the time of the
// others, and a part of them would be another append.
func TestRestoresKeepAppendsTogether(t *testing.T) {
	t.Parallel()
	_, r := archived(t, 20)
	log, model := empty(), r.Archive.(records)[0].Event
	for n := range 10 {
		var appends []contract.StreamAppend
		for i, stream := range []string{"journal/main/1", "account/main/1", "account/main/2"} {
			e := model
			e.Stream, e.AppendGroup = stream, uuid.Nil
			e.ID = uuid.NewSHA1(model.ID, []byte(fmt.Sprint(n, stream)))
			other := e
			other.ID = uuid.NewSHA1(e.ID, nil)
			appends = append(appends, contract.StreamAppend{
				Stream: stream, Expected: int64(n * (1 + i%2)),
				Events: []contract.Event{e, other}[:1+i%2],
			})
		}
		at := contract.At(t.Context(), nine.Add(time.Duration(n)*time.Second))
		_, err := log.AppendAll(at, appends)
		require.NoError(t, err)
	}
	var all records
	for ev, err := range log.Read(t.Context(), nil, end(t, log)) {
		require.NoError(t, err)
		all = append(all, ev)
	}
	require.Len(t, all, 40)
	r.Archive = all // its batches of 20 events hold whole appends
	restored := empty()
	for range 2 {
		_, err := restoring(restored).Restore(t.Context(), r, noProgress)
		require.NoError(t, err)
		require.Equal(t, leavesOf(t, log), leavesOf(t, restored))
	}
	_, err := restoring(struct{ contract.Store }{empty()}).Restore(t.Context(), r, noProgress)
	require.ErrorContains(t, err, "the store of the new log cannot do that")
}

// The table of crashes: after each number of appends the process dies, and the next one continues.
// The log is the same as without a crash, and a Restore that is done changes nothing.
func TestRestoresContinueAfterACrash(t *testing.T) {
	t.Parallel()
	_, r := archived(t, 60)
	r.Archive = r.Archive.(records)[:50]
	log := empty()
	for n := range 51 {
		dies := &dying{log, n} // all that came before is on record, and is appended again
		_, err := restoring(dies).Restore(t.Context(), r, noProgress)
		require.ErrorIs(t, err, errDied)
	}
	s := restoring(log)
	for range 2 {
		_, err := s.Restore(t.Context(), r, noProgress)
		require.NoError(t, err)
		require.Len(t, leavesOf(t, log), 50)
		require.Equal(t, contract.Cursor{51}, end(t, log))
	}
}

// A log that cannot become the one of the archive is refused, and the refusal names the event.
func TestRestoresRefuseAnotherLog(t *testing.T) {
	t.Parallel()
	_, r := archived(t, 60)
	all := r.Archive.(records)
	other := all[3]
	other.Stream, other.RecordedAt = "trade/other", all[0].RecordedAt.Add(-time.Millisecond)
	later := all[0]
	later.Schema = 99
	conflicting := all[0]
	conflicting.ID[0]++
	for name, tc := range map[string]struct {
		before  []contract.Recorded // on record, each at its recorded time
		archive records
		clock   contract.Clock
		want    string
	}{
		"an event more": {[]contract.Recorded{other}, all[:3], nil,
			"which is not in the archive"},
		"another event of a stream": {[]contract.Recorded{conflicting}, all, nil,
			"is at version 1"},
		"a later time": {nil, all, func(context.Context) time.Time { return nine },
			"recorded at"},
		"times out of order": {nil, records{all[1], all[0]}, nil,
			"the new log gives it"},
		"a schema of a later program": {nil, records{later}, nil,
			"version 99, which is not in the catalog of this program"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clock := contract.Clock(contract.SimulatedClock)
			if tc.clock != nil {
				clock = tc.clock
			}
			log := memory.New(clock)
			for _, ev := range tc.before {
				ctx := contract.At(t.Context(), ev.RecordedAt)
				_, err := log.Append(ctx, ev.Stream, 0, ev.Event)
				require.NoError(t, err)
			}
			r := r
			r.Archive = tc.archive
			_, err := restoring(log).Restore(t.Context(), r, noProgress)
			require.ErrorContains(t, err, tc.want)
		})
	}
}

// An unfaithful store answers each append, and then lacks or changes an event.
type unfaithful struct {
	*memory.Store
	bend func(*contract.Recorded) (kept bool)
}

func (u unfaithful) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range u.Store.Read(ctx, from, to) {
			if (err != nil || u.bend(&r)) && !yield(r, err) {
				return
			}
		}
	}
}

// A store that loses or changes an event of a restore is found, and the error names the position
// that the event had. The log gets no statement that it was restored.
func TestRestoresNameLostEvents(t *testing.T) {
	t.Parallel()
	_, r := archived(t, 60)
	all := r.Archive.(records)
	for _, at := range []int{0, 7, len(all) - 3} {
		lost := all[at]
		for want, bend := range map[string]func(*contract.Recorded) bool{
			"lacks 1 of the archive's events; the first one is ": func(ev *contract.Recorded) bool {
				return ev.ID != lost.ID
			},
			"lacks 3 of the archive's events; the first one is ": func(ev *contract.Recorded) bool {
				return ev.ID != lost.ID && ev.ID != all[at+1].ID && ev.ID != all[at+2].ID
			},
			"another leaf than the archive, ": func(ev *contract.Recorded) bool {
				if ev.ID == lost.ID {
					ev.Reason += "!"
				}
				return true
			},
		} {
			log := unfaithful{empty(), bend}
			_, err := restoring(log).Restore(t.Context(), r, noProgress)
			require.ErrorContains(t, err, want)
			require.ErrorContains(t, err, "event "+lost.ID.String())
			require.Regexp(t, `archive(, which)? has( it)? at `+lost.Position.String()+"$",
				err.Error())
			require.Equal(t, contract.Cursor{int64(len(all))}, end(t, log.Store), "no statement")
		}
	}
}

// A restore needs two principals and a reason, before anything is written.
func TestRestoresNeedTwoPrincipals(t *testing.T) {
	t.Parallel()
	_, r := archived(t, 60)
	for _, bad := range []capstone.Restore{
		{Approver: "control/1", Reason: "x"}, {Actor: "ops/1", Approver: "ops/1", Reason: "x"},
		{Actor: "ops/1", Approver: "control/1"},
	} {
		bad.Archive = r.Archive
		log := empty()
		_, err := restoring(log).Restore(t.Context(), bad, noProgress)
		var refused *capstone.RestoreError
		require.ErrorAs(t, err, &refused)
		require.Equal(t, contract.Cursor{0}, end(t, log))
	}
}

// The snapshots of a lost log have cursors of other positions: after a restore they count no more,
// and the same state is archived under another name.
func TestSnapshotsBeginAgainAfterARestore(t *testing.T) {
	t.Parallel()
	old, r := archived(t, 60)
	old.Snapshots = snapshots.New()
	before, err := old.Snapshot(t.Context(), "")
	require.NoError(t, err)
	var all records
	for ev, err := range old.Log.Read(t.Context(), nil, end(t, old.Log)) {
		require.NoError(t, err)
		all = append(all, ev)
	}
	r.Archive = all
	s := restoring(empty())
	_, err = s.Restore(t.Context(), r, noProgress)
	require.NoError(t, err)
	after, err := s.Snapshot(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, before.Digest, after.Digest)
	require.Equal(t, before.Name+"-r1", after.Name)
	replayed, err := s.Replay(t.Context(), after.Name)
	require.NoError(t, err)
	require.Nil(t, replayed.Difference)
	listed, err := s.CheckSnapshots(t.Context())
	require.NoError(t, err)
	require.Len(t, listed, 1)
}
