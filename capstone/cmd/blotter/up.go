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

	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/stack"
)

type upCmd struct{}

// Run starts a process that keeps the embedded stack, and returns once all parts answer.
func (c *upCmd) Run(ctx context.Context, a *app) error {
	if err := a.checkKeeps(); err != nil {
		return err
	}
	// A log in another stack would not use the one that is kept.
	_, err := a.config().Folder()
	if none := new(logdir.NoLogError); err != nil && !errors.As(err, &none) {
		return err
	}
	at, up, err := stack.FindKept(a.stackDir())
	if err != nil {
		return err
	}
	if up {
		return a.printUp(at, "is already up")
	}
	if err := a.startKeeper(ctx); err != nil {
		return err
	}
	at, up, err = stack.FindKept(a.stackDir())
	if err == nil && !up {
		err = &outage{"the stack is down again", "see " + a.keeperLog()}
	}
	if err != nil {
		return err
	}
	return a.printUp(at, "is up")
}

// checkKeeps refuses a stack that up and down do not manage.
func (a *app) checkKeeps() error {
	if a.cli.Stack != "embedded" {
		return &usageError{fmt.Sprintf("blotter does not manage the %s stack", a.cli.Stack),
			"use up and down with --stack embedded only"}
	}
	return logdir.CheckPath(a.cli.Data)
}

func (a *app) stackDir() string  { return logdir.StackDir(a.cli.Data) }
func (a *app) keeperLog() string { return filepath.Join(a.stackDir(), "log") }

func (a *app) printUp(at stack.Kept, what string) error {
	type part struct {
		Name string `json:"name"`
		At   string `json:"at"`
	}
	parts := []part{
		{"kafka", at.Kafka.Brokers[0]}, {"postgres", at.Postgres.Address()},
		{"s3", at.S3.Endpoint}, {"registry", at.Registry.URL},
	}
	if a.inJSON() {
		return printJSON(a.stdout, map[string]any{"up": true, "process": at.PID, "since": at.Since,
			"parts": parts})
	}
	printLine(a.stdout, "the stack of %s %s: process %d", a.cli.Data, what, at.PID)
	var rows []string
	for _, p := range parts {
		rows = append(rows, p.Name+"\t"+p.At)
	}
	labels(a.stdout, rows...)
	return nil
}

// startKeeper runs this program again with the hidden command keep-stack, and returns once the
// keeper has reported. The keeper is detached: it outlives this process and the terminal.
func (a *app) startKeeper(ctx context.Context) error {
	dir, err := filepath.Abs(a.cli.Data)
	if err != nil {
		return err
	}
	if err := stack.MakeDir(a.stackDir()); err != nil {
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
	cmd.Stderr, cmd.SysProcAttr = log, detached()
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { cmd.Process.Signal(syscall.SIGTERM) })
	defer stop()
	return a.awaitReport(out)
}

// A keeperReport is the keeper's only line on standard output: the stack is up, or an error.
type keeperReport struct {
	Error string `json:"error,omitempty"`
	Hint  string `json:"hint,omitempty"`
	Code  int    `json:"code,omitempty"`
}

func (a *app) awaitReport(out io.Reader) error {
	var report keeperReport
	if err := json.NewDecoder(out).Decode(&report); err != nil {
		return &outage{"the process that keeps the stack ended without a report",
			"see " + a.keeperLog()}
	}
	if report.Error != "" {
		if report.Code == failed {
			return &failure{report.Error, report.Hint}
		}
		return &outage{report.Error, report.Hint}
	}
	return nil
}

type keepCmd struct{}

// Run keeps the stack until it is told to stop. Its standard error is the log.
func (c *keepCmd) Run(ctx context.Context, a *app) error {
	// The broker's memory grows with the log and is hardly ever garbage. The default of the garbage
	// collector would reserve as much again.
	debug.SetGCPercent(25)
	log := func(line string) {
		fmt.Fprintf(a.stderr, "%s  %s\n", time.Now().UTC().Format(time.RFC3339), line)
	}
	report := json.NewEncoder(a.stdout)
	up := false
	err := session.KeepStack(ctx, a.cli.Data, log, func() {
		up = true
		log("the stack is up")
		report.Encode(keeperReport{})
	})
	if !up {
		if err == nil {
			err = errors.New("stopped before it was up")
		}
		report.Encode(keeperReport{err.Error(), hintOf(err), exitCode(err)})
	}
	log("the stack is down")
	return err
}
