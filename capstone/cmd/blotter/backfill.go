package main

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

type backfillCmd struct {
	File     string `arg:"" help:"${backfill_file}"`
	Figures  string `help:"${backfill_figures}" placeholder:"FILE"`
	Ours     string `help:"${backfill_ours}" placeholder:"FILE"`
	Adopt    bool   `help:"Take the history into the log. Needs an actor, an approver, a reason."`
	Actor    string `help:"The person who adopts it."`
	Approver string `help:"The second person, who approves."`
	Reason   string `help:"The reason why it is adopted."`
	Breaks   int    `help:"The number of breaks that the approver accepts." default:"0"`
}

// Run decides the history beside the log, and lists its breaks. With --adopt it then takes the
// history into the log. Without, it exits with 1 if there are breaks.
func (c *backfillCmd) Run(ctx context.Context, a *app) error {
	theirs, err := c.theirs()
	if err != nil {
		return err
	}
	access := session.Query
	if c.Adopt {
		access = session.Write
	}
	s, err := a.open(ctx, access)
	if err != nil {
		return err
	}
	b, err := c.stage(ctx, a, s, theirs)
	if err != nil {
		return err
	}
	if err := c.writeOurs(b.Figures); err != nil {
		return err
	}
	if !c.Adopt {
		if len(b.Breaks) == 0 {
			return c.answer(a, s, b)
		}
		return errors.Join(c.answer(a, s, b), &failure{plural(int64(len(b.Breaks)), "break"),
			"mend the file, or accept the breaks by their number when you adopt it"})
	}
	add, done := a.progress.counting("events", int64(b.Adopted), int64(b.Events))
	defer done()
	err = s.System().Adopt(ctx, b, capstone.Adoption{
		Actor: c.Actor, Approver: c.Approver, Reason: c.Reason, Breaks: c.Breaks,
	}, func(n int) {
		b.Adopted += n
		add(n, int64(b.Adopted))
	})
	if err != nil {
		return err
	}
	return c.answer(a, s, b)
}

// theirs reads the figures of the other system. Without a file they are nil.
func (c *backfillCmd) theirs() ([]capstone.Figure, error) {
	if c.Figures == "" {
		return nil, nil
	}
	f, err := openInput(c.Figures)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := capstone.ReadFigures(f)
	if err != nil {
		return nil, &usageError{c.Figures + ": " + err.Error(),
			"--ours FILE writes figures in the right form"}
	}
	return append([]capstone.Figure{}, all...), nil // never nil: a file may have none
}

// stage decides the history of the file over a draft of the log.
func (c *backfillCmd) stage(
	ctx context.Context, a *app, s *session.Session, theirs []capstone.Figure,
) (b capstone.Backfill, err error) {
	zone, err := trade.Zone(a.cli.Zone)
	if err != nil {
		return b, &usageError{"--zone: " + err.Error(), "name one of these"}
	}
	in, err := openInputs([]string{c.File})
	if err != nil {
		return b, err
	}
	defer in.Close()
	system, err := s.Staging(ctx)
	if err != nil {
		return b, err
	}
	system.Source = sourceOf(c.File)
	content := sha256.New()
	b, err = system.Stage(ctx, lines.ReadForeign(io.TeeReader(in.files[0], content)), theirs, zone)
	b.File, b.Digest = system.Source, [sha256.Size]byte(content.Sum(nil))
	return b, err
}

func (c *backfillCmd) writeOurs(all []capstone.Figure) error {
	if c.Ours == "" {
		return nil
	}
	f, err := reserve("--ours", c.Ours)
	if err != nil {
		return err
	}
	return errors.Join(writeFigures(f, all), f.Close())
}

func writeFigures(f *os.File, all []capstone.Figure) error {
	rows := [][]string{capstone.FigureColumns()}
	for _, g := range all {
		rows = append(rows, []string{g.Name, g.Book, g.Instrument, g.Currency, g.Day, g.Value})
	}
	return csv.NewWriter(f).WriteAll(rows)
}

func (c *backfillCmd) answer(a *app, s *session.Session, b capstone.Backfill) error {
	b.Breaks = append([]capstone.Break{}, b.Breaks...) // never nil: none is an empty list
	return a.answer(of(s), b, func(w io.Writer) {
		var rows []string
		for _, k := range b.Breaks {
			rows = append(rows, fmt.Sprintf("%s\t%s\t%s", k.Place(), k.Rule, k.Detail))
		}
		if len(rows) > 0 {
			table(w, "where\trule\tdetail", rows...)
		}
		printLine(w, "%s: %s, %s in %s, %d of them in the log; %s", b.File,
			plural(int64(b.Lines), "line"), plural(int64(b.Events), "event"),
			plural(int64(b.Streams), "stream"), b.Adopted, plural(int64(len(b.Breaks)), "break"))
	})
}
