package main

import (
	"context"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"example.com/blotter/labs/kit/stack"
)

// downAll ends the stacks that a script has left up, however it ended.
func downAll(workDir string) {
	dirs, _ := filepath.Glob(filepath.Join(workDir, "*", "stack"))
	hidden, _ := filepath.Glob(filepath.Join(workDir, ".*", "stack"))
	for _, dir := range append(dirs, hidden...) {
		if at, up, err := stack.FindKept(dir); err == nil && up {
			if keeper, err := os.FindProcess(at.PID); err == nil {
				keeper.Signal(syscall.SIGTERM)
			}
		}
	}
}

func standingOf(ts *testscript.TestScript, data string) stack.Kept {
	at, up, err := stack.FindKept(filepath.Join(ts.MkAbs(data), "stack"))
	ts.Check(err)
	if !up {
		ts.Fatalf("no stack is up for %s", data)
	}
	return at
}

// external names the stack that is up for a data folder in the variables of the external one.
func external(ts *testscript.TestScript, _ bool, args []string) {
	at := standingOf(ts, args[0])
	for name, value := range map[string]string{
		"STACK":                 "external",
		"BLOTTER_KAFKA_BROKERS": at.Kafka[0],
		"BLOTTER_POSTGRES_DSN":  at.Postgres,
		"BLOTTER_S3_ENDPOINT":   at.S3.Endpoint,
		"BLOTTER_S3_REGION":     at.S3.Region,
		"BLOTTER_S3_ACCESS_KEY": at.S3.AccessKey,
		"BLOTTER_S3_SECRET_KEY": at.S3.SecretKey,
		"BLOTTER_S3_SECURE":     strconv.FormatBool(at.S3.Secure),
		"BLOTTER_REGISTRY_URL":  at.Registry,
	} {
		ts.Setenv(name, value)
	}
}

// killKeeper ends the process that keeps a stack in the way that leaves it no time for anything. It returns once that is gone: while it dies, its
// stack is still found, and does not answer any more.
func killKeeper(ts *testscript.TestScript, _ bool, args []string) {
	keeper, err := os.FindProcess(standingOf(ts, args[0]).PID)
	ts.Check(err)
	ts.Check(keeper.Kill())
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		_, up, err := stack.FindKept(filepath.Join(ts.MkAbs(args[0]), "stack"))
		ts.Check(err)
		if !up {
			return
		}
		if time.Now().After(deadline) {
			ts.Fatalf("process %d was killed and is there after a minute", keeper.Pid)
		}
	}
}

// sql runs a statement in the database of a stack that is up: what no command does.
func sql(ts *testscript.TestScript, _ bool, args []string) {
	ctx := context.Background()
	conn, err := pgx.Connect(ctx, standingOf(ts, args[0]).Postgres)
	ts.Check(err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, args[1])
	ts.Check(err)
}

// hold keeps the lock that a file stands for until the script ends, as another process would.
func hold(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Dir(path), 0o711))
	release, err := stack.Lock(path)
	ts.Check(err)
	ts.Defer(func() { release() })
}
