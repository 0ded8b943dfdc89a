package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/labs/kit/contract"
)

// The chaos commands of the capstone's page run, and find no violation. Every other command of the
// page is in a script.
func TestReadmeChaosCommands(t *testing.T) {
	t.Parallel()
	var script, scripts strings.Builder
	files, err := filepath.Glob("testdata/script/*.txtar")
	require.NoError(t, err)
	for _, file := range files {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		scripts.Write(text)
	}
	for _, command := range shellLines(t, "../../README.md", "./blotter ") {
		if !strings.Contains(command, " chaos ") {
			require.Contains(t, scripts.String(), "\nexec blotter "+command+"\n")
			continue
		}
		fmt.Fprintf(&script, "exec blotter %s\nstdout 'verdict +linearizable'\n", command)
	}
	require.NotEmpty(t, script.String())
	runScript(t, script.String())
}

// lossy is this program, except for its writers: they acknowledge some appends without recording
// them.
func lossy() {
	if len(os.Args) < 2 || os.Args[1] != "chaos-writer" {
		main()
		return
	}
	log, err := openAsWriter(context.Background())
	if err == nil {
		err = chaos.Serve(context.Background(), &forgetful{Log: log}, os.Stdin, os.Stdout)
	}
	os.Exit(complain(os.Stderr, false, err))
}

type forgetful struct {
	chaos.Log
	appends atomic.Int64
}

func (f *forgetful) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if expected == contract.Any || f.appends.Add(1)%5 != 0 {
		return f.Log.Append(ctx, stream, expected, events...)
	}
	var receipts []contract.Receipt
	for i := range events {
		r := contract.Receipt{Version: expected + int64(i) + 1, RecordedAt: time.Now()}
		receipts = append(receipts, r)
	}
	return receipts, nil
}
