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

// The commands that the capstone's page gives for chaos run as they stand, and find nothing.
func TestTheChaosOfTheReadmeRuns(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	require.NoError(t, err)
	commands := shell(string(text), "./blotter ")
	require.NotEmpty(t, commands)
	var script strings.Builder
	for _, command := range commands {
		require.Contains(t, command, " chaos ")
		fmt.Fprintf(&script, "exec blotter%s\nstdout 'verdict +linearizable'\n", command)
	}
	file := filepath.Join(t.TempDir(), "chaos.txtar")
	require.NoError(t, os.WriteFile(file, []byte(script.String()), 0o644))
	runScripts(t, file)
}

// lossy is this program, but for its writers: now and then one of them acknowledges what it does not record.
func lossy() {
	if len(os.Args) < 2 || os.Args[1] != "chaos-writer" {
		main()
		return
	}
	log, err := openAsWriter(context.Background())
	if err == nil {
		err = chaos.Serve(context.Background(), &forgetful{Log: log}, os.Stdin, os.Stdout)
	}
	os.Exit(complain(os.Stderr, err))
}

type forgetful struct {
	chaos.Log
	appends atomic.Int64
}

func (f *forgetful) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if expected == contract.Any || f.appends.Add(1)%5 != 0 {
		return f.Log.Append(ctx, stream, expected, events...)
	}
	var receipts []contract.Receipt
	for i := range events {
		receipts = append(receipts, contract.Receipt{Version: expected + int64(i) + 1, RecordedAt: time.Now()})
	}
	return receipts, nil
}
