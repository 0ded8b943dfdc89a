package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type replayCmd struct {
	Name    string `arg:"" optional:"" help:"The snapshot; by default the last one."`
	All     bool   `help:"Replay against every snapshot on record." xor:"mode"`
	UTI     string `help:"Replay and compare one contract." name:"uti" xor:"mode"`
	Book    string `help:"Compare the contracts and positions of one book." xor:"mode"`
	Chain   bool   `help:"${replay_chain}" xor:"mode"`
	Step    *int64 `help:"${replay_step}" placeholder:"N" xor:"mode"`
	Against string `help:"${replay_against}" placeholder:"PROGRAM" xor:"mode"`
	From    string `help:"${replay_from}" placeholder:"SNAPSHOT" xor:"mode"`
	Resume  bool   `help:"${replay_resume}" xor:"mode"`
	asOf
}

func (c *replayCmd) Run(ctx context.Context, a *app) error {
	byEvent := c.Chain || c.Step != nil || c.Against != ""
	if c.asOf != (asOf{}) {
		return c.replayAsOf(ctx, a)
	}
	switch {
	case c.All && c.Name != "":
		return &usageError{"--all takes no name", "leave out --all or " + c.Name}
	case byEvent && c.Name != "":
		return &usageError{"a snapshot has one state, and no chain of its events",
			"leave out " + c.Name}
	case c.Chain:
		return a.printChain(ctx)
	case c.Against != "":
		return a.against(ctx, c.Against)
	case byEvent:
		return a.printStep(ctx, *c.Step)
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Snapshots, err = s.Snapshots(ctx, false); err != nil {
		return err
	}
	if c.All {
		return a.replayAll(ctx, s, system)
	}
	earlier := new(atomic.Int64)
	if c.Resume {
		resuming, err := s.Resuming()
		if err != nil {
			return err
		}
		system.Replayer, earlier = resuming, resuming.Earlier
	}
	return c.replay(ctx, a, s, system, earlier)
}

// replay compares with one snapshot. The replay adds to earlier the events that it does not read.
func (c *replayCmd) replay(
	ctx context.Context, a *app, s *session.Session, system *capstone.System,
	earlier *atomic.Int64,
) error {
	part := capstone.Part{UTI: c.UTI, Book: c.Book}
	r, err := c.compare(ctx, system, part)
	if errors.Is(err, contract.ErrNoSnapshot) {
		return noSnapshot(ctx, system, cmp.Or(c.From, c.Name), err)
	}
	if errors.Is(err, capstone.ErrNoWindow) {
		return &usageError{err.Error(), "name the earlier snapshot after --from"}
	}
	if gone := new(capstone.DestroyedError); errors.As(err, &gone) {
		return noVerdict{&failure{gone.Error(), gone.Hint()}}
	}
	if err != nil {
		return err
	}
	used, err := system.TimesTo(ctx, r.Snapshot.Cursor)
	if err != nil {
		return err
	}
	if r.Difference != nil {
		return a.different(ctx, of(s).with(used), system, r)
	}
	name := r.Snapshot.Name
	answer := map[string]any{"snapshot": name, "events": r.Events, "equal": true}
	against := name
	if part != (capstone.Part{}) {
		answer["part"], against = part.String(), fmt.Sprintf("%s of %s", part, name)
	}
	if r.From != "" {
		answer["from"] = r.From
	}
	if c.Resume {
		answer["folded_earlier"] = earlier.Load()
	}
	answered := a.answer(of(s).with(used), answer, func(w io.Writer) {
		printLine(w, "%s", equalTo(r, earlier.Load(), against))
	})
	return firstOf(answered, errors.Join(r.Refused, r.Faults))
}

// equalTo says that a replay led to a state, and which of its events it read.
func equalTo(r capstone.Replayed, earlier int64, against string) string {
	read := " from the log"
	switch {
	case r.From != "":
		read = fmt.Sprintf(" from %s on", r.From)
	case earlier > 0:
		read = fmt.Sprintf(", of which %d were folded earlier and not read again", earlier)
	}
	return fmt.Sprintf("replayed %s%s: equal to %s, byte for byte",
		plural(r.Events, "event"), read, against)
}

// replayAsOf compares the log with the read model as of two times.
func (c *replayCmd) replayAsOf(ctx context.Context, a *app) error {
	if alone := (replayCmd{asOf: c.asOf}); *c != alone {
		return &usageError{"--known-at and --effective-at compare with the read model",
			"leave out the snapshot and the other flags"}
	}
	q, err := a.question(ctx, c.asOf)
	if err != nil {
		return err
	}
	system := q.System()
	if system.Projection, err = q.ReadModel(ctx); err != nil {
		return err
	}
	r, digest, used, err := system.ReplayAsOf(ctx, q.at)
	if err != nil {
		return err
	}
	q.caveat.times = &used.Times
	found := map[string]any{
		"events": r.Events, "equal": r.Difference == nil, "digest": fmt.Sprintf("%x", digest),
	}
	if d := r.Difference; d != nil {
		return a.refuted(q.caveat, found, &failure{
			fmt.Sprintf("the log leads to another state than the read model: %v", d),
			"make the read model again: blotter rebuild"})
	}
	return a.answer(q.caveat, found, func(w io.Writer) {
		printLine(w, "replayed %s from the log: equal to the read model, byte for byte, "+
			"digest sha256:%x", plural(r.Events, "event"), digest)
	})
}

// compare replays the log, a part of the state, or a window.
func (c *replayCmd) compare(
	ctx context.Context, system *capstone.System, part capstone.Part,
) (capstone.Replayed, error) {
	if c.From != "" {
		return system.ReplayFrom(ctx, c.From, c.Name)
	}
	return system.ReplayPart(ctx, c.Name, part)
}

// A replayedSnapshot is the result of a replay against one of all snapshots.
type replayedSnapshot struct {
	Name   string `json:"snapshot"`
	Events int64  `json:"events"`
	Equal  bool   `json:"equal"`
	Why    string `json:"why,omitempty"` // of a snapshot that is not equal
	// Destroyed is the certificate of a snapshot that a disposal removed. That is no fault.
	Destroyed string `json:"destroyed_by,omitempty"`
}

// replayAll replays against every snapshot. One that differs, or cannot be compared, does not stop
// it.
func (a *app) replayAll(ctx context.Context, s *session.Session, system *capstone.System) error {
	list, faults := []replayedSnapshot{}, []error{} // never nil: nothing is an empty list
	compared := false
	for r, err := range system.ReplayAll(ctx) {
		var fault *capstone.SnapshotFault
		var format *capstone.FormatError
		var gone *capstone.DestroyedError
		switch {
		case errors.As(err, &gone):
			list = append(list, replayedSnapshot{Name: r.Snapshot.Name, Why: gone.Error(),
				Destroyed: gone.Certificate})
			continue
		case errors.As(err, &fault), errors.As(err, &format):
		case err != nil:
			return err
		case r.Difference != nil:
			err = &failure{fmt.Sprintf("the log no longer leads to %s: %v", r.Snapshot.Name,
				r.Difference), "find the event: blotter replay " + r.Snapshot.Name}
		}
		l := replayedSnapshot{Name: r.Snapshot.Name, Events: r.Events, Equal: err == nil}
		if err != nil {
			l.Why, faults = err.Error(), append(faults, err)
		}
		list, compared = append(list, l), true
	}
	if len(list) == 0 {
		return noSnapshot(ctx, system, "", contract.ErrNoSnapshot)
	}
	if !compared {
		faults = append(faults, noVerdict{&failure{
			"every snapshot was destroyed, so there is none to replay against",
			"take one: blotter snapshot"}})
	}
	answered := a.answer(of(s), list, func(w io.Writer) {
		for _, l := range list {
			if l.Equal {
				printLine(w, "replayed %s from the log: equal to %s, byte for byte",
					plural(l.Events, "event"), l.Name)
			} else if l.Destroyed != "" {
				printLine(w, "%s", l.Why)
			}
		}
	})
	return firstOf(answered, errors.Join(faults...))
}

// noSnapshot is the failure of a replay against a snapshot that does not exist. It names the latest
// snapshots. If the log and the archive disagree, that is the failure: see capstone.SnapshotFault.
func noSnapshot(ctx context.Context, system *capstone.System, name string, err error) error {
	if fault := new(capstone.SnapshotFault); errors.As(err, &fault) {
		return err
	}
	all, err := system.ListSnapshots(ctx)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return noVerdict{&failure{"there is no snapshot to replay against",
			"take one: blotter snapshot"}}
	}
	const few = 10
	var latest []string
	for _, s := range slices.Backward(all[max(0, len(all)-few):]) {
		latest = append(latest, s.Name)
	}
	return noVerdict{&failure{fmt.Sprintf("there is no snapshot %.40q", name),
		fmt.Sprintf("the latest of %s: %s",
			plural(int64(len(all)), "snapshot"), strings.Join(latest, ", "))}}
}

// A noVerdict is the failure of a replay that compared nothing.
type noVerdict struct{ *failure }

func (e noVerdict) Unwrap() error { return e.failure }

// different is the answer and the failure of a replay that differs from the archived state.
func (a *app) different(
	ctx context.Context, c caveat, system *capstone.System, r capstone.Replayed,
) error {
	finding, err := session.Explain(ctx, system, r)
	if err != nil {
		return err
	}
	streams, err := system.Streams(ctx, r.Snapshot.Cursor)
	if err != nil {
		return err
	}
	effect, err := effectOf(streams, finding.Stream, finding.Version)
	if err != nil {
		return err
	}
	d := r.Difference
	found := map[string]any{
		"snapshot": r.Snapshot.Name, "events": r.Events, "equal": false,
		"difference": map[string]any{
			"line": d.Line, "archived": d.Archived, "replayed": d.Replay,
			"stream": finding.Stream, "version": finding.Version, "what": finding.String(),
		},
	}
	state := "the state"
	if r.Part != (capstone.Part{}) {
		state = r.Part.String()
	}
	return a.refuted(c, found, &failure{
		fmt.Sprintf("the log no longer leads to %s: line %d of %s, %v%s",
			r.Snapshot.Name, d.Line, state, finding, effect),
		"run blotter verify: if the log is unchanged, the read model was wrong, " +
			"and blotter rebuild makes it again",
	})
}

// effectOf shows an event and all that it changed, for a version of 1 or more.
func effectOf(streams map[string][]trade.Event, stream string, version int64) (string, error) {
	if version < 1 {
		return "", nil
	}
	for step, err := range trade.Steps(streams) {
		if err != nil {
			return "", err
		}
		if step.Stream == stream && step.Version == version {
			fields := fieldLines(capstone.Parting(step, step))
			return fmt.Sprintf("\n  %s\n%s", placeOf(step), strings.TrimSuffix(fields, "\n")), nil
		}
	}
	return "", nil
}
