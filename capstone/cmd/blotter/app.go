package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/term"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
)

// app is what a command runs with: where to write, which log, and the parts that were opened so far.
type app struct {
	cli            *cli
	given          map[string]bool // the flags that were, by name: not those left as they are
	stdout, stderr io.Writer
	settings       settings
	access         access // what the command does to the log
	writer         int    // the process that writes the log, if it is not this one
	temporary      bool   // the log goes when the command ends
	begins         bool   // the log is a new one, and its settings are not written yet
	asItIs         bool   // the log is taken as it is, whatever it has lost
	mayChange      bool   // the answer is as known at a time, of a simulated log
	stack          stack.Stack
	signer         note.Signer // of checkpoints, as verifier is; both once there is an auditor
	verifier       note.Verifier
	sealed         contract.Checkpoint     // the last that was published from this folder; the zero one for none
	fail           context.CancelCauseFunc // ends the command
	closers        []func() error          // run last to first
}

func newApp(c *cli, stdout, stderr io.Writer) *app {
	out := &output{Writer: stdout}
	a := &app{cli: c, stdout: out, stderr: stderr}
	a.onClose(out.failed)
	return a
}

// An output remembers the first write that failed: who prints a table need not look at each, and an answer that was cut short is still
// a failure when the command ends.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(text []byte) (int, error) {
	n, err := o.Writer.Write(text)
	if o.err == nil && err != nil {
		o.err = fmt.Errorf("the answer is cut short: %w", err)
	}
	return n, err
}

func (o *output) failed() error { return o.err }

func (a *app) onClose(f func() error) { a.closers = append(a.closers, f) }

func (a *app) close() error {
	var errs []error
	for i := len(a.closers) - 1; i >= 0; i-- {
		errs = append(errs, a.closers[i]())
	}
	a.closers = nil
	return errors.Join(errs...)
}

// open finds the log in the data folder.
func (a *app) open() (err error) {
	if err := a.folder(); err != nil {
		return err
	}
	if a.settings, err = load(a.cli.Data); err != nil {
		return err
	}
	if err := a.settings.on(a.cli.Stack, a.cli.Data); err != nil {
		return err
	}
	return a.settings.as(a.cli, a.given)
}

// folder refuses a data folder that can be none.
func (a *app) folder() error {
	const hint = "--data names the folder of a log and its stack; without it, that is .blotter"
	if a.cli.Data == "" {
		return &usageError{"--data is empty", hint}
	}
	info, err := os.Stat(a.cli.Data)
	if errors.Is(err, syscall.ENOTDIR) || err == nil && !info.IsDir() {
		return &usageError{a.cli.Data + " is not a folder", hint}
	}
	return nil
}

// openOrCreate finds the log in the data folder, or begins one as the flags say.
func (a *app) openOrCreate(simulated bool) error {
	a.access = writes
	err := a.open()
	var none *noLogError
	if errors.As(err, &none) {
		return a.begin(simulated)
	}
	if err == nil && simulated && !a.settings.Simulated {
		return &usageError{
			fmt.Sprintf("the log in %s keeps real time, so nothing simulated goes in", a.cli.Data),
			"leave --simulate out, or begin a log in another folder with --data",
		}
	}
	return err
}

// mostPartitions is how many a log may have. An owner takes over each with a producer of its own before it serves any, and with many more than
// this it would not come to that within the time it has.
const mostPartitions = 500

// begin settles what a new log will be. Its stack and store may turn out to be out of reach, so that is written only
// once they have answered: see system.
func (a *app) begin(simulated bool) error {
	if a.cli.Partitions < 1 || a.cli.Partitions > mostPartitions {
		return &usageError{fmt.Sprintf("--partitions is %d", a.cli.Partitions), fmt.Sprintf("a log has 1 to %d partitions", mostPartitions)}
	}
	name := logName(a.cli.Name)
	if err := name.check(); err != nil {
		return err
	}
	if err := a.unsigned(); err != nil {
		return err
	}
	a.settings = settings{Name: name, Stack: a.cli.Stack, Store: a.cli.Store, Partitions: a.cli.Partitions, Simulated: simulated}
	a.begins = true
	return os.MkdirAll(a.cli.Data, 0o755)
}

// existing is the system over a log that must be there.
func (a *app) existing(ctx context.Context, with ...part) (*capstone.System, error) {
	if err := a.open(); err != nil {
		return nil, err
	}
	return a.system(ctx, with...)
}

// answer prints what a command found: with --json as an object, else by show. A simulated log is always called one.
func (a *app) answer(v any, show func(io.Writer)) error {
	if a.cli.JSON {
		return asJSON(a.stdout, struct {
			Simulated bool `json:"simulated"`
			MayChange bool `json:"may_change,omitempty"` // with what is simulated next
			Answer    any  `json:"answer"`
		}{a.settings.Simulated, a.mayChange, v})
	}
	show(a.stdout)
	switch {
	case a.mayChange:
		fmt.Fprintln(a.stdout, "(a simulated log: its recorded times follow the entered ones, so what is imported next may change this answer)")
	case a.settings.Simulated:
		fmt.Fprintln(a.stdout, "(a simulated log: its recorded times follow the entered ones)")
	}
	return nil
}

// refuted is the failure of a check that does not hold. To a program it is an answer as well, with all that was found.
func (a *app) refuted(v any, f *failure) error {
	if !a.cli.JSON {
		return f
	}
	return joined(a.answer(v, nil), f)
}

// progress counts on a terminal, a few times a second; in a pipe it is silent.
type progress struct {
	out   io.Writer
	noun  string
	n     int
	shown time.Time
}

func (a *app) progress(noun string) *progress {
	p := &progress{noun: noun}
	if f, ok := a.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.out = f
	}
	return p
}

func (p *progress) add() {
	p.n++
	if p.out == nil || time.Since(p.shown) < 100*time.Millisecond {
		return
	}
	p.shown = time.Now()
	fmt.Fprintf(p.out, "\r%d %s", p.n, p.noun)
}

func (p *progress) clear() {
	if p.out != nil {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
