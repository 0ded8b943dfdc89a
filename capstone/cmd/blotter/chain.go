package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A history is the decoded log of trades and curves, up to a cursor.
type history struct {
	streams map[string][]trade.Event
	to      contract.Cursor
}

// history reads the log.
func (a *app) history(
	ctx context.Context, access session.Access,
) (h history, s *session.Session, err error) {
	return a.historyTo(ctx, access, nil)
}

// historyTo reads the log up to a cursor; nil is its end.
func (a *app) historyTo(
	ctx context.Context, access session.Access, to contract.Cursor,
) (h history, s *session.Session, err error) {
	if s, err = a.open(ctx, access); err != nil {
		return h, nil, err
	}
	if h.to = to; to == nil {
		if h.to, err = s.Log.End(ctx); err != nil {
			return h, nil, err
		}
	}
	h.streams, err = s.System().Streams(ctx, h.to)
	return h, s, err
}

// A chainAnswer is the chain of a log, as one program folds it.
type chainAnswer struct {
	Format string          `json:"format"` // trade.StateFormat
	Cursor contract.Cursor `json:"cursor"`
	Chain  trade.Chain     `json:"chain"`
}

func (h history) chain() (chainAnswer, error) {
	chain, err := trade.ChainOf(h.streams)
	return chainAnswer{trade.StateFormat, h.to, chain}, err
}

// step returns event n of the chain.
func (h history) step(n int64) (trade.Step, error) {
	step, ok, err := trade.StepAt(h.streams, n)
	if !ok && err == nil {
		err = &failure{fmt.Sprintf("there is no event %d in the chain", n),
			"its events have the numbers that this prints: blotter replay --chain"}
	}
	return step, err
}

// printChain prints the number and the digest of each event.
func (a *app) printChain(ctx context.Context) error {
	h, s, err := a.history(ctx, session.Query)
	if err != nil {
		return err
	}
	c, err := h.chain()
	if err != nil {
		return err
	}
	return a.answer(of(s), c, func(w io.Writer) {
		for i, digest := range c.Chain {
			fmt.Fprintf(w, "%d %x\n", i+1, digest)
		}
	})
}

// printStep shows one event of the chain.
func (a *app) printStep(ctx context.Context, n int64) error {
	h, s, err := a.history(ctx, session.Query)
	if err != nil {
		return err
	}
	step, err := h.step(n)
	if err != nil {
		return err
	}
	return a.answer(of(s), step, func(w io.Writer) {
		printLine(w, "%s", placeOf(step))
		fmt.Fprint(w, fieldLines(capstone.Parting(step, step)))
	})
}

func placeOf(s trade.Step) string {
	return fmt.Sprintf("event %d: version %d of stream %s, id %s, recorded at %s",
		s.N, s.Version, s.Stream, s.Event, s.RecordedAt.UTC().Format(time.RFC3339Nano))
}

// fieldLines lists changed fields below the subjects of their lines.
func fieldLines(fields []capstone.ChangedField) string {
	var b strings.Builder
	subject := ""
	for _, f := range fields {
		if f.Subject != subject {
			subject = f.Subject
			printLine(&b, "  %s", subject)
		}
		printLine(&b, "    %s", f)
	}
	return b.String()
}

// A program is another version of blotter, and the arguments that name the log.
type program struct {
	path string
	args []string
}

// ask runs a query of the program and decodes its answer.
func (p program) ask(ctx context.Context, answer any, query ...string) error {
	out, err := exec.CommandContext(ctx, p.path, slices.Concat(p.args, query)...).Output()
	if failed := new(exec.ExitError); errors.As(err, &failed) && len(failed.Stderr) > 0 {
		err = errors.New(strings.TrimSpace(string(failed.Stderr)))
	}
	if err == nil {
		err = json.Unmarshal(out, &struct {
			Answer any `json:"answer"`
		}{answer})
	}
	if err != nil {
		what := fmt.Sprintf("%s did not answer %s: %v", p.path, strings.Join(query, " "), err)
		return &outage{what, "name a blotter program that knows replay --chain"}
	}
	return nil
}

// against compares the folds of this program and of another one, event by event, and prints the
// result.
func (a *app) against(ctx context.Context, path string) error {
	c, s, err := a.comparison(ctx, path)
	if err != nil {
		return err
	}
	if c.parts != nil {
		return a.refuted(of(s), c, c.parts)
	}
	return a.answer(of(s), c, c.print)
}

// A comparison is the result of a comparison of two programs.
type comparison struct {
	Against string                  `json:"against"`
	Equal   bool                    `json:"equal"`
	Here    *trade.Step             `json:"here,omitempty"`
	There   *trade.Step             `json:"there,omitempty"`
	Fields  []capstone.ChangedField `json:"fields,omitempty"`

	parts *failure // where the two part; nil: they are equal
}

func (c comparison) print(w io.Writer) {
	fmt.Fprintf(w, "%s folds the log as this program does, event by event\n", c.Against)
}

// comparison compares the folds of this program and of another one. Both open the log as any query
// does, one after the other, because an embedded stack serves one process at a time. The log may
// grow meanwhile: this program reads it up to the end that the other one saw.
func (a *app) comparison(
	ctx context.Context, path string,
) (c comparison, s *session.Session, err error) {
	folder, err := a.config().Folder()
	if err != nil {
		return c, nil, err
	}
	// A service does not take --store: with it, the other program folds the log itself, also while
	// a service has it.
	other := program{path, []string{"--data", a.cli.Data, "--stack", a.cli.Stack,
		"--store", folder.Settings().Store, "--format", "json"}}
	there, err := other.chain(ctx)
	if err != nil {
		return c, nil, a.besideService(err)
	}
	h, s, err := a.historyTo(ctx, session.Query, there.Cursor)
	if err != nil {
		return c, nil, err
	}
	if err := s.Close(); err != nil {
		return c, nil, err
	}
	part, err := h.compareTo(ctx, other, there)
	c.Against, c.Equal = path, part == nil
	if part == nil || err != nil {
		return c, s, err
	}
	c.Here, c.There = &part.here, &part.there
	c.Fields = capstone.Parting(part.here, part.there)
	c.parts = &failure{
		fmt.Sprintf("this program (here) and %s (there) part at %s\n%s", path, placeOf(part.here),
			differing(c.Fields)),
		fmt.Sprintf("the states are equal after each earlier event; all that this one changes: "+
			"blotter replay --step %d", part.here.N)}
	return c, s, nil
}

// besideService explains the failure of another program while a service has the log.
func (a *app) besideService(err error) error {
	s, none := a.service()
	if s == nil || none != nil {
		return err
	}
	return &outage{err.Error(), fmt.Sprintf("the service at %s (process %d) may have the stack "+
		"for itself: stop it, or keep the stack with blotter up BEFORE it starts", s.URL, s.PID)}
}

// differing lists the fields in which two programs part.
func differing(fields []capstone.ChangedField) string {
	for _, f := range fields {
		if f.Here != f.There {
			return strings.TrimSuffix(fieldLines(fields), "\n")
		}
	}
	return "  the lines of both states are the same, in another order"
}

// A parting is the first event that two programs fold to different states.
type parting struct{ here, there trade.Step }

// chain asks the program for its chain.
func (p program) chain(ctx context.Context) (chain chainAnswer, err error) {
	err = p.ask(ctx, &chain, "replay", "--chain")
	return chain, err
}

// compare returns the event at which another program parts from this one; nil without any.
func (h history) compare(ctx context.Context, other program) (*parting, error) {
	there, err := other.chain(ctx)
	if err != nil {
		return nil, err
	}
	return h.compareTo(ctx, other, there)
}

// compareTo is compare with the chain of the other program.
func (h history) compareTo(
	ctx context.Context, other program, there chainAnswer,
) (*parting, error) {
	here, err := h.chain()
	if err != nil {
		return nil, err
	}
	n, err := here.firstDifference(other.path, there)
	if n == 0 || err != nil {
		return nil, err
	}
	p := new(parting)
	if p.here, err = h.step(n); err != nil {
		return nil, err
	}
	if err := other.ask(ctx, &p.there, "replay", "--step", fmt.Sprint(n)); err != nil {
		return nil, err
	}
	if p.there.Event == p.here.Event {
		return p, nil
	}
	// The number may be that of another event by now, if the log grew.
	if there, err = other.chain(ctx); err != nil {
		return nil, err
	}
	_, err = here.firstDifference(other.path, there)
	return p, err
}

// firstDifference returns the number of the first event at which the chain of another program
// differs; 0 without any.
func (c chainAnswer) firstDifference(path string, there chainAnswer) (int64, error) {
	switch {
	case there.Format != c.Format:
		return 0, &failure{fmt.Sprintf("%s folds to states of format %q, and this program to %q",
			path, there.Format, c.Format), "compare programs of one state format"}
	case !slices.Equal(there.Cursor, c.Cursor):
		return 0, &outage{fmt.Sprintf("the log grew from %s to %s between the two replays",
			c.Cursor, there.Cursor), "compare again when no other command writes"}
	}
	return c.Chain.FirstDifference(there.Chain), nil
}
