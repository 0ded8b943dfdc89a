// Package gradetest compares the scores of wrong answers with a golden file. The tests of the
// solutions use it.
package gradetest

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/cmd/lab/grade"
	"example.com/blotter/labs/kit/check"
)

// Scores are the scores of wrong answers of a lab. The zero value is empty. Its methods are safe
// for use by many goroutines.
type Scores struct {
	mu    sync.Mutex
	lines map[string]string
}

// Add scores a wrong answer that fails the checks with the IDs lost:
//
//	believes any proof: 46/51, bonus 5/5, without L5.4 L5.12
func (s *Scores) Add(name string, suites []check.Suite, lost []string) {
	lost = slices.Compact(slices.Sorted(slices.Values(lost)))
	got := grade.Without(suites, lost)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.lines == nil {
		s.lines = map[string]string{}
	}
	s.lines[name] = fmt.Sprintf("%s: %d/%d, bonus %d/%d, without %s\n", name, got.Earned, got.Of,
		got.Bonus, got.BonusOf, strings.Join(lost, " "))
}

// Compare compares all scores with testdata/wrong/scores.txt, or rewrites it.
func (s *Scores) Compare(t *testing.T, update bool) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", "scores.txt")
	var got strings.Builder
	for _, name := range slices.Sorted(maps.Keys(s.lines)) {
		got.WriteString(s.lines[name])
	}
	if update {
		require.NoError(t, os.WriteFile(file, []byte(got.String()), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got.String(), "%s: rewrite it with -update", file)
}
