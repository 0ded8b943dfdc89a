package audit

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// cosignatureNames is the prefix of the objects with cosignatures. Each is a checkpoint with the
// signature of one witness after that of the log. The object of a checkpoint is locked, so
// cosignatures have objects of their own, which can be added at any time, and are locked, too: the
// earliest time that a witness states is evidence. They are put AFTER the checkpoint is published:
// each shows that it was.
const cosignatureNames = "cosignatures/"

// cosignatureSlot is the slot of the cosignature of the checkpoint of size leaves, by the witness
// whose key has a hash.
func cosignatureSlot(size int64, hash uint32) slot {
	return slot(fmt.Sprintf("%s%08x", cosignatureFolder(size), hash))
}

// cosignatureFolder is the prefix of the cosignatures of the checkpoint of size leaves.
func cosignatureFolder(size int64) string {
	return fmt.Sprintf("%s%012d/", cosignatureNames, size)
}

func (w Witness) slot(size int64) slot { return cosignatureSlot(size, w.Key.KeyHash()) }

// Cosigned returns a published checkpoint. Its note also has the archived cosignatures by witnesses
// of Options.Policy.
func (a *Auditor) Cosigned(ctx context.Context, c contract.Checkpoint) (
	contract.Checkpoint, error) {
	if a.Policy == nil || c.Size == 0 {
		return c, nil
	}
	for _, w := range a.Policy.Witnesses {
		if !w.at(c.Note).IsZero() { // c was kept with its cosignatures
			continue
		}
		cosigned, err := find(ctx, a.Archive, w.slot(c.Size), a.openCosigned(c, w))
		if err != nil && !isForeign(err) && !errors.Is(err, ErrAbsent) {
			return c, err
		}
		if err == nil {
			c.Note = append(bytes.Clone(c.Note), lastLine(cosigned)...)
		}
	}
	return c, nil
}

// openCosigned returns an opener of the cosignature of a checkpoint by a witness.
func (a *Auditor) openCosigned(c contract.Checkpoint, w Witness) opener[[]byte] {
	return func(ctx context.Context, name string) ([]byte, error) {
		data, err := a.Archive.Get(ctx, name)
		if err == nil {
			err = a.isCosigned(data, c, w)
		}
		return data, a.opened(name, err)
	}
}

// isCosigned checks that data is checkpoint c with the signatures of the log, then that of w.
func (a *Auditor) isCosigned(data []byte, c contract.Checkpoint, w Witness) error {
	found, err := OpenCheckpoint(data, a.Origin, a.Verifier)
	if err != nil {
		return err
	}
	at, err := w.cosignedAt(data)
	alone := bytes.TrimSuffix(data, lastLine(data))
	switch {
	case err != nil:
		return fmt.Errorf("%w: witness %s: %w", ErrCheckpoint, w.Name, err)
	case at.IsZero() || found.Size != c.Size || found.Root != c.Root ||
		a.otherSignatures(data) != 1 || !bytes.HasPrefix(c.Note, alone):
		return fmt.Errorf("%w: it is not checkpoint %d with a cosignature of witness %s",
			ErrCheckpoint, c.Size, w.Name)
	}
	return nil
}

// lastLine returns the last line of a note.
func lastLine(signed []byte) []byte {
	return signed[bytes.LastIndexByte(bytes.TrimSuffix(signed, []byte("\n")), '\n')+1:]
}

// An Asked witness has cosigned a checkpoint, or not.
type Asked struct {
	Witness
	At  time.Time // the time that it states; zero without a cosignature
	Err error     // the reason why it did not cosign: see RefusedError

	cosigned []byte // the checkpoint with its new cosignature, which the archive does not have
}

// Cosign asks the witnesses of Options.Policy that have not cosigned the last checkpoint to do so,
// and archives their cosignatures. It returns that checkpoint with all its cosignatures. No
// signer key is needed.
func (a *Auditor) Cosign(ctx context.Context) (contract.Checkpoint, []Asked, error) {
	last, under, err := a.latest(ctx)
	if err != nil || under == nil || a.Policy == nil {
		return last, nil, err
	}
	asked, err := a.ask(ctx, last, under.end())
	if err != nil {
		return last, nil, err
	}
	cosigned, err := a.addCosignatures(ctx, last, asked)
	if err == nil && !bytes.Equal(cosigned.Note, last.Note) {
		// Seal may have kept last. A crash here leaves cosignatures that no copy has. A later
		// Cosign copies them.
		err = a.keep(cosigned)
	}
	return cosigned, asked, err
}

// ask asks the witnesses that have not cosigned the checkpoint at a tip, all at once. An error is
// the archive's: that of a witness is in its answer.
func (a *Auditor) ask(ctx context.Context, c contract.Checkpoint, at tip) ([]Asked, error) {
	before, err := a.Cosigned(ctx, c)
	if a.Policy == nil || c.Size == 0 || err != nil {
		return nil, err
	}
	all := make([]Asked, len(a.Policy.Witnesses))
	_ = inParallel(len(all), func(i int) error { // the failure of a witness stops no other
		w := a.Policy.Witnesses[i]
		if all[i].Witness = w; w.at(before.Note).IsZero() {
			all[i].cosigned, all[i].Err = a.askWitness(ctx, w, c, at)
		}
		return nil
	})
	return all, nil
}

// addCosignatures archives the new cosignatures of a published checkpoint, and returns it with all
// that it has.
func (a *Auditor) addCosignatures(
	ctx context.Context, c contract.Checkpoint, asked []Asked,
) (contract.Checkpoint, error) {
	for i := range asked {
		w := &asked[i]
		if w.cosigned == nil {
			continue
		}
		err := put(ctx, a.Archive, w.slot(c.Size), w.cosigned, a.openCosigned(c, w.Witness))
		if !errors.Is(err, ErrExists) { // else another process asked, too
			w.Err = err
		}
	}
	cosigned, err := a.Cosigned(ctx, c)
	for i := range asked {
		asked[i].At = asked[i].at(cosigned.Note)
	}
	a.copyLast(ctx, cosigned)
	return cosigned, err
}

// refusals returns the refusals of the witnesses to cosign a published checkpoint: they have seen
// another history. A witness that does not answer is no failure of a seal. Options.Warn is told.
func (a *Auditor) refusals(published contract.Checkpoint, all []Asked) (err error) {
	for _, asked := range all {
		if asked.Err == nil {
			continue
		}
		failed := fmt.Errorf("witness %s: %w", asked.Name, asked.Err)
		if errors.As(failed, new(*RefusedError)) {
			err = errors.Join(err, failed)
			continue
		}
		a.warn(fmt.Errorf("checkpoint %d is published: %w", published.Size, failed))
	}
	return err
}

// askWitness returns the checkpoint at a tip with the cosignature of one witness.
func (a *Auditor) askWitness(ctx context.Context, w Witness, c contract.Checkpoint, at tip) (
	[]byte, error) {
	lines, err := a.submit(ctx, w, c, at)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(lines) { // one for each of its keys
		cosigned := append(bytes.Clone(c.Note), line...)
		if a.isCosigned(cosigned, c, w) == nil {
			return cosigned, nil
		}
	}
	return nil, fmt.Errorf("its answer has no cosignature by the key %s", keyID(w.Key))
}

// A RefusedError says that a witness has cosigned another history of the log: its checkpoint of
// Size leaves is no prefix of the refused one.
type RefusedError struct {
	Size  int64    // of the last checkpoint that the witness cosigned
	Notes [][]byte // the refused checkpoint, and the one that the witness cosigned if we have it
	what  string
}

func (e *RefusedError) Error() string { return "it refuses to cosign: " + e.what }

// submit sends a checkpoint to a witness, with the proof that it continues the last one that the
// witness cosigned. It first says that there is none, and the witness then names the size.
func (a *Auditor) submit(ctx context.Context, w Witness, c contract.Checkpoint, at tip) (
	[]byte, error) {
	const tries = 4 // another process may submit, too
	tree := a.tree(at.edge)
	for old, try := int64(0), 0; try < tries; try++ {
		var proof tlog.TreeProof
		var err error
		if old > 0 {
			if proof, err = tlog.ProveTree(c.Size, old, tree.hashes(ctx)); err != nil {
				return nil, err
			}
		}
		status, body, err := a.post(ctx, w, old, proof, c.Note)
		known, isSize := sizeIn(body)
		switch {
		case err != nil:
			return nil, err
		case status == http.StatusOK:
			return body, nil
		case old > 0 && (status == http.StatusUnprocessableEntity ||
			status == http.StatusConflict && isSize && known == old):
			return nil, a.refused(ctx, w, c, old, fmt.Sprintf("it has seen another tree of %d "+
				"leaves, which this one of %d leaves does not continue", old, c.Size))
		case status == http.StatusConflict && isSize && known > c.Size:
			return nil, a.overtaken(ctx, w, c, at, known)
		case status != http.StatusConflict || !isSize || known == old:
			return nil, fmt.Errorf("it answers %d %s: %.200q",
				status, http.StatusText(status), body)
		}
		old = known
	}
	return nil, errors.New("it keeps cosigning other checkpoints of this log")
}

// post calls add-checkpoint of a witness (C2SP tlog-witness).
func (a *Auditor) post(
	ctx context.Context, w Witness, old int64, proof tlog.TreeProof, signed []byte,
) (status int, body []byte, err error) {
	if w.URL == "" {
		return 0, nil, errors.New("the policy has no URL for it")
	}
	text := fmt.Appendf(nil, "old %d\n", old)
	for _, hash := range proof {
		text = fmt.Appendf(text, "%s\n", hash)
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second) // a seal waits for the slowest witness
	defer cancel()
	url := strings.TrimSuffix(w.URL, "/") + "/add-checkpoint"
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url,
		bytes.NewReader(append(append(text, '\n'), signed...)))
	if err != nil {
		return 0, nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close()
	const most = 64 << 10 // bytes: some signatures
	body, err = io.ReadAll(io.LimitReader(answer.Body, most))
	return answer.StatusCode, body, err
}

// overtaken returns the error of a witness that has cosigned a larger tree than that of c, which
// ends at a tip. It is no refusal if the archive has batches up to that size: another sealer, which
// archived them BEFORE it submitted the larger tree, was faster or crashed.
func (a *Auditor) overtaken(
	ctx context.Context, w Witness, c contract.Checkpoint, at tip, size int64,
) error {
	for at.size < size {
		b, err := a.batch(ctx, at.number+1)
		if err == nil {
			err = at.continuedBy(b)
		} else if !isForeign(err) && !errors.Is(err, ErrAbsent) {
			return err
		}
		if err != nil {
			return a.refused(ctx, w, c, size, fmt.Sprintf(
				"it has seen a tree of %d leaves, and the log has %d", size, at.size))
		}
		at = b.end()
	}
	return fmt.Errorf("another sealer was faster: the witness has cosigned a tree of %d leaves, "+
		"and the archive has batches up to %d", size, at.size)
}

// refused returns the refusal of a witness that has cosigned a tree of size leaves. The checkpoint
// of that tree is evidence if the witness's cosignature is on it: another one of that size may be
// one that the witness never saw.
func (a *Auditor) refused(
	ctx context.Context, w Witness, c contract.Checkpoint, size int64, what string,
) error {
	e := &RefusedError{size, [][]byte{c.Note}, what}
	kept, err := a.openSeen(a.Known, w, size)
	if err != nil {
		kept, err = find(ctx, a.Archive, w.slot(size), func(ctx context.Context, name string) (
			[]byte, error) {
			data, err := a.Archive.Get(ctx, name)
			if err == nil {
				data, err = a.openSeen(data, w, size)
			}
			return data, a.opened(name, err)
		})
	}
	if err == nil {
		e.Notes = append(e.Notes, kept)
	}
	return e
}

// openSeen checks that data is a checkpoint of size leaves, whatever its root, which w cosigned.
func (a *Auditor) openSeen(data []byte, w Witness, size int64) ([]byte, error) {
	c, err := OpenCheckpoint(data, a.Origin, a.Verifier)
	if err == nil && (c.Size != size || w.at(data).IsZero()) {
		err = fmt.Errorf("%w: it is not a checkpoint %d with a cosignature of witness %s",
			ErrCheckpoint, size, w.Name)
	}
	return data, err
}

// sizeIn reads the size in the answer of a witness.
func sizeIn(body []byte) (int64, bool) {
	text := strings.TrimSuffix(string(body), "\n")
	size, err := strconv.ParseInt(text, 10, 64)
	return size, err == nil && size >= 0 && strconv.FormatInt(size, 10) == text
}

// sealedLater returns a fault if a witness cosigned a checkpoint before the time at which its last
// batch states that it was sealed. c is the checkpoint at which the verifier is.
func (v *verifier) sealedLater(ctx context.Context, c contract.Checkpoint) (
	*contract.Fault, error) {
	if v.Policy == nil || v.at.simulated {
		return nil, nil
	}
	if !v.cosigned[cosignatureFolder(c.Size)] {
		return nil, nil
	}
	cosigned, err := v.Cosigned(ctx, c)
	if err != nil {
		return nil, err
	}
	for _, w := range v.Policy.Witnesses {
		at := w.at(cosigned.Note)
		if !at.IsZero() && v.at.sealed.After(at.Add(tolerance)) {
			return generalFault("wrong sealing time: batch %d states that it was sealed at %s, "+
				"and witness %s cosigned its checkpoint %d at %s", v.at.number,
				v.at.sealed.Format(time.RFC3339), w.Name, c.Size, at.Format(time.RFC3339)), nil
		}
	}
	return nil, nil
}

// checkCosigned tells Options.Foreign of an object that is named like a cosignature, and is none of
// a checkpoint of this log.
func (v *verifier) checkCosigned(ctx context.Context, name string) error {
	_, err := v.openAnyCosigned(ctx, name)
	if err := v.opened(name, err); err != nil && !isForeign(err) {
		return err
	}
	return nil
}

// openAnyCosigned opens a checkpoint of this log that a witness cosigned, perhaps one of an earlier
// policy, whose key nobody has. The log's own signature is enough for a proof against the log. Its
// error does not name the object.
func (a *Auditor) openAnyCosigned(ctx context.Context, name string) (contract.Checkpoint, error) {
	data, err := a.Archive.Get(ctx, name)
	if err != nil {
		return contract.Checkpoint{}, err
	}
	c, err := OpenCheckpoint(data, a.Origin, a.Verifier)
	signatures := a.otherSignatures(data)
	switch {
	case err != nil:
	case !strings.HasPrefix(name, cosignatureFolder(c.Size)):
		err = fmt.Errorf("%w: its size is %d", ErrCheckpoint, c.Size)
	case signatures != 1:
		all, plural := bytes.Count(data, []byte("\n— ")), "s"
		if all == 1 {
			plural = ""
		}
		err = fmt.Errorf("%w: it has %d signature%s, not the log's and a witness's",
			ErrCheckpoint, all, plural)
	}
	return c, err
}

// otherSignatures counts the signatures of a note that are not in the name of the log.
func (a *Auditor) otherSignatures(signed []byte) int {
	ours := bytes.Count(signed, []byte("\n— "+a.Origin+" "))
	return bytes.Count(signed, []byte("\n— ")) - ours
}

// cosignedFrom returns the checkpoints of at least size leaves that lie in the archive with a
// cosignature, by size, each tree once.
func (v *verifier) cosignedFrom(ctx context.Context, size int64) ([]contract.Checkpoint, error) {
	names, err := v.Archive.ListAfter(ctx, cosignatureNames, cosignatureFolder(size))
	if err != nil {
		return nil, err
	}
	all := make([]contract.Checkpoint, len(names))
	err = inParallel(len(names), func(i int) (err error) {
		if all[i], err = v.openAnyCosigned(ctx, names[i]); isForeign(err) {
			all[i], err = contract.Checkpoint{}, nil // nameForeign tells of it
		}
		return named(names[i], err)
	})
	v.cosigned = map[string]bool{}
	for _, name := range names {
		v.cosigned[name[:strings.LastIndex(name, "/")+1]] = true
	}
	all = slices.DeleteFunc(all, func(c contract.Checkpoint) bool { return c.Size == 0 })
	slices.SortFunc(all, func(a, b contract.Checkpoint) int {
		return cmp.Or(cmp.Compare(a.Size, b.Size), bytes.Compare(a.Root[:], b.Root[:]))
	})
	return slices.CompactFunc(all, sameTree), err
}

// sameTree reports whether two checkpoints sign the same tree.
func sameTree(a, b contract.Checkpoint) bool { return a.Size == b.Size && a.Root == b.Root }
