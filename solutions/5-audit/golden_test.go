package audit_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	audit "example.com/blotter/solutions/5-audit"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "%s: a change of this format makes every sealed log unverifiable", path)
}

// The formats are for ever: what was sealed years ago must verify.
func TestArchivedBytesAreThoseOfTheGoldenFiles(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(2), new(audit.Memory)
	log.Add(3)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	log.Add(2)
	_, err = open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)

	for object, file := range map[string]string{
		"batches/000000000000":     "batch-1.jsonl",
		"batches/000000000004":     "batch-2.jsonl",
		"checkpoints/000000000004": "checkpoint-4.txt",
		"checkpoints/000000000007": "checkpoint-7.txt",
	} {
		data, err := archive.Get(t.Context(), object)
		require.NoError(t, err)
		golden(t, file, data)
	}
	proof, err := open(t, log, archive).Prove(context.Background(), log.Events()[2])
	require.NoError(t, err)
	golden(t, "event.tlog-proof", proof)
}
