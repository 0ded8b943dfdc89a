package audit

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
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
	Verifier note.Verifier    // checks the signatures of Signer; a *Ring has several keys
	Signer   note.Signer      // nil for an Auditor that only verifies
	Next     note.Signer      // the second signer of an overlap (Rotate); otherwise nil
	Clock    func() time.Time // gives sealing times; needed with Signer
	Batch    int64            // most offsets in one batch; 0 is DefaultBatch, which is the most
	// Known is a signed checkpoint that was kept outside the archive; it may be nil. An archive
	// that no longer has it was rolled back. Verify then reports a fault. Seal then refuses to
	// sign, because the result could be a second tree of the same size.
	Known []byte
	// Evidence has signed checkpoints that were kept because they contradict others. They show that
	// an archive without a checkpoint was emptied, and count for nothing else.
	Evidence [][]byte
	// Committed returns the frontier that Seal had the log commit, without committing one, and
	// reports whether any Seal did. The frontier of a simulated log has no time. Nil does not know:
	// see CheckUnsealed.
	Committed func(ctx context.Context) (at time.Time, begun bool, err error)
	// Keep receives each signed checkpoint that Seal returns, AFTER it is in the archive; it may be
	// nil. Every checkpoint that it receives was therefore published. A crash in between leaves its
	// owner with an older checkpoint, which is a valid Known for the leaves that it covers.
	Keep func(signed []byte) error
	// Policy names the witnesses that Seal asks to cosign each checkpoint before it is published;
	// nil asks none. Verify does not ask for a quorum: Policy.Check does.
	Policy *Policy
	// Foreign is told of each object in the archive that is passed over because no sealer of the
	// log put it, and of the reason; it may be nil. It may be told of an object several times.
	Foreign func(name string, why error)
	// Disposed returns the numbers of the batches whose records were removed when their retention
	// ended, as on record now. Verify then does not miss them. Nil misses all.
	Disposed func(ctx context.Context) (map[int64]bool, error)
	// LockUntil returns the time until which a policy locks the records of an event; nil leaves
	// them to the retention of the archive, which counts if it is longer. It needs a Locker.
	LockUntil func(typ string, recorded time.Time) time.Time
	// Warn is told that a Seal published its checkpoint, and failed to write the copy of the last
	// checkpoint; the next Seal writes that copy. It is also told of each error that Handler does
	// not show to its client, several at once. It may be nil.
	Warn func(error)
}

// DefaultBatch is the number of events that a Seal or Verify holds in memory at a time. A header
// can list all of them as offenders, and still fits a leaf.
const DefaultBatch = 8192

// An Auditor seals one log into one archive, and verifies it. Several Auditors may run at once, in
// several processes: the archive decides which one was first.
type Auditor struct {
	Options
	telling sync.Mutex // for Foreign, which objects that are read at once may call
}

var (
	_ contract.Auditor       = (*Auditor)(nil)
	_ contract.SinceVerifier = (*Auditor)(nil)
	_ contract.SealedLog     = (*Auditor)(nil)
	_ contract.Prover        = (*Auditor)(nil)
	_ contract.RecordArchive = (*Auditor)(nil)
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
	case !pairs(o.Verifier, o.Signer, o.Next):
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
	return &Auditor{Options: o}, nil
}

// pairs reports whether key checks the signatures of each signer that is not nil.
func pairs(key note.Verifier, signers ...note.Signer) bool {
	return !slices.ContainsFunc(signers, func(s note.Signer) bool {
		if s == nil {
			return false
		}
		_, err := verifiersOf(key).Verifier(s.Name(), s.KeyHash())
		return err != nil
	})
}

// signers returns the keys that sign, the older one first.
func (a *Auditor) signers() []note.Signer {
	if a.Next == nil {
		return []note.Signer{a.Signer}
	}
	return []note.Signer{a.Signer, a.Next}
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
	return find(ctx, a.Archive, checkpointSlot(size), a.Archived)
}

// latest returns the last checkpoint and the batch under it, nil before the first. Its cost does
// not depend on the length of the log. ErrRolledBack says that a later checkpoint is lost.
func (a *Auditor) latest(ctx context.Context) (contract.Checkpoint, *batch, error) {
	shown, err := a.shown(ctx)
	if err != nil {
		return contract.Checkpoint{}, nil, err
	}
	c, err := a.last(ctx)
	if err == nil {
		err = a.checkShown(ctx, shown, c)
	}
	if err != nil || c.Size == 0 {
		return c, nil, err
	}
	b, err := a.under(ctx, c)
	if err != nil {
		return contract.Checkpoint{}, nil, fmt.Errorf("%w: under checkpoint %d: %w",
			ErrArchive, c.Size, err)
	}
	c.End = b.To
	return c, b, nil
}

// under returns the batch that ends with the tree of a checkpoint. The last leaf of the tree names
// it. Nobody has to trust that leaf: the batch is signed, and its edge has the signed root.
func (a *Auditor) under(ctx context.Context, c contract.Checkpoint) (*batch, error) {
	tile := tileAt(entryLevel, (c.Size-1)/tileWidth, c.Size)
	return find(ctx, a.Archive, tileSlot(tile), func(_ context.Context, name string) (
		*batch, error) {
		data, err := a.Archive.Get(ctx, name)
		if err != nil {
			return nil, a.opened(name, err)
		}
		var number int64
		leaves, err := splitBundle(data)
		if err == nil && len(leaves) == tile.W {
			number, _ = numberOf(leaves[tile.W-1])
		}
		b, err := a.batch(ctx, number)
		if isForeign(err) || errors.Is(err, ErrAbsent) {
			err = fmt.Errorf("%w: its last leaf names no batch: %v", errTile, err)
		}
		if err == nil && (b.edge.size != c.Size || b.edge.root() != tlog.Hash(c.Root)) {
			err = fmt.Errorf("%w: batch %d does not give the signed root", errTile, number)
		}
		return b, a.opened(name, err)
	})
}

// last returns the last checkpoint that the log's key signed; without one the empty tree's. It
// looks from the copy of the last checkpoint on, and everywhere if that finds nothing. A KeyError
// means that other keys signed all checkpoints of this log: nothing may be signed on top. Before
// the first seal, too, because nobody can tell such an archive from one whose key was lost.
func (a *Auditor) last(ctx context.Context) (contract.Checkpoint, error) {
	from, err := a.copied(ctx)
	if err != nil {
		return from, err
	}
	if from.Size > 0 {
		c, _, err := a.lastAfter(ctx, string(checkpointSlot(from.Size-1)))
		if err != nil || c.Size > 0 {
			return c, err
		}
	}
	c, foreign, err := a.lastAfter(ctx, "")
	if err != nil || c.Size > 0 {
		return c, err
	}
	return a.emptyCheckpoint(), otherKey(foreign)
}

// lastAfter returns the last checkpoint among the objects after a name, and the errors of foreign
// ones.
func (a *Auditor) lastAfter(ctx context.Context, after string) (
	c contract.Checkpoint, foreign []error, err error) {
	names, err := a.Archive.ListAfter(ctx, checkpointNames, after)
	if err != nil {
		return c, nil, err
	}
	for _, name := range slices.Backward(names) {
		c, err := a.Archived(ctx, name)
		if !isForeign(err) {
			return c, foreign, err
		}
		foreign = append(foreign, err)
	}
	return c, foreign, nil
}

// copied returns the copy of the last checkpoint; the zero value without a copy that the log's key
// signed. An archive that does not answer is an error: the copy may show a rollback.
func (a *Auditor) copied(ctx context.Context) (contract.Checkpoint, error) {
	data, err := a.Archive.Current(ctx, lastCheckpoint)
	if isForeign(err) || errors.Is(err, ErrAbsent) {
		return contract.Checkpoint{}, nil
	}
	if err != nil {
		return contract.Checkpoint{}, fmt.Errorf("read %s: %w", lastCheckpoint, err)
	}
	c, err := OpenCheckpoint(data, a.Origin, a.Verifier)
	if err != nil {
		return contract.Checkpoint{}, nil // anybody may write the copy
	}
	return c, nil
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
	a := &Auditor{Options: Options{Archive: archive, Origin: origin, Verifier: key}}
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
	if s, _, _ := slotOf(name); err == nil && s != checkpointSlot(c.Size) {
		err = fmt.Errorf("%w: its size is %d", ErrCheckpoint, c.Size)
	}
	return c, a.opened(name, err)
}

// batch reads the batch with a number.
func (a *Auditor) batch(ctx context.Context, number int64) (*batch, error) {
	return find(ctx, a.Archive, batchSlot(number), a.openBatch)
}

func (a *Auditor) openBatch(ctx context.Context, name string) (b *batch, err error) {
	data, err := a.Archive.Get(ctx, name)
	if err == nil {
		b, err = openBatch(data, a.Verifier)
	}
	if s, _, _ := slotOf(name); err == nil && s != batchSlot(b.Number) {
		err = fmt.Errorf("%w of this name: its number is %d", errBatch, b.Number)
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
	if isForeign(err) && a.Foreign != nil {
		a.telling.Lock()
		defer a.telling.Unlock()
		a.Foreign(name, err)
	}
	return named(name, err)
}

// named returns an error with the name of its object; nil without an error.
func named(name string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
