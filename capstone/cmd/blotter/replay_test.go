package main

import (
	"crypto/sha256"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	snapshots "example.com/blotter/solutions/4-replay/memory"
)

func TestMissingSnapshotNamesTheLatest(t *testing.T) {
	t.Parallel()
	archive := snapshots.New()
	err := noSnapshot(t.Context(), archive, "nope")
	require.EqualError(t, err, `there is no snapshot "nope"`)
	require.Equal(t, "take one: blotter snapshot", hintOf(err))
	for day := range 12 {
		require.NoError(t, archive.Put(t.Context(), contract.Snapshot{
			Name: fmt.Sprintf("day-%d", day), Taken: time.Unix(int64(day), 0),
			Digest: sha256.Sum256(nil),
		}))
	}
	require.Equal(t,
		"the latest of 12 snapshots: "+
			"day-11, day-10, day-9, day-8, day-7, day-6, day-5, day-4, day-3, day-2",
		hintOf(noSnapshot(t.Context(), archive, "nope")))
}
