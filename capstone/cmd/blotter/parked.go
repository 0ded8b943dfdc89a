package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// parkedCmd has the commands about parked streams.
type parkedCmd struct {
	List  parkedListCmd  `cmd:"" help:"List the parked streams."`
	Show  parkedShowCmd  `cmd:"" help:"Show the illegal event of a parked stream."`
	Skip  parkedSkipCmd  `cmd:"" help:"Leave the illegal event of a parked stream out."`
	Retry parkedRetryCmd `cmd:"" help:"Apply the events that wait, if they are legal now."`
}

type parkedListCmd struct{}

// A parkedStream is a parked stream, with the origin of its illegal event.
type parkedStream struct {
	trade.Parked
	Position contract.Position `json:"position"`
	Source   string            `json:"source"`
	Line     int64             `json:"source_line,omitempty"`
}

func (c *parkedListCmd) Run(ctx context.Context, a *app) error {
	s, all, err := a.parked(ctx)
	if err != nil {
		return err
	}
	streams := append([]parkedStream{}, parkedStreams(all)...) // never nil: none is an empty list
	return a.answer(of(s), streams, func(w io.Writer) { printParked(w, streams) })
}

// parked opens the log and finds its parked streams.
func (a *app) parked(ctx context.Context) (*session.Session, []capstone.ParkedStream, error) {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return nil, nil, err
	}
	end, err := s.Log.End(ctx)
	if err != nil {
		return nil, nil, err
	}
	all, err := s.System().Parked(ctx, end)
	return s, all, err
}

func parkedStreams(found []capstone.ParkedStream) (all []parkedStream) {
	for _, p := range found {
		all = append(all, parkedStream{
			p.Parked, p.Illegal.Position, p.Illegal.Source, p.Illegal.SourceLine,
		})
	}
	return all
}

func printParked(w io.Writer, all []parkedStream) {
	var rows []string
	for _, p := range all {
		rows = append(rows, fmt.Sprintf("%s\t%d\t%s\t%s\t%s\t%s\t%s", p.Stream, p.Version,
			p.Position, p.Actor, place(p.Source, p.Line), p.Rule, p.Detail))
	}
	table(w, "stream\tversion\tposition\tactor\tsource\trule\tdetail", rows...)
}

// findParked lists the parked streams, and their stale rows in the read model.
func (s *status) findParked(ctx context.Context, of *session.Session, end contract.Cursor) error {
	system := of.System()
	model, err := of.KeptModel(ctx)
	if err != nil {
		return err
	}
	if model != nil {
		system.Projection = model
		stale, err := system.Stale(ctx)
		if err != nil {
			return err
		}
		for _, row := range stale {
			s.Stale = append(s.Stale, row.Error())
			s.Well, s.hint = false, cmp.Or(s.hint, row.Hint())
		}
	}
	found, err := system.Parked(ctx, end)
	if len(found) > 0 {
		s.Parked = parkedStreams(found)
		s.Well, s.hint = false, cmp.Or(s.hint, parkedHint)
	}
	return err
}

type parkedShowCmd struct {
	Stream string `arg:"" help:"The stream, such as trade/PWR-70 or curve/power/CET/base."`
}

// Run shows the illegal event as history does.
func (c *parkedShowCmd) Run(ctx context.Context, a *app) error {
	s, all, err := a.parked(ctx)
	if err != nil {
		return err
	}
	for _, p := range all {
		if p.Stream != c.Stream {
			continue
		}
		line, err := entryOf(ctx, s.Codec, p.Illegal)
		if err != nil {
			return err
		}
		changes := &changeLog{s.Log, s.Codec, map[string]*streamChanges{}}
		if line.Changes, err = changes.of(ctx, p.Illegal); err != nil {
			return err
		}
		return a.answer(of(s), line, func(w io.Writer) { printHistory(w, []entry{line}) })
	}
	return &failure{fmt.Sprintf("stream %s is not parked", c.Stream),
		"list the parked streams: blotter parked list"}
}

type parkedRetryCmd struct {
	Stream string `arg:"" help:"The stream, such as trade/PWR-70 or curve/power/CET/base."`
}

// Run exits with 1 if the stream is still parked, or if a follow-up of an event that waited is
// refused.
func (c *parkedRetryCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Projection, err = s.ReadModel(ctx); err != nil {
		return err
	}
	r, err := system.Retry(ctx, c.Stream, func(ctx context.Context) error {
		_, err := s.RebuildReadModels(ctx, capstone.Batch)
		return err
	})
	switch {
	case errors.Is(err, contract.ErrNotFound):
		return &failure{err.Error(), "list the parked streams: blotter parked list"}
	case err != nil:
		return err
	case r.Parked != nil:
		return a.refuted(of(s), r, &failure{fmt.Sprintf("%s applied, %s; %v",
			plural(int64(r.Applied), "event"), waits(r.Waiting), r.Parked), parkedHint})
	}
	err = a.answer(of(s), r, func(w io.Writer) {
		printLine(w, "%s: %s applied, %s", r.Stream, plural(int64(r.Applied), "event"), waits(0))
	})
	return firstOf(err, checkOrphans(len(r.Orphaned)))
}

func waits(n int) string {
	switch n {
	case 0:
		return "none waits"
	case 1:
		return "1 waits"
	}
	return fmt.Sprintf("%d wait", n)
}

type parkedSkipCmd struct {
	Stream   string `arg:"" help:"The stream, such as trade/PWR-70 or curve/power/CET/base."`
	Version  int64  `arg:"" help:"The version of the illegal event, which parks the stream."`
	Actor    string `required:"" help:"The person who skips it."`
	Approver string `required:"" help:"The second person, who approves."`
	Reason   string `required:"" help:"The reason why it is left out."`
}

// A skippedAnswer is the event that skips another one, and its effect.
type skippedAnswer struct {
	capstone.Retried
	Version int64  `json:"version"` // of the skipped event
	Event   string `json:"event"`   // the id of the event that skips it
}

// Run exits with 0 if the event is left out, even if a later event parks the stream again.
func (c *parkedSkipCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Write)
	if err != nil {
		return err
	}
	done, err := s.System().Skip(ctx, capstone.Skip{
		Stream: c.Stream, Version: c.Version, Actor: c.Actor, Approver: c.Approver,
		Reason: c.Reason,
	})
	if err != nil {
		return err
	}
	answer := skippedAnswer{done.Retried, c.Version, done.Event.ID.String()}
	err = a.answer(of(s), answer, func(w io.Writer) {
		printLine(w, "skipped version %d of %s: %s applied, %s", c.Version, c.Stream,
			plural(int64(done.Applied), "event"), waits(done.Waiting))
		if done.Parked != nil {
			printLine(w, "%s", parkedLine(*done.Parked))
		}
	})
	return firstOf(err, checkOrphans(len(done.Orphaned)))
}
