package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"syscall"
	"time"

	"example.com/blotter/labs/kit/stack"
)

type upCmd struct{}

// Run starts a process that keeps the embedded stack, and returns once all of it answers.
func (c *upCmd) Run(ctx context.Context, a *app) error {
	if err := a.keepsStack(); err != nil {
		return err
	}
	// A log that is begun is in the stack that it was begun in: one that is kept for no log helps nobody.
	var none *noLogError
	if err := a.open(); err != nil && !errors.As(err, &none) {
		return err
	}
	at, up, err := stack.FindKept(a.stackDir())
	if err != nil {
		return err
	}
	if up {
		return a.showUp(at, "is up already")
	}
	if err := a.startKeeper(ctx); err != nil {
		return err
	}
	at, up, err = stack.FindKept(a.stackDir())
	if err == nil && !up {
		err = &failure{"the stack is down again", "see " + a.keeperLog()}
	}
	if err != nil {
		return err
	}
	return a.showUp(at, "is up")
}

func (a *app) keepsStack() error {
	if a.cli.Stack != "embedded" {
		return &usageError{fmt.Sprintf("the %s stack is not ours to keep", a.cli.Stack), "up and down are for the embedded stack"}
	}
	return a.folder()
}

func (a *app) keeperLog() string { return filepath.Join(a.stackDir(), "log") }

func (a *app) showUp(at stack.Kept, what string) error {
	parts := []partAt{
		{"kafka", at.Kafka[0]}, {"postgres", stack.PostgresAddress(at.Postgres)}, {"s3", at.S3.Endpoint}, {"registry", at.Registry},
	}
	if a.cli.JSON {
		return asJSON(a.stdout, map[string]any{"up": true, "process": at.PID, "since": at.Since, "parts": parts})
	}
	fmt.Fprintf(a.stdout, "the stack of %s %s: process %d\n", a.cli.Data, what, at.PID)
	var rows []string
	for _, p := range parts {
		rows = append(rows, p.Name+"\t"+p.At)
	}
	table(a.stdout, rows...)
	return nil
}

type partAt struct {
	Name string `json:"name"`
	At   string `json:"at"`
}

// startKeeper runs this program again with the hidden command keep-stack, in a session of its own: what ends a terminal or
// this process does not end it. It returns once the keeper has said how it went.
func (a *app) startKeeper(ctx context.Context) error {
	dir, err := filepath.Abs(a.cli.Data)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(a.stackDir(), 0o711); err != nil {
		return err
	}
	log, err := os.OpenFile(a.keeperLog(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(exe)
	cmd.Args = []string{os.Args[0], "--data", dir, "keep-stack"}
	cmd.Stderr, cmd.SysProcAttr = log, ownSession()
	said, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	return a.hear(said)
}

// hear waits for the keeper's one line.
func (a *app) hear(said io.Reader) error {
	var line kept
	if err := json.NewDecoder(said).Decode(&line); err != nil {
		return &failure{"the process that is to keep the stack ended without a word", "see " + a.keeperLog()}
	}
	if line.Error != "" {
		return &failure{line.Error, line.Hint}
	}
	return nil
}

// kept is what the keeper says to who started it: that the stack is up, or why not.
type kept struct {
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
}

type keepCmd struct{}

// Run keeps the stack until it is told to stop. Its standard error is the log; standard output is for one line.
func (c *keepCmd) Run(ctx context.Context, a *app) error {
	// What the broker keeps in memory grows with the log and is hardly ever garbage: as much again for the collector's sake would be
	// wasted.
	debug.SetGCPercent(25)
	log := func(line string) { fmt.Fprintf(a.stderr, "%s  %s\n", time.Now().UTC().Format(time.RFC3339), line) }
	say := json.NewEncoder(a.stdout)
	up := false
	err := stack.Keep(ctx, stack.EmbeddedOptions{Dir: a.stackDir(), Log: log, Compatible: compatible}, func(stack.Kept) {
		up = true
		log("the stack is up")
		say.Encode(kept{})
	})
	if !up {
		if err == nil {
			err = errors.New("stopped before it was up")
		}
		say.Encode(kept{err.Error(), hintOf(err)})
	}
	log("the stack is down")
	return err
}
