package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	codec "example.com/blotter/solutions/1-schemas"
)

func (a *app) stackDir() string { return filepath.Join(a.cli.Data, "stack") }

// openStack finds the stack, and has the command end when a part of it is lost.
func (a *app) openStack() (err error) {
	if a.cli.Stack != "embedded" {
		fmt.Fprintf(a.stderr, "stack: %s\n", a.cli.Stack)
	}
	if a.cli.Stack == "containers" {
		a.stack = a.containerStack()
		a.onClose(a.stack.Close)
		return nil
	}
	a.stack, err = stack.Open(a.cli.Stack, stack.EmbeddedOptions{
		Dir: a.stackDir(), Compatible: compatible, Failed: func(err error) { a.fail(&stackLost{err}) },
	})
	if err == nil {
		a.onClose(a.stack.Close)
	}
	return err
}

// compatible judges schemas for the embedded registry. It is the reference in every build: the
// registry must not depend on an unfinished lab.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}

// stackLost is why a command was ended: a part of the stack is gone, and what waits for its answer would wait in vain.
type stackLost struct{ error }

func (e *stackLost) Unwrap() error { return e.error }

// finish closes what the command opened, and gives its error.
func (a *app) finish(ctx context.Context, err error) error {
	var lost *stackLost
	if !errors.As(context.Cause(ctx), &lost) {
		if closing := a.close(); err == nil {
			err = closing
		}
		return a.busy(err)
	}
	// Closing in order may wait for a part that is gone. What it would do more than the end of the process does, no
	// longer matters.
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		a.close()
	}()
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-closed:
	case <-timer.C:
	}
	return lost
}
