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

// Run stops the process that keeps the stack, and returns once all its files are closed.
func (c *downCmd) Run(ctx context.Context, a *app) error {
	if err := a.checkKeeps(); err != nil {
		return err
	}
	at, up, err := stack.FindKept(a.stackDir())
	if err != nil {
		return err
	}
	if !up {
		return a.printDown("no stack is up for %s\n", a.cli.Data)
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
	return a.printDown("the stack of %s is down\n", a.cli.Data)
}

func (a *app) printDown(format string, args ...any) error {
	if a.inJSON() {
		return printJSON(a.stdout, map[string]any{"up": false})
	}
	fmt.Fprintf(a.stdout, format, args...)
	return nil
}

// awaitDown waits until the keeper has released the lock of the folder. It does that last.
func (a *app) awaitDown(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
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
			return &outage{fmt.Sprintf("process %d does not stop", pid), "see " + a.keeperLog()}
		}
	}
}
