package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/trade"
)

// app has the command line, the output, and the functions that close a command's parts.
type app struct {
	cli            *cli
	choices        map[string]string // settings that a flag chose
	stdout, stderr io.Writer
	progress       *progress
	cancel         context.CancelCauseFunc     // ends the command
	shared         *session.Session            // of a service that runs the command; nil opens one
	verdict        func(name string, code int) // is told of the rechecks of a service
	closers        []func() error              // the last one runs first

	health func(context.Context) serve.Health // of a service that runs the command
}

func newApp(c *cli, stdout, stderr io.Writer) *app {
	out := &output{Writer: stdout, screen: screenOf(stdout)}
	a := &app{cli: c, stdout: out, stderr: stderr, progress: new(progress)}
	a.onClose(func() error { return out.err })
	return a
}

// An output remembers the first write that failed. Code that prints a table need not check each
// write: an incomplete answer fails when the command ends.
type output struct {
	io.Writer
	screen screen
	err    error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if o.err == nil && err != nil {
		o.err = fmt.Errorf("the answer is incomplete: %w", err)
	}
	return n, err
}

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

// config describes the log that the command line names.
func (a *app) config() session.Config {
	return session.Config{
		Data: a.cli.Data, Stack: a.cli.Stack, Choices: a.choices, OffloadOver: a.cli.OffloadOver,
		Retention: a.cli.Retention, Lock: a.cli.Lock, Source: a.cli.EventSource,
		MasterKey: a.cli.MasterKey, Signer: a.cli.Signer,
		Progress: a.stderr, StackLost: func(err error) { a.cancel(&stackLost{err}) },
	}
}

// newLog returns the settings that the command line gives a new log.
func (a *app) newLog(simulated bool) *logdir.Settings {
	return &logdir.Settings{
		Name: logdir.Name(a.cli.Name), Stack: a.cli.Stack, Store: a.cli.Store,
		Partitions: a.cli.Partitions, Simulated: simulated,
	}
}

// open opens the log in the data folder until the command ends.
func (a *app) open(ctx context.Context, access session.Access) (*session.Session, error) {
	return a.openAs(ctx, a.config(), access)
}

func (a *app) openAs(
	ctx context.Context, c session.Config, access session.Access,
) (*session.Session, error) {
	if a.shared != nil {
		view := a.shared.View()
		a.onClose(view.Close)
		return view, nil
	}
	s, err := session.Open(ctx, c, access)
	if err != nil {
		return nil, err
	}
	a.onClose(s.Close)
	if a.progress.out != nil {
		s.Log = watchedLog{s.Log, a.progress}
	}
	return s, nil
}

// services returns the stack of the data folder, until the command ends.
func (a *app) services(c session.Config) (*session.Stack, error) {
	if a.shared != nil {
		return a.shared.Stack(), nil
	}
	services, err := session.OpenStack(c)
	if err == nil {
		a.onClose(services.Close)
	}
	return services, err
}

// temporaryFolder creates a data folder, and removes it when the command ends.
func (a *app) temporaryFolder(prefix string) error {
	dir := filepath.Join(os.TempDir(), prefix+strings.ToLower(rand.Text()))
	a.onClose(func() error { return os.RemoveAll(dir) })
	a.cli.Data = dir
	return stack.MakeDir(dir)
}

// A stackLost error ends a command that lost a part of the stack, which would never answer.
type stackLost struct{ error }

func (e *stackLost) Unwrap() error { return e.error }

// finish closes everything that the command opened, and returns the command's error.
func (a *app) finish(ctx context.Context, err error) error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.progress.end()
	if lost := new(stackLost); errors.As(context.Cause(ctx), &lost) {
		return lost
	}
	return a.busy(firstOf(err, errors.Join(errs...)))
}

// busy explains how two commands can share an embedded stack or a log that another process has.
func (a *app) busy(err error) error {
	var taken *stack.InUseError
	var writes *logdir.BusyError
	if !errors.As(err, &taken) && !errors.As(err, &writes) {
		return err
	}
	if s, _ := a.service(); s != nil {
		return &outage{fmt.Sprintf("a service owns the log in %s: process %d at %s", a.cli.Data,
			s.PID, s.URL), "it answers queries, and takes commands by import; " +
			"stop it for this command"}
	}
	if taken == nil {
		return err
	}
	by := "another process"
	if taken.PID != 0 {
		by = fmt.Sprintf("process %d", taken.PID)
	}
	return &outage{fmt.Sprintf("the stack in %s is in use by %s", a.cli.Data, by),
		fmt.Sprintf("wait until %s ends, or keep one stack for all later commands: blotter up", by)}
}

// A caveat is added to every answer from a log.
type caveat struct {
	simulated bool
	mayChange bool // the next import may change the answer
	times     *capstone.Times

	mismatches []trade.Mismatch // contracts that make the sums of their books wrong
	parked     []trade.Parked   // streams of which the answer has only a prefix
}

// parkedLine names a stream of which only the events before an illegal one count.
func parkedLine(p trade.Parked) string {
	return fmt.Sprintf("(parked: %s counts up to version %d; version %d is illegal: %s: %s; "+
		"see blotter status)", p.Stream, p.Version-1, p.Version, p.Rule, p.Detail)
}

// mismatchLine names a contract that does not match its cause, and the affected books.
func mismatchLine(m trade.Mismatch) string {
	return fmt.Sprintf("(affected: %s; contract %s does not match %s: %s; see blotter status)",
		strings.Join(m.Books, ", "), m.UTI, m.Cause, m.Why)
}

// timesLine says in one line which times an answer used.
func timesLine(t capstone.Times) string {
	line := "(as known at "
	if t.Cursor != nil {
		line += fmt.Sprintf("cursor %s, recorded through ", t.Cursor)
	}
	line += t.Known.Format(time.RFC3339Nano) + ", effective at "
	if t.Effective.IsZero() {
		line += "all times"
	} else {
		line += t.Effective.Format(time.RFC3339Nano)
	}
	if t.BySource {
		line += "; events of another system by its own record"
	}
	switch t.Later {
	case 0, capstone.NotCounted:
		return line + ")"
	case 1:
		return line + "; 1 event is effective later)"
	}
	return line + fmt.Sprintf("; %d events are effective later)", t.Later)
}

// of returns the caveat of an answer that does not depend on a time.
func of(s *session.Session) caveat { return caveat{simulated: s.Settings().Simulated} }

// with returns c with the times of an answer.
func (c caveat) with(t capstone.Times) caveat {
	c.times = &t
	return c
}

// inJSON reports whether the answers are for a program.
func (a *app) inJSON() bool { return a.cli.Format == "json" }

// answer prints the result of a command: as an object in JSON, as CSV, or by show. In CSV the
// caveat is not in the answer: it goes to standard error.
func (a *app) answer(c caveat, v any, show func(io.Writer)) error {
	a.progress.end()
	switch a.cli.Format {
	case "json":
		return printJSON(a.stdout, c.envelope(v))
	case "csv":
		c.print(a.stderr)
		return printCSV(a.stdout, v)
	}
	show(a.stdout)
	c.print(a.stdout)
	return nil
}

func (c caveat) print(w io.Writer) {
	if c.times != nil {
		fmt.Fprintln(w, timesLine(*c.times))
	}
	for _, m := range c.mismatches {
		fmt.Fprintln(w, mismatchLine(m))
	}
	for _, p := range c.parked {
		printLine(w, "%s", parkedLine(p))
	}
	switch {
	case c.mayChange:
		fmt.Fprintln(w, "(a simulated log: its recorded times follow the entered ones, "+
			"and the next import may change this answer)")
	case c.simulated:
		fmt.Fprintln(w, "(a simulated log: its recorded times follow the entered ones)")
	}
}

// envelope is an answer for programs.
func (c caveat) envelope(answer any) any {
	e := struct {
		Simulated bool `json:"simulated"`
		MayChange bool `json:"may_change,omitempty"`
		times
		Answer any `json:"answer"`

		Mismatches []trade.Mismatch `json:"mismatches,omitempty"`
		Parked     []trade.Parked   `json:"parked,omitempty"`
	}{
		Simulated: c.simulated, MayChange: c.mayChange, Answer: answer, Mismatches: c.mismatches,
		Parked: c.parked,
	}
	if c.times != nil {
		e.times = timesJSON(*c.times)
	}
	return e
}

// times are the times of an answer for programs. An answer is known at a time or at a cursor.
type times struct {
	KnownAt     *time.Time      `json:"known_at,omitempty"`
	Cursor      contract.Cursor `json:"known_at_cursor,omitempty"`
	Through     *time.Time      `json:"recorded_through,omitempty"` // the last time before Cursor
	EffectiveAt any             `json:"effective_at,omitempty"`     // a time, or "all"
	Later       *int            `json:"effective_later,omitempty"`  // events
	Basis       string          `json:"basis,omitempty"`            // "source"
}

func timesJSON(t capstone.Times) times {
	out := times{KnownAt: &t.Known, EffectiveAt: t.Effective, Later: &t.Later}
	if t.Later == capstone.NotCounted {
		out.Later = nil
	}
	if t.BySource {
		out.Basis = "source"
	}
	if t.Cursor != nil {
		out.KnownAt, out.Cursor, out.Through = nil, t.Cursor, &t.Known
	}
	if t.Effective.IsZero() {
		out.EffectiveAt = "all"
	}
	return out
}

// refuted returns the failure of a check. For a program the findings are an answer as well.
func (a *app) refuted(c caveat, v any, f *failure) error {
	if a.cli.Format != "json" && a.cli.Format != "csv" {
		return f
	}
	return firstOf(a.answer(c, v, nil), f)
}
