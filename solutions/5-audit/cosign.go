package audit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"example.com/blotter/labs/kit/contract"
)

// cosignatureNames is the prefix of the objects with cosignatures. Each is a checkpoint with the
// signature of one witness after that of the log. A checkpoint is published BEFORE a witness is
// asked, and its object is locked; so cosignatures have objects of their own, which can be added at
// any time, and are locked, too: the earliest time that a witness states is evidence.
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

// isCosigned checks that data is checkpoint c with two signatures: the log's, then that of w.
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
		bytes.Count(data, []byte("\n— ")) != 2 || !bytes.HasPrefix(c.Note, alone):
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
}

// Cosign asks the witnesses of Options.Policy that have not cosigned the last checkpoint to do so,
// and archives their cosignatures. It returns that checkpoint with all its cosignatures. No
// signer key is needed.
func (a *Auditor) Cosign(ctx context.Context) (contract.Checkpoint, []Asked, error) {
	last, under, err := a.latest(ctx)
	if err != nil || last.Size == 0 || a.Policy == nil {
		return last, nil, err
	}
	before, err := a.Cosigned(ctx, last)
	if err != nil {
		return last, nil, err
	}
	all := make([]Asked, len(a.Policy.Witnesses))
	_ = inParallel(len(all), func(i int) error { // the failure of a witness stops no other
		w := a.Policy.Witnesses[i]
		if all[i].Witness = w; w.at(before.Note).IsZero() {
			all[i].Err = a.askWitness(ctx, w, last, a.tree(under))
		}
		return nil
	})
	cosigned, err := a.Cosigned(ctx, last)
	if err != nil {
		return last, all, err
	}
	for i, w := range a.Policy.Witnesses {
		all[i].At = w.at(cosigned.Note)
	}
	if !bytes.Equal(cosigned.Note, before.Note) {
		// A crash here leaves cosignatures that no copy has. A later Cosign copies them.
		err = a.keep(cosigned)
	}
	a.copyLast(ctx, cosigned)
	return cosigned, all, err
}

// witnessed asks the witnesses about a published checkpoint. A witness that does not answer is no
// failure of the seal. A witness that refuses is: it has seen another history.
func (a *Auditor) witnessed(ctx context.Context, published contract.Checkpoint) (
	contract.Checkpoint, error) {
	cosigned, all, err := a.Cosign(ctx)
	if cosigned.Size == published.Size { // or another sealer was faster
		published.Note = cosigned.Note
	}
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
	return published, err
}

// askWitness gets the cosignature of one witness, and archives it.
func (a *Auditor) askWitness(
	ctx context.Context, w Witness, c contract.Checkpoint, tree *sealedTree,
) error {
	lines, err := a.submit(ctx, w, c, tree)
	if err != nil {
		return err
	}
	for line := range bytes.Lines(lines) { // one for each of its keys
		cosigned := append(bytes.Clone(c.Note), line...)
		if a.isCosigned(cosigned, c, w) != nil {
			continue
		}
		err := put(ctx, a.Archive, w.slot(c.Size), cosigned, a.openCosigned(c, w))
		if errors.Is(err, ErrExists) { // another process asked, too
			return nil
		}
		return err
	}
	return fmt.Errorf("its answer has no cosignature by the key %s", keyID(w.Key))
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
func (a *Auditor) submit(
	ctx context.Context, w Witness, c contract.Checkpoint, tree *sealedTree,
) ([]byte, error) {
	const tries = 4 // another process may submit, too
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
		case status == http.StatusUnprocessableEntity && old > 0,
			status == http.StatusConflict && isSize && known == old:
			return nil, a.refused(ctx, c, old, fmt.Sprintf("it has seen another tree of %d "+
				"leaves, which this one of %d leaves does not continue", old, c.Size))
		case status == http.StatusConflict && isSize && known > c.Size:
			return nil, a.refused(ctx, c, known, fmt.Sprintf(
				"it has seen a tree of %d leaves, and the log has %d", known, c.Size))
		case status != http.StatusConflict || !isSize:
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

// refused returns the refusal of a witness that has cosigned a tree of size leaves, as evidence.
func (a *Auditor) refused(
	ctx context.Context, c contract.Checkpoint, size int64, what string,
) error {
	e := &RefusedError{size, [][]byte{c.Note}, what}
	kept, err := OpenCheckpoint(a.Known, a.Origin, a.Verifier)
	if err != nil || kept.Size != size {
		kept, err = a.Published(ctx, size)
	}
	if err == nil {
		kept, err = a.Cosigned(ctx, kept)
	}
	if err == nil && !bytes.Equal(kept.Note, c.Note) {
		e.Notes = append(e.Notes, kept.Note)
	}
	return e
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
	if v.cosigned == nil {
		names, err := v.Archive.ListAfter(ctx, cosignatureNames, cosignatureFolder(v.since))
		if err != nil {
			return nil, err
		}
		v.cosigned = map[string]bool{}
		for _, name := range names {
			v.cosigned[name[:strings.LastIndex(name, "/")+1]] = true
		}
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
// a checkpoint of this log. The witness may be one of an earlier policy.
func (v *verifier) checkCosigned(ctx context.Context, name string, s slot) error {
	data, err := v.Archive.Get(ctx, name)
	var c contract.Checkpoint
	if err == nil {
		c, err = OpenCheckpoint(data, v.Origin, v.Verifier)
	}
	if err == nil && !strings.HasPrefix(string(s), cosignatureFolder(c.Size)) {
		err = fmt.Errorf("%w: its size is %d", ErrCheckpoint, c.Size)
	}
	if err := v.opened(name, err); err != nil && !isForeign(err) {
		return err
	}
	return nil
}
