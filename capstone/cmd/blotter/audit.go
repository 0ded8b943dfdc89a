package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
)

type snapshotCmd struct {
	Name string `arg:"" optional:"" help:"How to ask for it again; without one, it is called by its digest."`
}

func (c *snapshotCmd) Run(ctx context.Context, a *app) error {
	if err := checkSnapshotName(c.Name); err != nil {
		return err
	}
	system, err := a.existing(ctx, withReadModel, withSnapshots)
	if err != nil {
		return err
	}
	s, err := system.Snapshot(ctx, c.Name)
	if err != nil {
		return err
	}
	return a.answer(snapshotJSON(s), func(w io.Writer) { showSnapshot(w, s) })
}

func snapshotJSON(s contract.Snapshot) any {
	return map[string]any{"name": s.Name, "taken": s.Taken, "cursor": s.Cursor, "digest": fmt.Sprintf("%x", s.Digest), "bytes": len(s.State)}
}

func showSnapshot(w io.Writer, s contract.Snapshot) {
	fmt.Fprintf(w, "archived %s: %s, digest sha256:%x\n", s.Name, plural(int64(len(s.State)), "byte"), s.Digest)
}

type replayCmd struct {
	Name string `arg:"" optional:"" help:"The snapshot; without one, the last that was taken."`
}

func (c *replayCmd) Run(ctx context.Context, a *app) error {
	system, err := a.existing(ctx, withSnapshots)
	if err != nil {
		return err
	}
	name := c.Name
	if name == "" {
		names, err := system.Snapshots.Names(ctx)
		if err != nil {
			return err
		}
		if len(names) == 0 {
			return &failure{"there is no snapshot to replay against", "take one: blotter snapshot"}
		}
		name = names[len(names)-1]
	}
	r, err := system.Replay(ctx, name)
	if errors.Is(err, contract.ErrNoSnapshot) {
		return noSnapshot(ctx, system.Snapshots, name)
	}
	if err != nil {
		return err
	}
	if r.Difference != nil {
		return a.different(ctx, system, r)
	}
	return a.answer(map[string]any{"snapshot": name, "events": r.Events, "equal": true}, func(w io.Writer) {
		fmt.Fprintf(w, "replayed %s from the log alone: equal to %s, byte for byte\n", plural(r.Events, "event"), name)
	})
}

// different is the answer and the failure of a replay that parts from the archived state.
func (a *app) different(ctx context.Context, system *capstone.System, r capstone.Replayed) error {
	finding, err := explain(ctx, system, r)
	if err != nil {
		return err
	}
	return a.refuted(map[string]any{
		"snapshot": r.Snapshot.Name, "events": r.Events, "equal": false, "difference": map[string]any{
			"line": r.Difference.Line, "archived": r.Difference.Archived, "replayed": r.Difference.Replay,
			"stream": finding.Stream, "version": finding.Version, "what": finding.String(),
		},
	}, &failure{
		fmt.Sprintf("the log no longer leads to %s: line %d of the state, %v", r.Snapshot.Name, r.Difference.Line, finding),
		"blotter verify tells whether the log was changed, and blotter rebuild mends a read model that was",
	})
}

type sealCmd struct {
	Keep string `help:"Write the signed checkpoint to a file, too: kept elsewhere, it is for verify --since." placeholder:"FILE"`
}

func (c *sealCmd) Run(ctx context.Context, a *app) error {
	system, err := a.existing(ctx, withSealer)
	if err != nil {
		return err
	}
	checkpoint, err := c.seal(ctx, system.Auditor)
	if err != nil {
		return err
	}
	return a.answer(checkpointJSON(checkpoint), func(w io.Writer) { showSealed(w, checkpoint) })
}

func (c *sealCmd) seal(ctx context.Context, a contract.Auditor) (contract.Checkpoint, error) {
	if c.Keep == "" {
		return a.Seal(ctx)
	}
	return sealAndKeep(ctx, a, c.Keep)
}

func showSealed(w io.Writer, c contract.Checkpoint) {
	if c.Size == 0 {
		fmt.Fprintln(w, "nothing to seal: the log has no event yet")
		return
	}
	fmt.Fprintf(w, "sealed to checkpoint %s\n", nameOf(c))
}

func checkpointJSON(c contract.Checkpoint) any {
	return map[string]any{"origin": c.Origin, "size": c.Size, "root": fmt.Sprintf("%x", c.Root), "note": string(c.Note)}
}

// nameOf is what a checkpoint is called: its origin and size, and the root that no other log of that size has.
func nameOf(c contract.Checkpoint) string {
	return fmt.Sprintf("%s/%d, root %x", c.Origin, c.Size, c.Root)
}

type verifyCmd struct {
	Since string `help:"Hold the archive against a checkpoint that was kept, too: see seal --keep." placeholder:"FILE" type:"existingfile"`
}

func (c *verifyCmd) Run(ctx context.Context, a *app) error {
	a.access = looks // what may be evidence is not touched
	system, err := a.existing(ctx, withAuditor)
	if err != nil {
		return err
	}
	v, err := c.verify(ctx, system.Auditor)
	if err != nil {
		return err
	}
	return a.verified(v)
}

// verified prints a verification; a fault is a failure.
func (a *app) verified(v contract.Verification) error {
	found := map[string]any{
		"holds": v.Fault == nil, "checkpoint": checkpointJSON(v.Checkpoint), "batches": v.Batches, "sealed": v.Sealed, "unanchored": v.Unanchored,
	}
	if v.Fault != nil {
		found["fault"] = faultJSON(v.Fault)
		return a.refuted(found, &failure{fmt.Sprintf("the log does not verify: %v", v.Fault),
			"keep log and archive as they are: both are evidence now; " + noneVerifies})
	}
	return a.answer(found, func(w io.Writer) { showVerification(w, v) })
}

func faultJSON(f *contract.Fault) any {
	if f.Leaf < 0 {
		return map[string]any{"what": f.What}
	}
	return map[string]any{"what": f.What, "leaf": f.Leaf, "position": f.Position}
}

func showVerification(w io.Writer, v contract.Verification) {
	if v.Checkpoint.Size == 0 {
		fmt.Fprintf(w, "nothing is sealed yet; %s unanchored\n", plural(v.Unanchored, "event"))
		return
	}
	fmt.Fprintf(w, "verified to checkpoint %s\n", nameOf(v.Checkpoint))
	fmt.Fprintf(w, "  %s in %s under it; %d past it, unanchored\n", plural(v.Sealed, "event"), batches(v.Batches), v.Unanchored)
}

func batches(n int) string {
	if n == 1 {
		return "1 batch"
	}
	return fmt.Sprintf("%d batches", n)
}
