package proof_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Whoever does not verify but asks or writes is told of a hole in a history too, as soon as that history is read from the log.
func TestNoAnswerIsGivenFromAHistoryWithAHole(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		store string
		says  map[string]string // by command
	}{
		{"kafka", map[string]string{
			"history":  "the log is damaged at position {second}: {stream} has version 2 here, want 1",
			"position": "{stream} goes on with version 2 at position {second}, want 1",
			"import":   "the log is damaged at position {second}: {stream} has version 2 here, want 1",
		}},
		{"postgres", map[string]string{
			"history":  "stream {stream}: the log is damaged: version 2 follows 0",
			"position": "the log is damaged at position {first}: no event is there any more",
		}},
	} {
		t.Run(tc.store, func(t *testing.T) {
			t.Parallel()
			s := setScene(t, tc.store)
			first, second := s.twoOfOneTrade()
			in := s.enter(t)
			in.restore()
			in.remove(first.at)
			in.commit()
			in.leave()
			// What was read before the hole was made is beside the log, and would answer: it goes, and is made anew.
			require.NoError(t, os.RemoveAll(filepath.Join(s.data, "index")))
			for command, says := range tc.says {
				args := map[string][]string{
					"history":  {"history", strings.TrimPrefix(first.stream, "trade/")},
					"position": {"position"},
					"import":   {"import", "--simulate", "../books/first.jsonl"},
				}[command]
				r := s.run(args...)
				want := strings.NewReplacer("{stream}", first.stream, "{first}", first.at.String(), "{second}", second.at.String()).Replace(says)
				require.Contains(t, r.complaint(), want, command)
				require.Equal(t, 1, r.code)
			}
			require.Contains(t, s.run("verify").complaint(), "the log does not verify: position "+first.at.String())
		})
	}
}

// twoOfOneTrade is the first two events of a trade.
func (s *scene) twoOfOneTrade() (first, second event) {
	for i, e := range s.sealed {
		if !strings.HasPrefix(e.stream, "trade/") {
			continue
		}
		if j := slices.IndexFunc(s.sealed[i+1:], func(later event) bool { return later.stream == e.stream }); j >= 0 {
			return e, s.sealed[i+1+j]
		}
	}
	panic("no trade of the book has two events")
}
