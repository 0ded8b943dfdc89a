package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/capstone/explain"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type whatIfCmd struct {
	Book     string            `help:"Only this book."`
	Method   string            `enum:"average,fifo" default:"average" help:"${what_if_method}"`
	Rounding string            `enum:"${roundings}" default:"half-even" help:"${what_if_rounding}"`
	Marks    map[string]string `help:"${what_if_marks}" placeholder:"CURVE=CURVE"`
	Without  []string          `help:"${what_if_without}" placeholder:"EVENT"`
	Scenario string            `help:"${what_if_scenario}" placeholder:"FILE"`
	Top      int               `default:"20" help:"${explain_top}" placeholder:"N"`
	asOf
}

func (c *whatIfCmd) Run(ctx context.Context, a *app) error {
	change, err := c.scenario()
	if err != nil {
		return err
	}
	rules := explain.Rules{FIFO: c.Method == "fifo", Curves: c.Marks}
	if c.Rounding != "half-even" {
		rules.Rounding = trade.Rounding(c.Rounding)
	}
	events := len(change.without) + len(change.commands)
	if !rules.FIFO && rules.Rounding == trade.HalfEven && len(rules.Curves)+events == 0 {
		return &usageError{"nothing is changed",
			"give --method fifo, --rounding, --marks, --without or --scenario"}
	}
	q, err := a.question(ctx, c.asOf)
	if err != nil {
		return err
	}
	is, at, err := q.recorded(ctx)
	if err != nil {
		return err
	}
	if err := c.checkCurves(is); err != nil {
		return err
	}
	would, err := change.of(is)
	if err != nil {
		return err
	}
	all := ofBook(explain.WhatIf(explain.History{Streams: is},
		explain.History{Streams: would, Rules: rules}, at.Effective), c.Book)
	caveat := history{streams: would}.caveat(q.Session, trade.AsOf{Effective: at.Effective}, c.Book)
	caveat.times.Known, caveat.mayChange = at.Known, q.caveat.mayChange
	r := report{all, [2]string{"as recorded", "what if"}, [2]trade.AsOf{at, at}, c.Top}
	return firstOf(checkBook(c.Book, len(all)), a.answer(caveat, r.rows(), r.print))
}

// recorded returns the known events, and the times of the question.
func (q question) recorded(
	ctx context.Context,
) (streams map[string][]trade.Event, at trade.AsOf, err error) {
	now, err := q.System().Now(ctx)
	if err != nil {
		return nil, at, err
	}
	end, err := q.Log.End(ctx)
	if err != nil {
		return nil, at, err
	}
	if streams, err = q.System().Streams(ctx, end); err != nil {
		return nil, at, err
	}
	for stream, events := range streams {
		streams[stream] = slices.DeleteFunc(events, func(e trade.Event) bool {
			return !q.at.Knows(e.RecordedAt)
		})
	}
	if at = q.at; at.Known.IsZero() {
		at.Known = now.Known
	}
	if at.Effective.IsZero() {
		at.Effective = now.Known
	}
	return streams, at, nil
}

// checkCurves refuses the name of a curve that no position has, and of one without a mark.
func (c *whatIfCmd) checkCurves(streams map[string][]trade.Event) error {
	valued := map[string]bool{}
	for _, p := range trade.StateOf(streams, trade.AsOf{}).Positions {
		valued[p.Curve()] = true
	}
	for _, curve := range slices.Sorted(maps.Keys(c.Marks)) {
		if by := c.Marks[curve]; len(streams[trade.CurveStream(by)]) == 0 {
			return &failure{fmt.Sprintf("there is no mark of a curve %q", by),
				"list the curves: blotter curves"}
		}
		if !valued[curve] {
			return &failure{fmt.Sprintf("no position is valued by a curve %q", curve),
				"the curve of a position is its instrument up to @: blotter position"}
		}
	}
	return nil
}

// A scenario is the changes of a history.
type scenario struct {
	without  []uuid.UUID
	commands []trade.Command
}

// of returns the history with the changes.
func (s scenario) of(streams map[string][]trade.Event) (map[string][]trade.Event, error) {
	rest, err := explain.Without(streams, s.without...)
	if err != nil {
		return nil, &failure{err.Error(), "blotter history lists the ids of events"}
	}
	if rest, err = explain.With(rest, s.commands...); err != nil {
		return nil, &failure{"the scenario is refused: " + err.Error(),
			"correct its line; lines are decided after the log, without the events left out"}
	}
	return rest, nil
}

// scenario reads the flags and the file.
func (c *whatIfCmd) scenario() (s scenario, err error) {
	for _, name := range c.Without {
		s.without = append(s.without, eventNamed(name))
	}
	if c.Scenario == "" {
		return s, nil
	}
	in, err := openInputs([]string{c.Scenario})
	if err != nil {
		return s, err
	}
	defer in.Close()
	text, err := io.ReadAll(in.files[0])
	if err != nil {
		return s, err
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if err := s.add(i+1, line); err != nil {
			return s, &failure{c.Scenario + ": " + err.Error(),
				`a line is an import line, or {"without":"EVENT"}`}
		}
	}
	return s, nil
}

// add adds a line of a scenario.
func (s *scenario) add(number int, text []byte) error {
	var left struct{ Without string }
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if d.Decode(&left) == nil && left.Without != "" && contract.CheckMembers(text) == nil {
		s.without = append(s.without, eventNamed(left.Without))
		return nil
	}
	line, err := lines.Parse(number, text)
	if err == nil {
		s.commands = append(s.commands, line.Command)
	}
	return err
}

// eventNamed returns the id of an event that is named by it, or by the command that it records.
func eventNamed(name string) uuid.UUID {
	if id, err := uuid.Parse(name); err == nil {
		return id
	}
	return trade.EventID(name, 0)
}
