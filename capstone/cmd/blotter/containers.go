package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
)

// containerStack is the real parts, for as long as the command runs. What they stored stays with the log, unless the log goes too.
func (a *app) containerStack() stack.Stack {
	return containers.New(containers.Options{
		Dir: filepath.Join(a.cli.Data, "containers"), Temporary: a.temporary, Compatible: compatible,
		Log: func(line string) { fmt.Fprintln(a.stderr, line) },
	})
}

// testEnv is the environment of the tests. They share one set of containers, and find it as an external stack: so each of
// their many processes need not start its own.
func (a *app) testEnv(ctx context.Context) ([]string, error) {
	if a.cli.Stack != "containers" {
		return os.Environ(), nil
	}
	dir, err := os.MkdirTemp("", "blotter-test-")
	if err != nil {
		return nil, err
	}
	a.onClose(func() error { return os.RemoveAll(dir) })
	a.cli.Data, a.temporary = dir, true
	if err := a.openStack(); err != nil {
		return nil, err
	}
	env, err := stack.Environment(ctx, a.stack)
	return append(append(os.Environ(), "STACK=external", "BLOTTER_CONTAINERS=1"), env...), err
}
