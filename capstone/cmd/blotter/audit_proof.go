package main

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"slices"

	"github.com/google/uuid"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// A found is the answer to a question of an investigation, with the proofs of its events.
type found struct {
	Found      any          `json:"found"`
	More       bool         `json:"more,omitempty"` // the limit left events out
	Checkpoint *point       `json:"checkpoint"`     // null before the first seal
	Proofs     []eventProof `json:"proofs"`
	Unanchored []uuid.UUID  `json:"unanchored,omitempty"` // under no checkpoint yet
	Extract    string       `json:"extract,omitempty"`    // the folder of the certified extract

	events  []uuid.UUID
	show    func(io.Writer)
	refuted *failure // the answer is no
}

// A point names a checkpoint.
type point struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Root   string `json:"root"`
}

func pointOf(c contract.Checkpoint) *point {
	return &point{c.Origin, c.Size, hex.EncodeToString(c.Root[:])}
}

// An eventProof is the proof that blotter prove writes for one event, and check-proof checks.
type eventProof struct {
	Event uuid.UUID `json:"event"`
	Leaf  int64     `json:"leaf"`
	Proof string    `json:"proof"` // C2SP tlog-proof
}

// reply proves the events of an answer, certifies them if that was asked, and prints the answer.
func (a *app) reply(ctx context.Context, s *session.Session, i inquiry, c caveat, r found) error {
	slices.SortFunc(r.events, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	r.events = slices.Compact(r.events)
	if err := r.prove(ctx, s); err != nil {
		return err
	}
	if i.Certify != "" {
		if err := r.certify(ctx, a, s, i); err != nil {
			return err
		}
	}
	answer := any(r)
	if a.cli.Format == "csv" {
		answer = r.Found
	}
	err := a.answer(c, answer, func(w io.Writer) {
		r.show(w)
		r.printProofs(w)
	})
	if err == nil && r.refuted != nil {
		return r.refuted
	}
	return err
}

// prove fills in the proofs under the last checkpoint. A log that was never sealed proves nothing:
// all events are unanchored then.
func (r *found) prove(ctx context.Context, s *session.Session) error {
	auditor, err := s.Auditor(ctx, nil)
	if err != nil {
		return err
	}
	last, err := auditor.Published(ctx, 0)
	if err != nil {
		return err
	}
	r.Proofs = []eventProof{} // never nil: nothing is an empty list
	if last.Size == 0 {
		r.Unanchored = r.events
		return unsealed(ctx, auditor, nil)
	}
	r.Checkpoint = pointOf(last)
	for _, id := range r.events {
		recorded, err := s.Log.Find(ctx, id)
		var text []byte
		if err == nil {
			text, err = auditor.Prove(ctx, recorded)
		}
		if errors.Is(err, audit.ErrUnanchored) {
			r.Unanchored = append(r.Unanchored, id)
			continue
		}
		if err != nil {
			return err
		}
		key := auditor.Keys.Verifier
		p, err := audit.CheckProof(text, key.Name(), key)
		if err != nil {
			return err
		}
		r.Checkpoint = pointOf(p.Checkpoint)
		r.Proofs = append(r.Proofs, eventProof{id, p.Index, string(text)})
	}
	return nil
}

// certify makes a certified extract of the events. The bundle proves the events, and not that the
// answer is complete: its manifest says so.
func (r *found) certify(ctx context.Context, a *app, s *session.Session, i inquiry) error {
	if len(r.events) == 0 {
		return &failure{"no event answers the question, so there is nothing to certify",
			"leave --certify out"}
	}
	ask := extractCmd{Out: i.Certify, Actor: i.Actor, Reason: i.Reason, Page: i.Page,
		events: r.events}
	r.Extract = i.Certify
	owner, err := a.service()
	if err == nil {
		_, err = ask.make(ctx, s, a.cli.Zone, extractRecorder(s, owner))
	}
	return err
}

func (r *found) printProofs(w io.Writer) {
	if r.More {
		printLine(w, "there are more: name a narrower window, or --top 0")
	}
	if r.Checkpoint != nil {
		printLine(w, "proved %s under checkpoint %s/%d, root %s",
			plural(int64(len(r.Proofs)), "event"), r.Checkpoint.Origin, r.Checkpoint.Size,
			r.Checkpoint.Root)
	}
	for _, id := range r.Unanchored {
		printLine(w, "unanchored: %s", id)
	}
	if r.Extract != "" {
		printLine(w, "certified extract: %s", r.Extract)
	}
}

type auditDeletedCmd struct {
	Old  int64  `arg:"" optional:"" help:"${audit_old}"`
	New  int64  `arg:"" optional:"" help:"${audit_new}"`
	Kept string `help:"${audit_kept}" placeholder:"FILE" type:"existingfile"`
}

// A growth is the proof that one tree is the beginning of another one.
type growth struct {
	Old   point    `json:"old"`
	New   point    `json:"new"`
	Notes []string `json:"notes"` // the two signed checkpoints
	Proof []string `json:"proof"` // the hashes of RFC 6962, section 2.1.2, in base64
}

// Run proves that each leaf of the earlier checkpoint is still in the tree of the later one, in its
// place. Whether the log still has the events is the question of blotter verify.
func (c *auditDeletedCmd) Run(ctx context.Context, a *app) error {
	if (c.Kept == "") == (c.Old == 0) || c.Old < 0 || c.New < 0 {
		return &usageError{"name the earlier checkpoint: by its size, or by --kept",
			"blotter checkpoints lists them"}
	}
	s, auditor, err := a.auditor(ctx, "")
	if err != nil {
		return err
	}
	old, err := c.old(ctx, auditor)
	if err != nil {
		return withHint(err)
	}
	later, err := auditor.Published(ctx, c.New)
	if err == nil && later.Size == 0 {
		err = unsealed(ctx, auditor, notSealed)
	}
	if err != nil {
		return withHint(err)
	}
	made, err := auditor.Reference.ProveGrowth(ctx, old, later)
	if err != nil {
		return err
	}
	g := growth{*pointOf(old), *pointOf(later), []string{string(old.Note), string(later.Note)},
		encoded(made)}
	return a.answer(of(s), g, func(w io.Writer) {
		printLine(w, "nothing was deleted: all %d leaves of %s/%d, root %s,", g.Old.Size,
			g.Old.Origin, g.Old.Size, g.Old.Root)
		printLine(w, "are the first leaves of %s/%d, root %s", g.New.Origin, g.New.Size,
			g.New.Root)
		for _, hash := range g.Proof {
			printLine(w, "  %s", hash)
		}
	})
}

// old returns the earlier checkpoint. One that was kept elsewhere need not be in the archive.
func (c *auditDeletedCmd) old(ctx context.Context, auditor *session.Auditor) (
	contract.Checkpoint, error) {
	if c.Kept == "" {
		return auditor.Published(ctx, c.Old)
	}
	signed, err := os.ReadFile(c.Kept)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	key := auditor.Keys.Verifier
	return audit.OpenCheckpoint(signed, key.Name(), key)
}

func encoded(proof tlog.TreeProof) []string {
	all := []string{}
	for _, hash := range proof {
		all = append(all, base64.StdEncoding.EncodeToString(hash[:]))
	}
	return all
}
