package audit_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// edited is an archive of which some objects were replaced, or removed (nil).
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

func (e edited) List(ctx context.Context, prefix string) ([]string, error) {
	names, err := e.Archive.List(ctx, prefix)
	for name := range e.over {
		if strings.HasPrefix(name, prefix) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(n string) bool { data, ok := e.over[n]; return ok && data == nil })
	return names, err
}

// sealedTwice is a log of one partition with checkpoints of size 6 (batches at 0 and 4) and 12 (batches at 6 and 10).
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
	require.Equal(t, []string{
		"batches/000000000000", "batches/000000000004", "batches/000000000006", "batches/000000000010",
		"checkpoints/000000000006", "checkpoints/000000000012",
	}, names)
	return log, archive, signed
}

func object(t *testing.T, archive audit.Archive, name string) []byte {
	t.Helper()
	data, err := archive.Get(t.Context(), name)
	require.NoError(t, err)
	return data
}

// resealed is the archive of the same seals of another log, under the same key or a stranger's.
func resealed(t *testing.T, log contract.Reader, key note.Signer, public note.Verifier) *audit.Memory {
	t.Helper()
	archive := new(audit.Memory)
	a, err := audit.Open(audit.Options{Log: log, Archive: archive, Origin: origin, Signer: key, Verifier: public, Batch: 4})
	require.NoError(t, err)
	_, err = a.Seal(t.Context())
	require.NoError(t, err)
	return archive
}

func TestAChangeOfTheArchiveIsNotBlamedOnTheLog(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	ours, public := keys(t)
	stranger, strangers := newKeys(t)

	// The same log but for two bits: its batches are well-formed in every way.
	bent := audittest.NewLog(1)
	bent.Add(4)
	bent.FlipBit(at(0, 1))
	bent.FlipBit(at(0, 4))
	forged := resealed(t, bent, ours, public)
	second := object(t, archive, "batches/000000000004")
	lastLeaf := func(b []byte) []byte { return b[bytes.IndexByte(b, '\n'):] }
	edge, _, _ := bytes.Cut(second, []byte("\n"))
	bentSecond := slices.Concat(edge, lastLeaf(object(t, forged, "batches/000000000004")))
	third := object(t, archive, "batches/000000000006")
	lines := bytes.SplitAfter(third, []byte("\n"))

	for _, tc := range []struct {
		name   string
		object string
		data   []byte
		want   string
	}{
		{"a leaf", "batches/000000000000", object(t, forged, "batches/000000000000"),
			"position 0/1 (leaf 1): the archive was changed: batch at leaf 4 does not begin with the tree that ends there; and here it differs from the log"},
		{"a leaf before a checkpoint", "batches/000000000004", bentSecond,
			"position 0/4 (leaf 4): the archive was changed: its batches 1 to 2 do not lead to the signed root of checkpoint 6; and here it differs from the log"},
		{"a batch is gone", "batches/000000000004", nil, "batch 2 is gone from the archive: no such object in the archive"},
		{"a batch is garbage", "batches/000000000004", []byte("garbage"), "the archive was changed: batches/000000000004: not a batch: line 1: "},
		{"a batch is another", "batches/000000000004", third, "the archive was changed: batch at leaf 4 does not begin with the tree that ends there"},
		{"a batch lost its end", "batches/000000000006", bytes.Join(lines[:2], nil), "not a batch: it holds 1 events and says 3"},
		{"an edge", "batches/000000000006", bytes.Replace(third, []byte(`"first":6`), []byte(`"first":7`), 1), "an edge of 2 hashes for a tree of 7 leaves"},
		{"a range", "batches/000000000006", bytes.Replace(third, []byte(`"from":[5]`), []byte(`"from":[6]`), 1), "the archive was changed: batch 3 begins at [6], and batch 2 ended at [5]"},
		{"a count of batches", "batches/000000000006", bytes.Replace(third, []byte(`"number":3`), []byte(`"number":4`), 1), "batch at leaf 6 has number 4, want 3"},
		{"an order", "batches/000000000006", bytes.Join([][]byte{lines[0], lines[2], lines[1], lines[3]}, nil), "batch 3 holds the event at 0/5 out of place"},
		{"a checkpoint is garbage", "checkpoints/000000000006", []byte("garbage"), "checkpoints/000000000006: not a checkpoint of this log: malformed note"},
		{"a checkpoint under another name", "checkpoints/000000000099", object(t, archive, "checkpoints/000000000006"), "checkpoints/000000000099: not a checkpoint of this log: it is of size 6"},
		{"a checkpoint by a stranger", "checkpoints/000000000012", object(t, resealed(t, log, stranger, strangers), "checkpoints/000000000011"), "not a checkpoint of this log: note has no verifiable signatures"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			v, err := open(t, log, edited{archive, map[string][]byte{tc.object: tc.data}}).Verify(t.Context())
			require.NoError(t, err)
			require.NotNil(t, v.Fault)
			require.Contains(t, v.Fault.Error(), tc.want)
		})
	}
}

// Log and archive were changed alike, so they agree: the signed root alone tells.
func TestAChangeOfLogAndArchiveAlikeIsFound(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	bent := audittest.NewLog(1)
	bent.Add(4)
	for _, l := range []*audittest.Log{log, bent} {
		l.FlipBit(at(0, 1))
	}
	signer, verifier := keys(t)
	alike := resealed(t, bent, signer, verifier)
	over := map[string][]byte{}
	for _, name := range []string{"batches/000000000000", "batches/000000000004"} {
		over[name] = object(t, alike, name)
	}
	v, err := open(t, log, edited{archive, over}).Verify(t.Context())
	require.NoError(t, err)
	require.EqualError(t, v.Fault, "the archive was changed: its batches 1 to 2 do not lead to the signed root of checkpoint 6")
}

func TestNothingIsSealedOnADamagedArchive(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	log.Add(1)
	last := object(t, archive, "batches/000000000010")
	for name, over := range map[string]map[string][]byte{
		"last batch gone":        {"batches/000000000010": nil},
		"last batch changed":     {"batches/000000000010": bytes.Replace(last, []byte(`"events":1`), []byte(`"events":2`), 1)},
		"last range changed":     {"batches/000000000010": bytes.Replace(last, []byte(`"to":[10]`), []byte(`"to":[11]`), 1)},
		"last checkpoint forged": {"checkpoints/000000000099": []byte("garbage")},
	} {
		_, err := open(t, log, edited{archive, over}).Seal(t.Context())
		require.ErrorIs(t, err, audit.ErrArchive, name)
	}
}

// What an archive alone cannot tell, a checkpoint that somebody kept can.
func TestAKeptCheckpointShowsThatTheArchiveWasRolledBack(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	back := edited{archive, map[string][]byte{"checkpoints/000000000012": nil}}
	v, err := open(t, log, back).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault, "it looks like a crash before the checkpoint")
	require.Equal(t, int64(4), v.Unanchored)

	v, err = open(t, log, back).VerifySince(t.Context(), signed[1].Note)
	require.NoError(t, err)
	require.EqualError(t, v.Fault, "the archive was rolled back: its last checkpoint is of size 6, and one of size 12 was published")

	for _, kept := range signed {
		v, err = open(t, log, archive).VerifySince(t.Context(), kept.Note)
		require.NoError(t, err)
		require.Nil(t, v.Fault)
	}
	_, err = open(t, log, archive).VerifySince(t.Context(), []byte("garbage"))
	require.ErrorIs(t, err, audit.ErrCheckpoint)
}

// Over an archive that was rolled back another tree of the same size could be signed. Who kept the last checkpoint does not do so.
func TestNothingIsSealedOverAnArchiveThatLostWhatWasPublished(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	knows := func(archive audit.Archive, kept []byte) *audit.Auditor {
		a := open(t, log, archive)
		a.Known = kept
		return a
	}
	back := edited{archive, map[string][]byte{"checkpoints/000000000012": nil}}
	for name, lost := range map[string]audit.Archive{"the last checkpoint": back, "all": new(audit.Memory)} {
		_, err := knows(lost, signed[1].Note).Seal(t.Context())
		require.ErrorIs(t, err, audit.ErrArchive, name)
		require.ErrorIs(t, err, audit.ErrRolledBack, name)
		require.ErrorContains(t, err, "it was rolled back: a checkpoint of size 12 was published, and is not there any more", name)
		v, err := knows(lost, signed[1].Note).Verify(t.Context())
		require.NoError(t, err, name)
		require.ErrorContains(t, v.Fault, "the archive was rolled back: ", name)
	}
}

// A crash between the two leaves an older one with who keeps them, which is as true.
func TestACheckpointIsKeptAfterItIsPublished(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	log.Add(3)
	a := open(t, log, archive)
	a.Known = signed[0].Note
	dead := errors.New("crashed")
	a.Keep = func([]byte) error { return dead }
	_, err := a.Seal(t.Context())
	require.ErrorIs(t, err, dead)

	var kept []byte
	a.Keep = func(note []byte) error { kept = note; return nil }
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Greater(t, v.Checkpoint.Size, signed[1].Size, "it was published before")
	last, err := a.Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, v.Checkpoint.Note, last.Note)
	require.Equal(t, last.Note, kept, "the next seal brings it, though it has nothing to publish")
}

// Who holds the key and can empty the archive can sign another history.
func TestAKeptCheckpointShowsThatHistoryWasSignedAnew(t *testing.T) {
	t.Parallel()
	log, _, signed := sealedTwice(t)
	log.FlipBit(at(0, 1))
	anew := new(audit.Memory)
	for range 2 {
		_, err := open(t, log, anew).Seal(t.Context())
		require.NoError(t, err)
		log.Add(4)
	}
	v, err := open(t, log, anew).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault, "it is consistent in itself")
	v, err = open(t, log, anew).VerifySince(t.Context(), signed[0].Note)
	require.NoError(t, err)
	require.NotNil(t, v.Fault)
	require.Contains(t, v.Fault.Error(), "do not lead to the signed root of checkpoint 6")
}
