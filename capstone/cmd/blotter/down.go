package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	"example.com/blotter/labs/kit/stack"
)

type downCmd struct{}

// Run stops the process that keeps the stack, and returns once every file of it is closed.
func (c *downCmd) Run(ctx context.Context, a *app) error {
	if err := a.keepsStack(); err != nil {
		return err
	}
	at, up, err := stack.FindKept(a.stackDir())
	if err != nil {
		return err
	}
	if !up {
		return a.showDown("no stack is up for %s\n", a.cli.Data)
	}
	keeper, err := os.FindProcess(at.PID)
	if err == nil {
		err = keeper.Signal(syscall.SIGTERM)
	}
	if err != nil {
		return fmt.Errorf("stop process %d: %w", at.PID, err)
	}
	if err := a.awaitDown(ctx, at.PID); err != nil {
		return err
	}
	return a.showDown("the stack of %s is down\n", a.cli.Data)
}

func (a *app) showDown(format string, args ...any) error {
	if a.cli.JSON {
		return asJSON(a.stdout, map[string]any{"up": false})
	}
	fmt.Fprintf(a.stdout, format, args...)
	return nil
}

// awaitDown waits until the keeper has given the folder's lock back, which is the last thing it does.
func (a *app) awaitDown(ctx context.Context, pid int) error {
	const patience = 30 * time.Second
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		holder, err := stack.Holder(a.stackDir())
		if err != nil || holder != pid {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return &failure{fmt.Sprintf("process %d was told to stop and has not", pid), "see " + a.keeperLog()}
		}
	}
}
