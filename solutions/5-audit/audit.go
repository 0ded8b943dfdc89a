package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// Options configure an Auditor.
type Options struct {
	Log      contract.SealableLog
	Archive  Archive
	Origin   string           // the log's name for all time, such as example.com/desk/blotter
	Verifier note.Verifier    // checks the signatures of Signer
	Signer   note.Signer      // nil for an Auditor that only verifies
	Clock    func() time.Time // gives sealing times; needed with Signer
	Batch    int64            // most offsets in one batch; 0 is DefaultBatch, which is the most
	// Known is a signed checkpoint that was kept outside the archive; it may be nil. An archive
	// that no longer has it was rolled back. Verify then reports a fault. Seal then refuses to
	// sign, because the result could be a second tree of the same size.
	Known []byte
	// Keep receives each signed checkpoint that Seal returns, AFTER it is in the archive; it may be
	// nil. Every checkpoint that it receives was therefore published. A crash in between leaves its
	// owner with an older checkpoint, which is a valid Known for the leaves that it covers.
	Keep func(signed []byte) error
	// Foreign is told of each object in the archive that is passed over because no sealer of the
	// log put it, and of the reason; it may be nil. It may be told of an object several times.
	Foreign func(name string, why error)
}

// DefaultBatch is the number of events that a Seal or Verify holds in memory at a time. A header
// can list all of them as offenders, and still fits a leaf.
const DefaultBatch = 8192

// An Auditor seals one log into one archive, and verifies it. Several Auditors may run at once, in
// several processes: the archive decides which one was first.
type Auditor struct{ Options }

var (
	_ contract.Auditor       = (*Auditor)(nil)
	_ contract.SinceVerifier = (*Auditor)(nil)
	_ contract.SealedLog     = (*Auditor)(nil)
	_ contract.Prover        = (*Auditor)(nil)
)

// Open checks the options. It reads and writes nothing.
func Open(o Options) (*Auditor, error) {
	switch {
	case o.Log == nil || o.Archive == nil:
		return nil, errors.New("audit: a log and an archive are needed")
	case o.Origin == "" || strings.Contains(o.Origin, "\n"):
		return nil, fmt.Errorf("audit: origin %q is not one line of text", o.Origin)
	case o.Verifier == nil:
		return nil, errors.New("audit: a verifier key is needed")
	case o.Signer != nil && keyID(o.Signer) != keyID(o.Verifier):
		return nil, errors.New("audit: the signer key and the verifier key are no pair")
	case o.Signer != nil && o.Clock == nil:
		return nil, errors.New("audit: a clock is needed to seal")
	case o.Batch < 0 || o.Batch > DefaultBatch:
		return nil, fmt.Errorf("audit: the batch size %d is not between 0 and %d",
			o.Batch, DefaultBatch)
	}
	if o.Batch == 0 {
		o.Batch = DefaultBatch
	}
	return &Auditor{o}, nil
}

// ErrArchive is wrapped by the error for an archive that contradicts itself or its checkpoint.
// Nothing can be sealed on top of it. Verify finds the place.
var ErrArchive = errors.New("the audit archive is damaged")

// Published returns the archived checkpoint of size leaves, or ErrAbsent. Size 0 asks for the last
// checkpoint; if nothing was ever sealed, that is the checkpoint of the empty tree, without a note.
// End is set only for the last checkpoint.
func (a *Auditor) Published(ctx context.Context, size int64) (contract.Checkpoint, error) {
	if size == 0 {
		last, _, err := a.latest(ctx)
		return last, err
	}
	return find(ctx, a.Archive, slot{checkpointNames, size}, a.Archived)
}

// Leaves calls each with every archived leaf below size, in order. For an event, at is its position
// in the log; for the header that closes a batch, at is nil. Leaves does not compare the leaves
// with a root: the caller does.
func (a *Auditor) Leaves(ctx context.Context, size int64,
	each func(index int64, at *contract.Position, leaf []byte) error) error {
	for index := int64(0); index < size; {
		b, err := a.batch(ctx, index)
		if err != nil {
			return err
		}
		for i := range b.events {
			if err := each(index, &b.events[i].Position, b.events[i].Leaf); err != nil {
				return err
			}
			index++
		}
		if err := each(index, nil, b.header.leaf()); err != nil {
			return err
		}
		index++
	}
	return nil
}

// latest returns the last checkpoint and the tip that it signs. It reads only that checkpoint and
// the last batch that it covers. That is enough: the batch carries the edge of the tree before it,
// and only the right edge and the right leaves give the signed root.
func (a *Auditor) latest(ctx context.Context) (contract.Checkpoint, tip, error) {
	c, err := a.last(ctx)
	if err != nil || c.Size == 0 {
		return c, tip{}, err
	}
	damaged := func(err error) (contract.Checkpoint, tip, error) {
		return contract.Checkpoint{}, tip{}, fmt.Errorf("%w: under checkpoint %d: %w",
			ErrArchive, c.Size, err)
	}
	b, err := a.lastBatch(ctx, c.Size)
	if err != nil {
		return damaged(err)
	}
	end := b.end()
	if end.size != c.Size || end.root() != tlog.Hash(c.Root) {
		return damaged(fmt.Errorf("batch %d does not give the signed root", b.Number))
	}
	c.End, end.events = b.To, b.honest()
	return c, end, nil
}

// last returns the last checkpoint that the log's key signed; without one the empty tree's. A
// KeyError means that other keys signed all checkpoints of this log: nothing may be signed on top.
// Before the first seal, too, because nobody can tell such an archive from one whose key was lost.
func (a *Auditor) last(ctx context.Context) (contract.Checkpoint, error) {
	names, err := a.Archive.List(ctx, checkpointNames)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	var foreign []error
	for _, name := range slices.Backward(names) {
		c, err := a.Archived(ctx, name)
		if !isForeign(err) {
			return c, err
		}
		foreign = append(foreign, err)
	}
	return a.emptyCheckpoint(), otherKey(foreign)
}

// CheckKey returns a KeyError if the archive has checkpoints of this log, and the log's key signed
// none of them.
func (a *Auditor) CheckKey(ctx context.Context) error {
	_, err := a.last(ctx)
	return err
}

// Signed reports whether the archive has a checkpoint of a log with this origin, whichever key
// signed it.
func Signed(ctx context.Context, archive Archive, origin string) (bool, error) {
	_, nobody, err := GenerateKey(rand.Reader, origin)
	if err != nil {
		return false, err
	}
	key, err := note.NewVerifier(nobody)
	if err != nil {
		return false, err
	}
	a := &Auditor{Options{Archive: archive, Origin: origin, Verifier: key}}
	err = a.CheckKey(ctx)
	if other := new(KeyError); errors.As(err, &other) {
		return true, nil
	}
	return false, err
}

// otherKey returns the first KeyError of errs.
func otherKey(errs []error) error {
	for _, err := range errs {
		if other := new(KeyError); errors.As(err, &other) {
			return fmt.Errorf("the checkpoints in the archive are %w", other)
		}
	}
	return nil
}

// emptyCheckpoint is the checkpoint of a log that was never sealed. It has no signature.
func (a *Auditor) emptyCheckpoint() contract.Checkpoint {
	return contract.Checkpoint{Origin: a.Origin, Root: (&edge{}).root()}
}

// Archived reads the checkpoint in an object of the archive. The number in the object's name must
// be its size. The error of a foreign object is ErrCheckpoint.
func (a *Auditor) Archived(ctx context.Context, name string) (c contract.Checkpoint, err error) {
	signed, err := a.Archive.Get(ctx, name)
	if err == nil {
		c, err = OpenCheckpoint(signed, a.Origin, a.Verifier)
	}
	if s, _, ok := slotOf(name); err == nil && (!ok || s.number != c.Size) {
		err = fmt.Errorf("%w: its size is %d", ErrCheckpoint, c.Size)
	}
	return c, a.opened(name, err)
}

// batch reads the batch whose first leaf has an index.
func (a *Auditor) batch(ctx context.Context, first int64) (*batch, error) {
	return find(ctx, a.Archive, slot{batchNames, first}, a.openBatch)
}

func (a *Auditor) openBatch(ctx context.Context, name string) (b *batch, err error) {
	s, _, ok := slotOf(name)
	if !ok || s.kind != batchNames {
		return nil, a.opened(name, errName)
	}
	data, err := a.Archive.Get(ctx, name)
	if err == nil {
		b, err = openBatch(data, a.Verifier)
	}
	if err == nil && b.first.size != s.number {
		err = fmt.Errorf("%w of this name: it begins with leaf %d", errBatch, b.first.size)
	}
	if err != nil {
		return nil, a.opened(name, err)
	}
	b.object = name
	return b, nil
}

// opened returns the error of opening an object, with its name. It tells Options.Foreign of a
// foreign object.
func (a *Auditor) opened(name string, err error) error {
	if err == nil {
		return nil
	}
	if isForeign(err) && a.Foreign != nil {
		a.Foreign(name, err)
	}
	return fmt.Errorf("%s: %w", name, err)
}

// lastBatch returns the last batch of a tree of size leaves: the last one that begins inside it.
func (a *Auditor) lastBatch(ctx context.Context, size int64) (*batch, error) {
	names, err := a.Archive.List(ctx, batchNames)
	if err != nil {
		return nil, err
	}
	for _, name := range slices.Backward(names) {
		if s, _, ok := slotOf(name); ok && s.number < size {
			b, err := a.batch(ctx, s.number)
			if !isForeign(err) {
				return b, err
			}
		}
	}
	return nil, fmt.Errorf("no batch before leaf %d: %w", size, ErrAbsent)
}
