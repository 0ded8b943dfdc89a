package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/google/uuid"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type proveCmd struct {
	Event string `arg:"" help:"The id of the event; blotter history shows it."`
	Out   string `arg:"" help:"The file to create, in the format C2SP tlog-proof."`
}

// Run writes a proof that the last checkpoint covers an event. It never overwrites a file. A crash
// while it writes leaves a file that does not hold: delete it and prove again.
func (c *proveCmd) Run(ctx context.Context, a *app) error {
	id, err := uuid.Parse(c.Event)
	if err != nil {
		return &usageError{fmt.Sprintf("%q is not the id of an event", c.Event),
			"blotter history UTI --format json shows the ids of a trade's events"}
	}
	s, auditor, err := a.auditor(ctx, "")
	if err != nil {
		return err
	}
	text, err := proofOf(ctx, s, auditor, id)
	if err != nil {
		return err
	}
	key := auditor.Keys.Verifier
	p, err := audit.CheckProof(text, key.Name(), key)
	if err != nil {
		return err
	}
	if err := createFile(c.Out, text); err != nil {
		return err
	}
	found, err := statementOf(p)
	if err != nil {
		return err
	}
	return a.answer(of(s), found, func(w io.Writer) { found.print(w, "proved") })
}

// proofOf returns the proof of the event with an id. Its errors name the reason why there is none.
func proofOf(
	ctx context.Context, s *session.Session, auditor *session.Auditor, id uuid.UUID,
) ([]byte, error) {
	r, err := s.Log.Find(ctx, id)
	if errors.Is(err, contract.ErrNotFound) {
		return nil, &failure{fmt.Sprintf("no event has the id %s", id),
			"blotter history UTI --format json shows the ids of a trade's events"}
	}
	if err != nil {
		return nil, err
	}
	text, err := auditor.Prove(ctx, r)
	if errors.Is(err, audit.ErrUnanchored) {
		return nil, &failure{err.Error(), "if it is newer than the last checkpoint, seal it: " +
			"blotter seal; if not, find the difference: blotter verify"}
	}
	return text, err
}

// createFile writes a new file.
func createFile(path string, content []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return &failure{path + ": file already exists", "name another file"}
	}
	if err != nil {
		return err
	}
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		err = errors.Join(err, os.Remove(path)) // or it would be in the way of another try
	}
	return err
}

type checkProofCmd struct {
	File string `arg:"" help:"The file that blotter prove created."`
	Key  string `required:"" help:"${verifier_key}"`

	Policy string `help:"${policy}" placeholder:"FILE" type:"existingfile"`
}

// Run opens no log and no stack. It reads only the file and the key.
func (c *checkProofCmd) Run(_ context.Context, a *app) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	text, err := readProof(c.File)
	if err != nil {
		return err
	}
	p, err := audit.CheckProof(text, key.Name(), key) // a key has the name of its log
	if err != nil {
		return &failure{c.File + ": " + err.Error(),
			"if blotter prove made it, request it again, and keep this one: it is evidence now"}
	}
	witnesses, err := checkPolicy(c.Policy, p.Checkpoint.Note, key)
	if err != nil {
		return err
	}
	found, err := statementOf(p)
	if err != nil {
		return err
	}
	found.Witnesses = witnesses
	switch a.cli.Format {
	case "json":
		return printJSON(a.stdout, found)
	case "csv":
		return printCSV(a.stdout, found.Attributes)
	}
	found.print(a.stdout, "verified")
	printLine(a.stdout, "(a proof does not say whether the log is simulated)")
	return nil
}

// readProof reads a file that may be anything.
func readProof(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, err
	}
	if err != nil || !info.Mode().IsRegular() {
		return nil, &usageError{"there is no file " + path,
			"name a file that blotter prove created"}
	}
	const most = 2*contract.MaxLeaf + 64<<10 // bytes: the leaf in base64, hashes and a checkpoint
	if info.Size() > most {
		return nil, &failure{fmt.Sprintf("%s: a proof has at most %d bytes, and the file has %d",
			path, int64(most), info.Size()), "name a file that blotter prove created"}
	}
	return os.ReadFile(path)
}

// A provenEvent is the statement of a proof that holds.
type provenEvent struct {
	Origin     string            `json:"origin"`
	Leaf       int64             `json:"leaf"`
	Size       int64             `json:"size"` // of the tree, in leaves
	Root       string            `json:"root"`
	Attributes []audit.Attribute `json:"attributes"`

	// Witnesses has the cosignatures, if a policy was given. The event was on record then.
	Witnesses []audit.Cosignature `json:"witnesses,omitempty"`
}

func statementOf(p audit.Proven) (provenEvent, error) {
	attributes, err := audit.Attributes(p.Leaf)
	return provenEvent{p.Checkpoint.Origin, p.Index, p.Checkpoint.Size,
		hex.EncodeToString(p.Checkpoint.Root[:]), attributes, nil}, err
}

// print writes the attributes that have a value.
func (e provenEvent) print(w io.Writer, word string) {
	printLine(w, "%s leaf %d under checkpoint %s/%d, root %s",
		word, e.Leaf, e.Origin, e.Size, e.Root)
	printWitnesses(w, e.Witnesses, nil)
	for _, at := range e.Attributes {
		if at.Value != "" && at.Value != uuid.Nil.String() {
			printLine(w, "  %-18s %s", at.Name, at.Value)
		}
	}
}
