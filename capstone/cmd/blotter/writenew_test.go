package main

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAFileIsWrittenWholeAndOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	var all sync.WaitGroup
	results := make([]error, 8)
	for i := range results {
		all.Go(func() { results[i] = writeNew(path, []byte(strings.Repeat(string(rune('a'+i)), 1<<16)), 0o600) })
	}
	all.Wait()
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Len(t, text, 1<<16)
	for i, err := range results {
		if text[0] == byte('a'+i) {
			require.NoError(t, err, "it is what it wrote")
		} else {
			require.ErrorIs(t, err, os.ErrExist)
		}
	}
}
