package check_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

// TestSample is not a test: TestReport runs it in a process of its own.
func TestSample(t *testing.T) {
	if os.Getenv(check.Graded) == "" {
		t.Skip("a part of TestReport")
	}
	check.Run(t, check.Suite{Checks: []check.Check{
		{ID: "L0.1", Func: func(t check.T) { t.Answered("add", nil) }},
		{ID: "L0.2", Func: func(t check.T) { t.Errorf("drawn: %d", t.Seed()) }},
		{ID: "L0.3", Func: func(t check.T) {
			t.Answered("add", nil)
			<-t.Context().Done()
		}},
	}})
}

// A graded run leaves each verdict in the file of its order, and then its end. Its checks have the
// seed and the limit of the order. An order that cannot be read fails the run.
func TestReport(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report")
	require.NoError(t, os.WriteFile(path, nil, 0o600))
	order, err := json.Marshal(check.Order{Nonce: "n", Seed: 7, Report: path, Limit: 1e8})
	require.NoError(t, err)
	sample := func(order string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestSample$")
		cmd.Env = append(os.Environ(), check.Graded+"=1")
		cmd.Stdin = strings.NewReader(order)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	_, err = sample(string(order))
	require.Error(t, err)
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	records := map[string]check.Record{}
	for line := range strings.Lines(string(text)) {
		var r check.Record
		require.NoError(t, json.Unmarshal([]byte(line), &r))
		require.Equal(t, "n", r.Nonce)
		records[r.ID] = r
	}
	require.Equal(t, check.Passed, records["L0.1"].Outcome)
	require.Contains(t, records["L0.2"].Text, "drawn: 7")
	require.True(t, records["L0.3"].Hung)
	require.Equal(t, 3, records[""].Ended)

	out, err := sample("no order")
	require.Error(t, err)
	require.Contains(t, out, "read the order of the grader")
}
