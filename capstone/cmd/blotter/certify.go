package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	replay "example.com/blotter/solutions/4-replay"
)

type certifyCmd struct {
	Name string `arg:"" help:"The snapshot."`
	Out  string `arg:"" help:"The file to create."`
}

// Run replays a snapshot, verifies the log under the last checkpoint, and signs the snapshot under
// it. It never overwrites a file. A crash while it writes leaves a file that does not hold: delete
// it and certify again.
func (c *certifyCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Query)
	if err != nil {
		return err
	}
	auditor, err := s.Certifier(ctx)
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
	if r.Difference != nil { // what does not follow from the log is not certified
		return a.different(ctx, of(s), system, r)
	}
	last, err := sealed(ctx, auditor, r.Snapshot)
	if err != nil {
		return err
	}
	file, err := replay.Certify(r.Snapshot, last, auditor.Keys.Signer)
	if err != nil {
		return err
	}
	if err := createFile(c.Out, file); err != nil {
		return err
	}
	found := certifiedJSON(r.Snapshot, last)
	return firstOf(a.answer(of(s), found, func(w io.Writer) { found.print(w, "certified") }),
		r.Faults)
}

// sealed returns the last checkpoint, if it covers a snapshot and the log verifies under it. A log
// that was changed after its seal leads to a state, too, which the checkpoint does not state.
func sealed(
	ctx context.Context, auditor contract.Auditor, s contract.Snapshot,
) (last contract.Checkpoint, err error) {
	v, err := auditor.Verify(ctx)
	if err != nil {
		return last, err
	}
	if v.Fault != nil {
		return last, unverifiedLog(v.Fault)
	}
	if err := checkOffenders(v.Offenders); err != nil {
		return last, err
	}
	if last = v.Checkpoint; last.Size == 0 || !last.End.Reaches(s.Cursor) {
		return last, &failure{fmt.Sprintf("no checkpoint covers snapshot %s", s.Name),
			"seal its events first: blotter seal"}
	}
	return last, nil
}

// A certifiedSnapshot is the statement of a certificate that holds.
type certifiedSnapshot struct {
	snapshotAnswer
	Format     string               `json:"format"`
	Bytes      int                  `json:"bytes"`
	Origin     string               `json:"origin"`
	Size       int64                `json:"size"` // of the tree, in leaves
	Root       contract.HexHash     `json:"root"`
	Provenance *contract.Provenance `json:"provenance"` // the program's own statement
}

func certifiedJSON(s contract.Snapshot, c contract.Checkpoint) certifiedSnapshot {
	return certifiedSnapshot{
		snapshotJSON(s), s.Format, len(s.State), c.Origin, c.Size, c.Root, s.Provenance,
	}
}

func (c certifiedSnapshot) print(w io.Writer, word string) {
	printLine(w, "%s %s under checkpoint %s/%d, root %x", word, c.Name, c.Origin, c.Size, c.Root)
	printLine(w, "  %s, format %s, digest sha256:%s", plural(int64(c.Bytes), "byte"), c.Format,
		c.Digest)
	if p := c.Provenance; p != nil {
		printLine(w, "  from the model %s, by revision %s, with %s", p.Projection, p.Revision,
			plural(int64(len(p.Schemas)), "schema"))
	}
}

type checkSnapshotCmd struct {
	File string `arg:"" help:"The file that blotter certify created."`
	Key  string `required:"" help:"${verifier_key}"`
}

// Run opens no log and no stack. It reads only the file and the key.
func (c *checkSnapshotCmd) Run(_ context.Context, a *app) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	file, err := os.ReadFile(c.File)
	if errors.Is(err, fs.ErrNotExist) {
		return &usageError{"there is no file " + c.File, "name a file that blotter certify created"}
	}
	if err != nil {
		return err
	}
	s, checkpoint, err := replay.OpenCertificate(file, key)
	if err != nil {
		return &failure{c.File + ": " + err.Error(), "if blotter certify made it, request it " +
			"again, and keep this one: it is evidence now"}
	}
	found := certifiedJSON(s, checkpoint)
	if a.inJSON() {
		return printJSON(a.stdout, found)
	}
	found.print(a.stdout, "verified")
	printLine(a.stdout, "(a certificate does not say whether the log is simulated)")
	return nil
}
