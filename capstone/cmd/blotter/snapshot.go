package main

import (
	"context"
	"fmt"
	"io"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	replay "example.com/blotter/solutions/4-replay/plain"
)

type snapshotCmd struct {
	Name    string  `arg:"" optional:"" help:"Its name; by default derived from the digest."`
	Policy  string  `help:"${snapshot_policy}" placeholder:"POLICY" xor:"mode"`
	Measure []int64 `help:"${snapshot_measure}" placeholder:"EVENTS" xor:"mode"`
}

func (c *snapshotCmd) Run(ctx context.Context, a *app) error {
	if len(c.Measure) > 0 {
		return a.measurePolicies(ctx, c.Measure)
	}
	if c.Policy != "" && c.Name != "" {
		return &usageError{"a snapshot of a policy takes no name",
			"omit it: a name is taken once, and the policy may be due again"}
	}
	config, policy := a.config(), capstone.Policy{}
	if c.Policy != "" {
		var err error
		if policy, err = capstone.ParsePolicy(c.Policy); err != nil {
			return &usageError{err.Error(), "such as --policy every=10000,age=24h,keep=43800h"}
		}
		config.Keep = policy.Keep
	}
	if c.Name != "" {
		if err := replay.CheckName(c.Name); err != nil { // BEFORE the state is computed
			return &usageError{err.Error(), "choose a name like month-end, or omit it"}
		}
	}
	s, err := a.openAs(ctx, config, session.Write)
	if err != nil {
		return err
	}
	system := s.System()
	if c.Policy != "" {
		lag, err := system.SnapshotLag(ctx)
		if err != nil || !policy.Due(lag) {
			return firstOf(err, a.notDue(s, lag))
		}
	}
	if system.Projection, err = s.ReadModel(ctx); err != nil {
		return err
	}
	if system.Snapshots, err = s.Snapshots(ctx, true); err != nil {
		return err
	}
	taken, err := system.Snapshot(ctx, c.Name)
	if err != nil {
		return err
	}
	return a.answer(of(s).with(taken.Times), takenJSON(taken), func(w io.Writer) {
		printSnapshot(w, taken)
	})
}

// A snapshotAnswer is a snapshot without its state, and its times.
type snapshotAnswer struct {
	Name        string          `json:"name"`
	Taken       *time.Time      `json:"taken_at"` // null if it is not on record
	Cursor      contract.Cursor `json:"cursor"`
	Through     *time.Time      `json:"recorded_through"`
	EffectiveAt string          `json:"effective_at"` // always "all"
	Digest      string          `json:"digest"`
}

func snapshotJSON(s contract.Snapshot) snapshotAnswer {
	return snapshotAnswer{
		s.Name, &s.Taken, s.Cursor, &s.RecordedThrough, "all", fmt.Sprintf("%x", s.Digest),
	}
}

// takenJSON is the answer of the command that took a snapshot, which has its state.
func takenJSON(s capstone.Archived) any {
	return struct {
		snapshotAnswer
		Bytes     int  `json:"bytes"`
		Earlier   bool `json:"earlier,omitempty"`   // the present state is not archived
		Unchanged bool `json:"unchanged,omitempty"` // it was on record already
	}{snapshotJSON(s.Snapshot), len(s.State), s.Earlier, s.Unchanged}
}

func printSnapshot(w io.Writer, s capstone.Archived) {
	if s.Earlier {
		printLine(w, "recorded %s, which was archived before; the present state is not archived",
			s.Name)
		return
	}
	if s.Unchanged {
		printLine(w, "the state is still that of %s, digest sha256:%x", s.Name, s.Digest)
		return
	}
	printLine(w, "archived %s: %s, digest sha256:%x", s.Name,
		plural(int64(len(s.State)), "byte"), s.Digest)
}
