package e2e_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// Writers are killed, stalled and replaced under load, on each store. Where there is a container
// engine, the real broker and the real database are used too, and killed as well. The judge's
// findings are printed, with the command that repeats the run.
func TestChaosHistoryIsLinearizable(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	kills := 50
	if testing.Short() {
		kills = 5
	}
	stacks := []string{"embedded"}
	if stacktest.HasEngine() {
		stacks = append(stacks, "containers")
	}
	for _, stack := range stacks {
		for _, store := range []string{"kafka", "postgres"} {
			t.Run(stack+", "+store, func(t *testing.T) {
				t.Parallel()
				runChaos(t, stack, store, kills)
			})
		}
	}
}

func runChaos(t *testing.T, stack, store string, kills int) {
	t.Helper()
	history := filepath.Join(t.TempDir(), "history.jsonl")
	cmd := exec.Command(program(t), "--stack", stack, "--store", store, "--json", "chaos",
		"--kills", fmt.Sprint(kills), "--seed", fmt.Sprint(*seed), "--history", history)
	cmd.Env = os.Environ()
	cmd.Stderr = logger{t}
	out, err := cmd.Output()
	require.NoError(t, err, "%s", out)
	var verdict struct {
		Answer struct {
			Counts struct{ Kills, Stalls, Replaced, Late, Acknowledged, Events, Fed int }
		}
	}
	require.NoError(t, json.Unmarshal(out, &verdict), "%s", out)
	n := verdict.Answer.Counts
	require.GreaterOrEqual(t, n.Kills, kills)
	require.Positive(t, n.Stalls)
	require.Positive(t, n.Replaced)
	require.Positive(t, n.Late)
	require.Positive(t, n.Acknowledged)
	require.Equal(t, n.Events, n.Fed)
	t.Logf("%+v", n)
}

// logger writes the output of a process to the log of a test.
type logger struct{ t *testing.T }

func (l logger) Write(text []byte) (int, error) {
	l.t.Logf("%s", text)
	return len(text), nil
}
