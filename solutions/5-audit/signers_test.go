package audit_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/5-audit/audittest"
	audit "example.com/blotter/solutions/5-audit"
)

// A pair is a signer key of the log and its public key as text.
type pair struct {
	note.Signer
	public string
}

// pairOf returns the same pair for a name in every run.
func pairOf(t *testing.T, name, origin string) pair {
	seed := sha256.Sum256([]byte(name))
	secret, public, err := audit.GenerateKey(bytes.NewReader(seed[:]), origin)
	require.NoError(t, err)
	signer, err := note.NewSigner(secret)
	require.NoError(t, err)
	return pair{signer, public}
}

// A rotatingLog changes its signers.
type rotatingLog struct {
	*testing.T
	log     *audittest.Log
	archive *audit.Memory
	keys    []pair // by age
	foreign map[string]error
}

func newRotatingLog(t *testing.T) *rotatingLog {
	r := &rotatingLog{T: t, log: audittest.NewLog(1), archive: new(audit.Memory)}
	for _, name := range []string{"a", "b", "c"} {
		r.keys = append(r.keys, pairOf(t, name, origin))
	}
	return r
}

// as returns an auditor that holds a public key, and as the folder has two signers; nil without.
func (r *rotatingLog) as(key string, signers ...note.Signer) *audit.Auditor {
	r.foreign = map[string]error{}
	pin, err := audit.OpenRing(key)
	require.NoError(r, err)
	ring, err := audit.Signers(r.Context(), r.archive, pin, nil)
	require.NoError(r, err)
	o := audit.Options{Log: r.log, Archive: r.archive, Origin: origin, Verifier: ring, Batch: 4,
		Clock: tomorrow, Foreign: func(name string, why error) { r.foreign[name] = why }}
	now := append(ring.Signing(signers...), nil, nil)
	o.Signer, o.Next = now[0], now[1]
	a, err := audit.Open(o)
	require.NoError(r, err)
	return a
}

// seal adds events and seals them, and returns the signed checkpoint.
func (r *rotatingLog) seal(signers ...note.Signer) []byte {
	r.log.Add(3)
	c, err := r.as(r.keys[0].public, signers...).Seal(r.Context())
	require.NoError(r, err)
	return c.Note
}

// rotate goes from a key to the next one: an overlap, in which it seals, and its end.
func (r *rotatingLog) rotate(i int) {
	old, next := r.keys[i], r.keys[i+1]
	_, err := r.as(old.public, old).Rotate(r.Context(), next, old.public, next.public)
	require.NoError(r, err)
	require.Equal(r, 2, bytes.Count(r.seal(old, next), []byte("\n— ")))
	_, err = r.as(old.public, old, next).Retire(r.Context())
	require.NoError(r, err)
	require.Equal(r, 1, bytes.Count(r.seal(old, next), []byte("\n— ")))
}

// Whoever holds one of the keys verifies everything that was sealed before, between and after two
// rotations, and opens each checkpoint and proof with the notes alone, without the archive.
func TestEveryKeyVerifiesARotatedLog(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	notes := [][]byte{r.seal(r.keys[0])}
	proof, err := r.as(r.keys[0].public).Prove(t.Context(), r.log.Events()[0])
	require.NoError(t, err)
	r.rotate(0)
	notes = append(notes, r.seal(r.keys[1]))
	r.rotate(1)
	notes = append(notes, r.seal(r.keys[2]))
	for _, key := range r.keys {
		a := r.as(key.public)
		v, err := a.Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Empty(t, r.foreign)
		require.EqualValues(t, len(r.log.Events()), v.Sealed)

		ring := a.Verifier.(*audit.Ring)
		require.Len(t, ring.Rotations(), 2)
		alone, err := audit.OpenRing(ring.String())
		require.NoError(t, err)
		require.Equal(t, ring.String(), alone.String())
		require.Len(t, alone.Rotations(), 2)
		for _, signed := range notes {
			_, err := audit.OpenCheckpoint(signed, origin, alone)
			require.NoError(t, err)
		}
		_, err = audit.CheckProof(proof, origin, alone)
		require.NoError(t, err)
	}
}

// A checkpoint by a key to which no note leads is named as that, and so are one by a key whose time
// is over, alone or on an object of the archive, and one by a key whose time has not begun.
func TestCheckpointOutOfTimeIsNamed(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	first := r.seal(r.keys[0])
	r.rotate(0)
	last := r.seal(r.keys[1])
	ring := r.as(r.keys[0].public).Verifier
	by := func(signed []byte, key note.Signer) []byte {
		text, _, _ := strings.Cut(string(signed), "\n\n")
		again, err := note.Sign(&note.Note{Text: text + "\n"}, key)
		require.NoError(t, err)
		return again
	}
	for _, test := range []struct {
		signed []byte
		want   string
	}{
		{by(last, r.keys[0]), "a key that the log gave up: it signs no checkpoint of more than"},
		{by(first, r.keys[1]), "a later key of the log: it signs only checkpoints of more than"},
		{by(last, r.keys[2]), "no chain of cross-signed notes leads from one to the other"},
	} {
		_, err := audit.OpenCheckpoint(test.signed, origin, ring)
		require.ErrorIs(t, err, audit.ErrCheckpoint)
		require.ErrorContains(t, err, test.want)
	}
	r.log.Add(1)
	c, err := r.as(r.keys[0].public, r.keys[1]).Seal(t.Context())
	require.NoError(t, err)
	name := fmt.Sprintf("checkpoints/%012d.1", c.Size)
	require.NoError(t, r.archive.Put(t.Context(), name, by(c.Note, r.keys[0])))
	v, err := r.as(r.keys[1].public).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.ErrorContains(t, r.foreign[name], "a key that the log gave up")
}

// A cross-signed note that does not hold leads nowhere. In the archive it is passed over by name.
func TestForgedCrossSignedNotes(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	r.seal(r.keys[0])
	r.rotate(0)
	a, b, c := r.keys[0], r.keys[1], r.keys[2]
	until := r.as(a.public).Verifier.(*audit.Ring).Rotations()[0].Until
	text := func(origin string, old, new pair, size string) string {
		return fmt.Sprintf("blotter signers v1\n%s\nold %s\nnew %s\n%s\n", origin, old.public,
			new.public, size)
	}
	later := fmt.Sprintf("begins %d", until+9)
	other := [2]pair{pairOf(t, "a", "other"), pairOf(t, "b", "other")}
	tests := []struct {
		text string
		by   []note.Signer
		want string
	}{
		{text(origin, b, c, later), []note.Signer{b}, "the new key .* did not sign it"},
		{text(origin, b, c, later), []note.Signer{c}, "the old key .* did not sign it"},
		{text("other", other[0], other[1], "begins 9"), []note.Signer{other[0], other[1]},
			"it is of the log other"},
		{text("other", b, c, later), []note.Signer{b, c}, "its keys are not of the log other"},
		{text(origin, b, c, fmt.Sprintf("begins %d", until-1)), []note.Signer{b, c},
			"the rotation before it ended at"},
		{text(origin, a, c, later), []note.Signer{a, c}, "leads to .* already"},
		{text(origin, b, a, later), []note.Signer{a, b}, "was the log's key before"},
		{text(origin, a, b, "ends 1000"), []note.Signer{b}, "the overlap ended at .* already"},
		{text(origin, a, c, "ends 1000"), []note.Signer{c}, "no overlap of .* began"},
		{text(origin, b, b, later), []note.Signer{b}, "its keys are the same one"},
		{text(origin, b, c, "begins 0x9"), []note.Signer{b, c}, "its last line is"},
		{text(origin, b, c, "begins 0999"), []note.Signer{b, c}, "not written or not signed"},
	}
	held := r.as(a.public).Verifier.(*audit.Ring).String()
	for i, test := range tests {
		signed, err := note.Sign(&note.Note{Text: test.text}, test.by...)
		require.NoError(t, err)
		_, err = audit.OpenRing(held + "\n" + string(signed))
		require.Error(t, err)
		require.Regexp(t, test.want, err.Error())
		name := fmt.Sprintf("signers/%012d", i+10)
		require.NoError(t, r.archive.Put(t.Context(), name, signed))
	}
	v, err := r.as(a.public).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	for i, test := range tests {
		name := fmt.Sprintf("signers/%012d", i+10)
		require.ErrorContains(t, r.foreign[name], "not a cross-signed note of this log")
		require.Regexp(t, test.want, r.foreign[name].Error())
	}
	require.Equal(t, held, r.as(a.public).Verifier.(*audit.Ring).String())
	r.rotate(1) // whatever lies there
}

// grafted is a key with the hash of another one, as a stranger finds it after 2^32 tries.
type grafted struct {
	note.Verifier
	hash uint32
}

func (g grafted) KeyHash() uint32 { return g.hash }

// cross returns a note that begins or ends an overlap, signed by both keys.
func cross(t *testing.T, old, new pair, verb string) []byte {
	signed, err := note.Sign(&note.Note{Text: fmt.Sprintf("blotter signers v1\n%s\nold %s\nnew "+
		"%s\n%s\n", origin, old.public, new.public, verb)}, old, new)
	require.NoError(t, err)
	return signed
}

// A key that has the name and the hash of the held one, and nothing else, does not replace it. A
// key of which only a verifier is known is found in the notes that it signed.
func TestEqualHashIsNoHeldKey(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	a, b, x, y := r.keys[0], r.keys[1], pairOf(t, "x", origin), pairOf(t, "y", origin)
	plain := verifierOf(t, a.public)
	for i, signed := range [][]byte{cross(t, x, y, "begins 1"), cross(t, y, x, "begins 1"),
		cross(t, a, b, "begins 4"), cross(t, a, b, "ends 8")} {
		require.NoError(t, r.archive.Put(t.Context(), fmt.Sprintf("signers/%012d", i+1), signed))
	}
	strange := grafted{plain, x.KeyHash()}
	ring, err := audit.Signers(t.Context(), r.archive, strange, nil)
	require.NoError(t, err)
	require.Empty(t, ring.Rotations())
	found, err := ring.Verifier(origin, x.KeyHash())
	require.NoError(t, err)
	require.Equal(t, strange, found)

	for _, key := range []note.Verifier{plain, verifierOf(t, b.public)} {
		ring, err = audit.Signers(t.Context(), r.archive, key, nil)
		require.NoError(t, err)
		require.Len(t, ring.Rotations(), 1)
		require.Equal(t, a.public, ring.Rotations()[0].Old)
		require.EqualValues(t, 8, ring.Rotations()[0].Until)
	}
}

// An object with no name of a cross-signed note is not read, and a copy of a note with one more
// signature takes no place. Notes between the keys of strangers stay out of the ring, by name.
func TestForeignCrossSignedNotes(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	a, b, c := r.keys[0], r.keys[1], r.keys[2]
	x, y := pairOf(t, "x", origin), pairOf(t, "y", origin)
	real := cross(t, a, b, "begins 4")
	_, line, _ := bytes.Cut(cross(t, x, y, "begins 4"), []byte("\n\n"))
	for name, data := range map[string][]byte{
		"signers/!":            cross(t, a, c, "begins 2"),
		"signers/000000000000": cross(t, a, c, "begins 2"),
		"signers/1":            cross(t, a, c, "begins 2"),
		"signers/000000000001": append(real[:len(real):len(real)], line...),
		"signers/000000000002": real,
		"signers/000000000003": cross(t, x, y, "begins 4"),
		"signers/000000000004": cross(t, x, y, "ends 5"),
	} {
		require.NoError(t, r.archive.Put(t.Context(), name, data))
	}
	told := map[string]string{}
	ring, err := audit.Signers(t.Context(), r.archive, verifierOf(t, a.public),
		func(name string, why error) { told[name] = why.Error() })
	require.NoError(t, err)
	no, strange := "no object of an archive has this name", "not a cross-signed note of this log: "+
		"no note leads to its keys from "+keyID(verifierOf(t, a.public))
	require.Equal(t, map[string]string{
		"signers/!": no, "signers/000000000000": no, "signers/1": no,
		"signers/000000000003": strange, "signers/000000000004": strange,
	}, told)
	require.Len(t, ring.Rotations(), 1)
	require.Equal(t, b.public, ring.Rotations()[0].New)
	require.Equal(t, 1, strings.Count(ring.String(), "blotter signers v1"))
	require.NotContains(t, ring.String(), x.public)
}

// during is an archive in which something happens once, before the next object is put.
type during struct {
	audit.Archive
	do func()
}

func (d *during) Put(ctx context.Context, name string, data []byte) error {
	if do := d.do; do != nil {
		d.do = nil
		do()
	}
	return d.Archive.Put(ctx, name, data)
}

// The steps of a rotation, and what a crash or another process leaves between them.
func TestRotationIsCutOff(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	a, b := r.keys[0], r.keys[1]
	rotate := func() error {
		_, err := r.as(a.public, a).Rotate(t.Context(), b, a.public, b.public)
		return err
	}
	retire := func(signers ...note.Signer) error {
		_, err := r.as(a.public, signers...).Retire(t.Context())
		return err
	}
	require.ErrorIs(t, rotate(), audit.ErrUnsealed, "a log without a checkpoint has no key")
	r.seal(a)
	require.ErrorIs(t, retire(a, b), audit.ErrNoOverlap)
	require.NotNil(t, r.as(a.public, a, b).Signer)
	require.Nil(t, r.as(a.public, a, b).Next, "a key without its note signs nothing")

	// A seal that began before the note, and ends after it, signs with the old key alone.
	r.log.Add(3)
	slow := r.as(a.public, a)
	slow.Archive = &during{Archive: r.archive, do: func() { require.NoError(t, rotate()) }}
	_, err := slow.Seal(t.Context())
	require.NoError(t, err)
	require.ErrorIs(t, rotate(), audit.ErrOverlap)
	require.ErrorIs(t, retire(a, b), audit.ErrUnsignedByNext)
	for _, key := range r.keys[:2] {
		v, err := r.as(key.public).Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Empty(t, r.foreign)
	}
	// So does a seal in both keys that ends after the second note.
	r.seal(a, b)
	r.log.Add(3)
	slow = r.as(a.public, a, b)
	slow.Archive = &during{Archive: r.archive, do: func() {
		require.NoError(t, retire(b), "the old key is lost")
	}}
	_, err = slow.Seal(t.Context())
	require.NoError(t, err)
	// A crash after the second note leaves both keys in the folder: only the new one signs.
	r.seal(a, b)
	require.Empty(t, r.as(a.public, a).Options.Signer, "the old key signs nothing any more")
	for _, key := range r.keys[:2] {
		v, err := r.as(key.public).Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Empty(t, r.foreign)
	}
}

// After the overlap, batches and checkpoints of another history that only the old key signed count
// for nothing, and stop no seal. A sealer with that key alone is refused.
func TestOldKeyStopsNoSeal(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	a, b := r.keys[0], r.keys[1]
	r.seal(a)
	stale := r.as(a.public, a) // knows of no rotation
	_, err := r.as(a.public, a).Rotate(t.Context(), b, a.public, b.public)
	require.NoError(t, err)
	r.seal(a, b)
	_, err = r.as(a.public, a, b).Retire(t.Context())
	require.NoError(t, err)

	thief := r.as(a.public)
	thief.Log = func() *audittest.Log { log := audittest.NewLog(1); log.Add(10); return log }()
	thief.Verifier, thief.Signer = verifierOf(t, a.public), a
	thief.Archive = edited{r.archive, map[string][]byte{
		"signers/000000000001": nil, "signers/000000000002": nil}}
	forged, err := thief.Seal(t.Context())
	require.NoError(t, err)
	require.Greater(t, forged.Size, int64(8))

	r.log.Add(3)
	_, err = stale.Seal(t.Context())
	require.ErrorIs(t, err, audit.ErrRetired)
	r.seal(b)
	v, err := r.as(a.public).Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	for _, name := range []string{"batches/000000000003", "records/000000000003",
		fmt.Sprintf("checkpoints/%012d", forged.Size)} {
		require.ErrorContains(t, r.foreign[name], "a key that the log gave up", name)
	}
}

func verifierOf(t *testing.T, public string) note.Verifier {
	key, err := note.NewVerifier(public)
	require.NoError(t, err)
	return key
}

// A witness that knows the old key cosigns through the overlap, and one that knows the new key does
// so from the overlap on. A policy that names one of the log's keys is of the log.
func TestWitnessesThroughARotation(t *testing.T) {
	t.Parallel()
	r := newRotatingLog(t)
	a, b := r.keys[0], r.keys[1]
	w := inMemoryOf(t, "w", a.public)
	cosigned := func(signers ...note.Signer) error {
		r.log.Add(3)
		auditor := r.as(a.public, signers...)
		var err error
		auditor.Policy, err = audit.ParsePolicy([]byte("log " + a.public + "\n" + w.line +
			"quorum w\n"))
		require.NoError(t, err)
		last, err := auditor.Seal(t.Context())
		require.NoError(t, err)
		last, err = auditor.Cosigned(t.Context(), last)
		require.NoError(t, err)
		_, err = auditor.Policy.Check(last.Note, auditor.Verifier)
		v, bad := auditor.Verify(t.Context())
		require.NoError(t, bad)
		require.Nil(t, v.Fault)
		require.Empty(t, r.foreign)
		return err
	}
	require.NoError(t, cosigned(a))
	_, err := r.as(a.public, a).Rotate(t.Context(), b, a.public, b.public)
	require.NoError(t, err)
	require.NoError(t, cosigned(a, b))
	w.learn(b.public)
	require.NoError(t, cosigned(a, b))
	_, err = r.as(a.public, a, b).Retire(t.Context())
	require.NoError(t, err)
	require.NoError(t, cosigned(b))
	w.learn(a.public) // an operator who changed nothing
	require.ErrorIs(t, cosigned(b), audit.ErrUnwitnessed)
}
