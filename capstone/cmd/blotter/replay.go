package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
)

type replayCmd struct {
	Name string `arg:"" optional:"" help:"The snapshot; by default the last one."`
}

func (c *replayCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Snapshots, err = s.Snapshots(ctx); err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		if name, err = lastName(ctx, system.Snapshots); err != nil {
			return err
		}
	}
	r, err := system.Replay(ctx, name)
	if errors.Is(err, contract.ErrNoSnapshot) {
		return noSnapshot(ctx, system.Snapshots, name)
	}
	if err != nil {
		return err
	}
	if r.Difference != nil {
		return a.different(ctx, of(s), system, r)
	}
	answer := map[string]any{"snapshot": name, "events": r.Events, "equal": true}
	return a.answer(of(s), answer, func(w io.Writer) {
		fmt.Fprintf(w, "replayed %s from the log: equal to %s, byte for byte\n",
			plural(r.Events, "event"), name)
	})
}

func lastName(ctx context.Context, archive contract.Snapshots) (string, error) {
	names, err := archive.Names(ctx)
	if err != nil {
		return "", err
	}
	if len(names) == 0 {
		return "", &failure{"there is no snapshot to replay against", "take one: blotter snapshot"}
	}
	return names[len(names)-1], nil
}

// noSnapshot is the failure of a replay against a snapshot that does not exist. It names the latest
// snapshots.
func noSnapshot(ctx context.Context, archive contract.Snapshots, name string) error {
	names, err := archive.Names(ctx)
	if err != nil {
		return err
	}
	hint := "take one: blotter snapshot"
	if len(names) > 0 {
		const few = 10
		latest := names[max(0, len(names)-few):]
		slices.Reverse(latest)
		hint = fmt.Sprintf("the latest of %s: %s",
			plural(int64(len(names)), "snapshot"), strings.Join(latest, ", "))
	}
	return &failure{fmt.Sprintf("there is no snapshot %.40q", name), hint}
}

// different is the answer and the failure of a replay that differs from the archived state.
func (a *app) different(
	ctx context.Context, c caveat, system *capstone.System, r capstone.Replayed,
) error {
	finding, err := session.Explain(ctx, system, r)
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
	return a.refuted(c, found, &failure{
		fmt.Sprintf("the log no longer leads to %s: line %d of the state, %v",
			r.Snapshot.Name, d.Line, finding),
		"run blotter verify: if the log is unchanged, the read model was wrong, " +
			"and blotter rebuild makes it again",
	})
}
