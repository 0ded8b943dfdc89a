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
	Name    string `arg:"" optional:"" help:"The snapshot; by default the last one."`
	Chain   bool   `help:"${replay_chain}" xor:"mode"`
	Step    *int64 `help:"${replay_step}" placeholder:"N" xor:"mode"`
	Against string `help:"${replay_against}" placeholder:"PROGRAM" xor:"mode"`
}

func (c *replayCmd) Run(ctx context.Context, a *app) error {
	byEvent := c.Chain || c.Step != nil || c.Against != ""
	switch {
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
	r, err := system.Replay(ctx, c.Name)
	if errors.Is(err, contract.ErrNoSnapshot) {
		return noSnapshot(ctx, system, c.Name, err)
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
	answered := a.answer(of(s).with(used), answer, func(w io.Writer) {
		fmt.Fprintf(w, "replayed %s from the log: equal to %s, byte for byte\n",
			plural(r.Events, "event"), name)
	})
	return firstOf(answered, r.Faults)
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
		return &failure{"there is no snapshot to replay against", "take one: blotter snapshot"}
	}
	const few = 10
	var latest []string
	for _, s := range slices.Backward(all[max(0, len(all)-few):]) {
		latest = append(latest, s.Name)
	}
	return &failure{fmt.Sprintf("there is no snapshot %.40q", name),
		fmt.Sprintf("the latest of %s: %s",
			plural(int64(len(all)), "snapshot"), strings.Join(latest, ", "))}
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
