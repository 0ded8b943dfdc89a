package audit_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// An error names the object of the archive, once.
func TestErrorsNameAnObjectOnce(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(3)
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	_, err = open(t, log, archive).Published(t.Context(), 1)
	require.ErrorIs(t, err, audit.ErrAbsent)
	require.EqualError(t, err, "checkpoints/000000000001: no such object in the archive")

	const cosigned = "cosignatures/000000000009/00000001"
	require.NoError(t, archive.Put(t.Context(), cosigned, []byte("junk")))
	for _, name := range []string{"checkpoint", cosigned, batch1} {
		_, err := open(t, log, unreadable{archive, name}).Verify(t.Context())
		require.ErrorContains(t, err, "the server is down")
		require.Equal(t, 1, strings.Count(err.Error(), name), err)
	}
}

// edited is an archive in which some objects were replaced, or removed (nil).
type edited struct {
	audit.Archive
	over map[string][]byte
}

func (e edited) Get(ctx context.Context, name string) ([]byte, error) {
	data, ok := e.over[name]
	switch {
	case !ok:
		return e.Archive.Get(ctx, name)
	case data == nil:
		return nil, audit.ErrAbsent
	}
	return data, nil
}

func (e edited) Current(ctx context.Context, name string) ([]byte, error) {
	if _, ok := e.over[name]; ok {
		return e.Get(ctx, name)
	}
	return e.Archive.Current(ctx, name)
}

func (e edited) List(ctx context.Context, prefix string) ([]string, error) {
	return e.ListAfter(ctx, prefix, "")
}

func (e edited) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	names, err := e.Archive.ListAfter(ctx, prefix, after)
	for name := range e.over {
		if strings.HasPrefix(name, prefix) && name > after {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	removed := func(name string) bool { data, ok := e.over[name]; return ok && data == nil }
	return slices.DeleteFunc(slices.Compact(names), removed), err
}

// Objects of the archive that sealedTwice returns.
const (
	batch1       = "batches/000000000001"
	batch2       = "batches/000000000002"
	batch3       = "batches/000000000003"
	batch4       = "batches/000000000004"
	bundle4      = "tile/entries/000.p/4"
	bundle12     = "tile/entries/000.p/12"
	tile12       = "tile/0/000.p/12"
	checkpoint6  = "checkpoints/000000000006"
	checkpoint12 = "checkpoints/000000000012"
	copied       = "checkpoint"
)

// sealedTwice returns a log of one partition that was sealed twice.
func sealedTwice(t *testing.T) (*audittest.Log, *audit.Memory, []contract.Checkpoint) {
	log, archive := audittest.NewLog(1), new(audit.Memory)
	var signed []contract.Checkpoint
	for range 2 {
		log.Add(4)
		c, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
		signed = append(signed, c)
	}
	names, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	want := []string{batch1, batch2, batch3, batch4, copied, checkpoint6, checkpoint12}
	for n := range 4 {
		want = append(want, fmt.Sprintf("records/%012d", n+1))
	}
	for _, size := range []string{"10", "12", "4", "6"} {
		want = append(want, "tile/0/000.p/"+size, "tile/entries/000.p/"+size)
	}
	slices.Sort(want)
	require.Equal(t, want, names)
	return log, archive, signed
}

func object(t *testing.T, archive audit.Archive, name string) []byte {
	t.Helper()
	data, err := archive.Get(t.Context(), name)
	require.NoError(t, err)
	return data
}

// resealed returns the archive of another log, sealed with the given keys.
func resealed(
	t *testing.T, log contract.SealableLog, s note.Signer, v note.Verifier,
) audit.Archive {
	t.Helper()
	archive := new(audit.Memory)
	a := open(t, log, archive)
	a.Signer, a.Verifier = s, v
	_, err := a.Seal(t.Context())
	require.NoError(t, err)
	return archive
}

func replaced(text []byte, old, new string) []byte {
	return bytes.Replace(text, []byte(old), []byte(new), 1)
}

func TestArchiveFaultsAreNotBlamedOnTheLog(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	ours, public := keys(t)

	// The same log with two bits flipped: its batches are well-formed in every way.
	changed := audittest.NewLog(1)
	changed.Add(4)
	changed.FlipBit(at(0, 1))
	changed.FlipBit(at(0, 4))
	forged := resealed(t, changed, ours, public)
	text := func(archive audit.Archive, name string) []byte {
		text, _, _ := bytes.Cut(object(t, archive, name), []byte("\n\n"))
		return append(text, '\n')
	}
	// An intruder with the signer key edits a batch and signs it again.
	signed := func(text []byte) []byte {
		data, err := note.Sign(&note.Note{Text: string(text)}, ours)
		require.NoError(t, err)
		return data
	}
	edit := func(old, new string) []byte {
		edited := replaced(text(archive, batch3), old, new)
		require.NotEqual(t, text(archive, batch3), edited)
		return signed(edited)
	}
	_, edge, _ := bytes.Cut(text(archive, batch3), []byte(`"edge":["`))

	for _, tc := range []struct {
		name   string
		object string
		data   []byte
		want   string
	}{
		{"another history's batch", batch1, object(t, forged, batch1),
			"batch 1: tile/0/000.p/4: not a tile of the tree that the log's key signed"},
		{"a missing batch", batch2, nil,
			"batch 2 is missing from the archive: " + batch2 + ": no such object in the archive"},
		{"garbage for a batch", batch2, []byte("garbage"),
			"the archive was changed: " + batch2 + ": not a batch of this log: malformed note"},
		{"a signed note that is no batch", batch2, signed([]byte("garbage\n")),
			"the archive was changed: " + batch2 + ": not a batch: "},
		{"a changed batch", batch2,
			replaced(object(t, archive, batch2), `"number":2`, `"number":3`),
			"the archive was changed: " + batch2 +
				": not a batch of this log: invalid signature for key " + origin},
		{"another batch", batch2, object(t, archive, batch3), "the archive was changed: " +
			batch2 + ": not a batch of this name: its number is 3"},
		{"a changed size", batch3, edit(`"size":10`, `"size":9`),
			"batch 3 begins with leaf 5, and batch 2 ends with leaf 5"},
		{"a size that does not fit", batch3, edit(`"size":10`, `"size":7`),
			"3 events and an edge of 2 hashes do not fit 7 leaves"},
		{"a changed edge", batch3, edit(string(edge[:8]), "AAAAAAAA"), "the archive was changed: " +
			"batch 3: tile/0/000.p/10: not a tile of the tree that the log's key signed"},
		{"a changed range", batch3, edit(`"from":[5]`, `"from":[4]`),
			"the archive was changed: batch 3 begins at [4], and batch 2 ended at [5]"},
		{"a changed event count", batch3, edit(`"events":3`, `"events":2`),
			"it has no such events"},
		{"a changed position", batch3, edit(`"runs":[[0,5,2]`, `"runs":[[0,5,1]`),
			"it has 2 positions for 3 events"},
		{"a missing bundle", bundle12, nil,
			"the archive was changed: " + bundle12 + ": no such object in the archive"},
		{"a changed leaf", bundle12, replaced(object(t, archive, bundle12), "reason 3", "reason 4"),
			"the archive was changed: " + bundle12 +
				": not a tile of the tree that the log's key signed"},
		{"a bundle of an earlier checkpoint", bundle4, object(t, archive, "tile/entries/000.p/6"),
			"the archive was changed: " + bundle4 +
				": not a tile of the tree that the log's key signed"},
		{"a changed hash", tile12, append([]byte{1}, object(t, archive, tile12)[1:]...),
			"the archive was changed: " + tile12 +
				": not a tile of the tree that the log's key signed"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tampered := edited{archive, map[string][]byte{tc.object: tc.data}}
			require.Contains(t, faultText(t, open(t, log, tampered)), tc.want)
		})
	}
}

// Log and archive were changed in the same way, so they agree. Only the signed root shows the
// change.
func TestTheSameChangeOfLogAndArchiveIsFound(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	changed := audittest.NewLog(1)
	changed.Add(4)
	for _, l := range []*audittest.Log{log, changed} {
		l.FlipBit(at(0, 1))
	}
	signer, verifier := keys(t)
	forged := resealed(t, changed, signer, verifier)
	over := map[string][]byte{}
	names, err := forged.List(t.Context(), "")
	require.NoError(t, err)
	for _, name := range names {
		if name != checkpoint6 && name != copied {
			over[name] = object(t, forged, name)
		}
	}
	require.Equal(t, "the archive was changed: "+
		"its batches 1 to 2 do not match the signed checkpoint 6",
		faultText(t, open(t, log, edited{archive, over})))
}

func TestADamagedArchiveIsNotSealed(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	log.Add(1)
	last := object(t, archive, batch4)
	edit := func(old, new string) []byte { return replaced(last, old, new) }
	for name, over := range map[string]map[string][]byte{
		"last batch missing":  {batch4: nil},
		"last batch changed":  {batch4: edit(`"events":1`, `"events":2`)},
		"last range changed":  {batch4: edit(`"to":[10]`, `"to":[11]`)},
		"last bundle missing": {bundle12: nil},
		"last leaf changed":   {bundle12: replaced(object(t, archive, bundle12), "reason 8", "?")},
		"last tile missing":   {tile12: nil},
	} {
		_, err := open(t, log, edited{archive, over}).Seal(t.Context())
		require.ErrorIs(t, err, audit.ErrArchive, name)
	}
}

// The archive alone cannot show that it was rolled back. A kept checkpoint can.
func TestAKeptCheckpointShowsARollback(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	rolledBack := edited{archive, map[string][]byte{checkpoint12: nil, copied: nil}}
	v, err := open(t, log, rolledBack).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault, "it looks like a crash before the checkpoint")
	require.Equal(t, int64(4), v.Unanchored)

	v, err = open(t, log, rolledBack).VerifySince(t.Context(), signed[1].Note)
	require.NoError(t, err)
	require.EqualError(t, v.Fault, "the archive was rolled back: "+
		"its last checkpoint has size 6, and a checkpoint of size 12 was published")

	for _, kept := range signed {
		v, err = open(t, log, archive).VerifySince(t.Context(), kept.Note)
		require.NoError(t, err)
		require.Nil(t, v.Fault)
	}
	_, err = open(t, log, archive).VerifySince(t.Context(), []byte("garbage"))
	require.ErrorIs(t, err, audit.ErrCheckpoint)
}

// A seal of an archive that was rolled back could sign another tree of the same size. A sealer that
// kept the last checkpoint refuses.
func TestARolledBackArchiveIsNotSealed(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	for name, lost := range map[string]audit.Archive{
		"the last checkpoint": edited{archive, map[string][]byte{checkpoint12: nil, copied: nil}},
		"all objects":         new(audit.Memory),
	} {
		a := open(t, log, lost)
		a.Known = signed[1].Note
		_, err := a.Seal(t.Context())
		require.ErrorIs(t, err, audit.ErrArchive, name)
		require.ErrorIs(t, err, audit.ErrRolledBack, name)
		require.ErrorContains(t, err, "the published checkpoint of size 12 is missing", name)
		require.Contains(t, faultText(t, a), "the archive was rolled back: ", name)
	}
}

// A crash between the two steps leaves the keeper with an older checkpoint, which is valid as well.
func TestACheckpointIsPublishedBeforeItIsKept(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	log.Add(3)
	a := open(t, log, archive)
	a.Known = signed[0].Note
	crashed := errors.New("crashed")
	a.Keep = func([]byte) error { return crashed }
	_, err := a.Seal(t.Context())
	require.ErrorIs(t, err, crashed)

	var kept []byte
	a.Keep = func(note []byte) error { kept = note; return nil }
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Greater(t, v.Checkpoint.Size, signed[1].Size, "the checkpoint is published")
	last, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, v.Checkpoint.Note, last.Note)
	require.Equal(t, last.Note, kept, "the next seal keeps the checkpoint without publishing one")
}

// A person who has the key and can empty the archive can sign another history.
func TestAKeptCheckpointShowsANewHistory(t *testing.T) {
	t.Parallel()
	log, _, signed := sealedTwice(t)
	log.FlipBit(at(0, 1))
	rewritten := new(audit.Memory)
	for range 2 {
		_, err := open(t, log, rewritten).Seal(t.Context())
		require.NoError(t, err)
		log.Add(4)
	}
	fault := faultText(t, open(t, log, rewritten))
	require.Equal(t, "<nil>", fault, "the new history is consistent")
	v, err := open(t, log, rewritten).VerifySince(t.Context(), signed[0].Note)
	require.NoError(t, err)
	require.NotNil(t, v.Fault)
	require.Contains(t, v.Fault.Error(), "the signed checkpoint 6")
}

// A Seal signs nothing over an archive that lost its checkpoints, if a signature shows one: nobody
// can forge the copy of the last checkpoint, a cosigned checkpoint or evidence.
func TestSealsRefuseAnEmptiedArchive(t *testing.T) {
	t.Parallel()
	for name, empty := range map[string]func(*world){
		"copy": func(w *world) { w.emptyBut(copied) },
		"cosignature": func(w *world) {
			w.empty()
			by := base64.StdEncoding.EncodeToString(make([]byte, 68))
			plant(t, w.archive, "cosignatures/"+path.Base(w.lastCheckpoint())+"/00000000",
				fmt.Appendf(bytes.Clone(w.known), "— witness.example %s\n", by))
			w.known = nil
		},
		"evidence": func(w *world) {
			w.empty()
			w.evidence, w.known = [][]byte{w.known}, nil
		},
	} {
		w := newWorld(t, 1).copy(t)
		empty(w)
		require.Contains(t, w.named(), "the archive was rolled back: ", name)
		_, err := w.auditor().Seal(t.Context())
		require.ErrorIs(t, err, audit.ErrRolledBack, name)
		_, err = w.auditor().Published(t.Context(), 0)
		require.ErrorIs(t, err, audit.ErrRolledBack, name)
	}
	w := newWorld(t, 1)
	require.NoError(t, w.auditor().CheckUnsealed(t.Context()), "a sealed log")
	unsealed := open(t, audittest.NewLog(1), new(audit.Memory))
	unsealed.Committed = audittest.NewLog(1).Committed
	require.NoError(t, unsealed.CheckUnsealed(t.Context()), "a new log")
}

// A mute archive does not answer for the copy of the last checkpoint.
type mute struct{ audit.Archive }

var errMute = errors.New("the archive does not answer")

func (m mute) Current(context.Context, string) ([]byte, error) { return nil, errMute }

// The copy of the last checkpoint may be the only trace of a rollback. While it cannot be read,
// nothing is signed and nothing verifies.
func TestUnreadableCopyIsAnError(t *testing.T) {
	t.Parallel()
	w := newWorld(t, 1).copy(t)
	w.emptyBut(copied)
	a := w.auditor()
	a.Archive = mute{a.Archive}
	_, err := a.Seal(t.Context())
	require.ErrorIs(t, err, errMute)
	_, err = a.Verify(t.Context())
	require.ErrorIs(t, err, errMute)
	require.ErrorIs(t, a.CheckUnsealed(t.Context()), errMute)
}
