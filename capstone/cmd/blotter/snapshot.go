package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	snapshots "example.com/blotter/solutions/4-replay/s3"
)

type snapshotCmd struct {
	Name string `arg:"" optional:"" help:"Its name; by default derived from the digest."`
}

func (c *snapshotCmd) Run(ctx context.Context, a *app) error {
	if c.Name != "" {
		if err := snapshots.CheckName(c.Name); err != nil { // BEFORE the state is computed
			return &usageError{err.Error(), "choose a name like month-end, or omit it"}
		}
	}
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Projection, err = s.ReadModel(ctx); err != nil {
		return err
	}
	if system.Snapshots, err = s.Snapshots(ctx); err != nil {
		return err
	}
	taken, err := system.Snapshot(ctx, c.Name)
	if err != nil {
		return err
	}
	return a.answer(of(s), snapshotJSON(taken), func(w io.Writer) { printSnapshot(w, taken) })
}

func snapshotJSON(s contract.Snapshot) any {
	return map[string]any{
		"name": s.Name, "taken_at": s.Taken, "cursor": s.Cursor,
		"digest": fmt.Sprintf("%x", s.Digest), "bytes": len(s.State),
	}
}

func printSnapshot(w io.Writer, s contract.Snapshot) {
	printLine(w, "archived %s: %s, digest sha256:%x", s.Name,
		plural(int64(len(s.State)), "byte"), s.Digest)
}
