package main

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
	snapshots "example.com/blotter/solutions/4-replay/memory"
)

// A resumed replay states the events that it did not read again.
func TestResumedReplayNamesEarlierEvents(t *testing.T) {
	t.Parallel()
	for earlier, want := range map[int64]string{
		0: "replayed 30 events from the log: equal to s2, byte for byte",
		20: "replayed 30 events, of which 20 were folded earlier and not read again: " +
			"equal to s2, byte for byte",
		30: "replayed 30 events, of which 30 were folded earlier and not read again: " +
			"equal to s2, byte for byte",
	} {
		r := capstone.Replayed{Events: 30}
		require.Equal(t, want, equalTo(r, earlier, "s2"))
	}
	require.Equal(t, "replayed 1 event from s1 on: equal to s2, byte for byte",
		equalTo(capstone.Replayed{Events: 1, From: "s1"}, 0, "s2"))
}

func TestMissingSnapshotNamesTheLatest(t *testing.T) {
	t.Parallel()
	s := capstone.New(logs.New(contract.SimulatedClock), codec.Offline(), "test")
	s.Snapshots = snapshots.New()
	err := noSnapshot(t.Context(), s, "nope", contract.ErrNoSnapshot)
	require.EqualError(t, err, "there is no snapshot to replay against")
	require.Equal(t, "take one: blotter snapshot", hintOf(err))
	for day := range 12 {
		require.NoError(t, s.Snapshots.Put(t.Context(), contract.Snapshot{
			Name: fmt.Sprintf("day-%d", day), Taken: time.Unix(int64(day), 0),
			Digest: sha256.Sum256(nil),
		}))
	}
	err = noSnapshot(t.Context(), s, "nope", contract.ErrNoSnapshot)
	require.EqualError(t, err, `there is no snapshot "nope"`)
	require.Equal(t,
		"the latest of 12 snapshots: "+
			"day-11, day-10, day-9, day-8, day-7, day-6, day-5, day-4, day-3, day-2",
		hintOf(err))
}
