package audit

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// A log gets another signer key in two steps, and each is a signed note (C2SP signed-note) in the
// archive. The first one begins an overlap, in which both keys sign, so that readers and witnesses
// have time to learn the new key. Both keys sign this note, and each so vouches for the other one:
//
//	blotter signers v1
//	example.com/desk/blotter
//	old example.com/desk/blotter+02ddeb82+AbqJ…
//	new example.com/desk/blotter+5c1f09aa+AQ7x…
//	begins 120
//
//	— example.com/desk/blotter At3rgl…
//	— example.com/desk/blotter XB8Jqn…
//
// The new key signs checkpoints of more than 120 leaves. The second note says "ends 250": the old
// key signs none of more than 250 leaves. The new key signs it, alone if the old one is lost.
const (
	signerNames  = "signers/"
	signerDomain = "blotter signers v1"
)

// signerName is the name of the note with a number: 1, 2, 3, … An object that is no such note may
// take a name. It counts for nothing, and the next note gets the next name.
func signerName(number int) string { return fmt.Sprintf("%s%012d", signerNames, number) }

// isSignerName reports whether a note has this name.
func isSignerName(name string) bool {
	number, err := strconv.Atoi(strings.TrimPrefix(name, signerNames))
	return err == nil && number > 0 && name == signerName(number)
}

// errSigners is wrapped by every error of a note that changes no signer of this log.
var errSigners = errors.New("not a cross-signed note of this log")

// A Rotation is the way from one signer key of a log to the next one.
type Rotation struct {
	Old   string `json:"old"` // public keys (C2SP signed-note)
	New   string `json:"new"`
	From  int64  `json:"from"`            // New signs checkpoints of more leaves
	Until int64  `json:"until,omitempty"` // Old signs none of more leaves; 0 while both sign

	old, new note.Verifier
	sigs     []note.Signature // of the note that was read last
}

// A Ring is a public key that a reader holds, and the keys that cross-signed notes lead to from it,
// to earlier and to later ones. It is a note.Verifier with the name of that key, and opens notes of
// all its keys. Of two notes with other successors of one key the first counts.
type Ring struct {
	held
	text      string // of the key; empty until a note that the key signed has it
	notes     []crossSigned
	rotations []Rotation // of the keys of the ring, oldest first
}

// A crossSigned is a note of the ring.
type crossSigned struct {
	name     string // of its object; empty without one
	signed   []byte
	old, new string // public keys
}

type held interface{ note.Verifier }

var (
	_ note.Verifier  = (*Ring)(nil)
	_ note.Verifiers = (*Ring)(nil)
)

// OpenRing reads a public key and the cross-signed notes after it. An empty line is before each
// note. A note that does not hold is an error, and one of other keys is not.
func OpenRing(text string) (*Ring, error) {
	parts := strings.Split(strings.TrimSpace(text), "\n\n")
	key, err := note.NewVerifier(parts[0])
	if err != nil {
		return nil, err
	}
	if len(parts)%2 == 0 {
		return nil, fmt.Errorf("%w: the last one has no signature", errSigners)
	}
	r := &Ring{held: key, text: parts[0]}
	for i := 1; i < len(parts); i += 2 {
		signed := []byte(parts[i] + "\n\n" + parts[i+1] + "\n")
		if err := r.add("", signed); err != nil {
			return nil, fmt.Errorf("cross-signed note %d: %w", (i+1)/2, err)
		}
	}
	r.follow()
	return r, nil
}

// String returns the text that OpenRing reads.
func (r *Ring) String() string {
	text := r.text + "\n"
	for _, n := range r.notes {
		text += "\n" + string(n.signed)
	}
	return text
}

// Public returns the held key as text.
func (r *Ring) Public() string { return r.text }

// Rotations returns the ways between the keys of the ring, oldest first.
func (r *Ring) Rotations() []Rotation { return slices.Clone(r.rotations) }

// Holding returns the ring of another key with the same notes.
func (r *Ring) Holding(text string) (*Ring, error) {
	other := *r
	other.text = text
	return OpenRing(other.String())
}

// Verifier implements note.Verifiers.
func (r *Ring) Verifier(name string, hash uint32) (note.Verifier, error) {
	for _, key := range r.keys() {
		if key.Name() == name && key.KeyHash() == hash {
			return key, nil
		}
	}
	return nil, &note.UnknownVerifierError{Name: name, KeyHash: hash}
}

// keys returns the keys of the ring, oldest first.
func (r *Ring) keys() []note.Verifier {
	if len(r.rotations) == 0 {
		return []note.Verifier{r.held}
	}
	all := []note.Verifier{r.rotations[0].old}
	for _, next := range r.rotations {
		all = append(all, next.new)
	}
	return all
}

// Signing returns the keys among signers that sign the next checkpoint, oldest first: two of them
// in an overlap. nil signers are passed over.
func (r *Ring) Signing(signers ...note.Signer) (all []note.Signer) {
	for _, key := range r.keys() {
		_, until := r.bounds(key.KeyHash())
		for _, s := range signers {
			if s != nil && keyID(s) == keyID(key) && until == math.MaxInt64 {
				all = append(all, s)
			}
		}
	}
	return all
}

// bounds returns the sizes between which a key of the ring signs checkpoints: more than after, and
// up to until.
func (r *Ring) bounds(hash uint32) (after, until int64) {
	until = math.MaxInt64
	for _, next := range r.rotations {
		if next.new.KeyHash() == hash {
			after = next.From
		}
		if next.old.KeyHash() == hash && next.Until > 0 {
			until = next.Until
		}
	}
	return after, until
}

// Signs fails unless the log signed a checkpoint of size leaves with one of the keys of signatures.
func (r *Ring) Signs(signatures []note.Signature, size int64) error {
	return r.inTime(signatures, size, func(after, until int64) bool {
		return after < size && size <= until
	})
}

// Speaks fails unless one of the keys of signatures may sign a document under a checkpoint of size
// leaves. A later key may sign one about the past.
func (r *Ring) Speaks(signatures []note.Signature, size int64) error {
	return r.inTime(signatures, size, func(_, until int64) bool { return size <= until })
}

func (r *Ring) inTime(
	signatures []note.Signature, size int64, holds func(after, until int64) bool,
) (err error) {
	for _, s := range signatures {
		after, until := r.bounds(s.Hash)
		if holds(after, until) {
			return nil
		}
		err = &OutOfTimeError{fmt.Sprintf("%s+%08x", s.Name, s.Hash), size, after, until}
	}
	return err
}

// An OutOfTimeError says that a key of the log signed something that only another key of the log
// signs: its time was over, or had not begun.
type OutOfTimeError struct {
	Key          string // such as blotter.example+1a2b3c4d
	Size         int64  // of the checkpoint
	After, Until int64  // the key signs checkpoints of more than After leaves, and up to Until
}

func (e *OutOfTimeError) Error() string {
	if e.Size > e.Until {
		return fmt.Sprintf("signed for %d leaves by %s alone, a key that the log gave up: it "+
			"signs no checkpoint of more than %d leaves", e.Size, e.Key, e.Until)
	}
	return fmt.Sprintf("signed for %d leaves by %s alone, a later key of the log: it signs "+
		"only checkpoints of more than %d leaves", e.Size, e.Key, e.After)
}

// verifiersOf returns the keys with which a note of the log is opened.
func verifiersOf(key note.Verifier) note.Verifiers {
	if ring, ok := key.(note.Verifiers); ok {
		return ring
	}
	return note.VerifierList(key)
}

// isRotated reports whether cross-signed notes lead from key to others.
func isRotated(key note.Verifier) bool {
	ring, ok := key.(*Ring)
	return ok && len(ring.rotations) > 0
}

// signsAt fails if key is a ring, and none of its keys that signed n signs for a tree of size
// leaves.
func signsAt(n *note.Note, key note.Verifier, size int64) error {
	if ring, ok := key.(*Ring); ok {
		return ring.Signs(n.Sigs, size)
	}
	return nil
}

// signerText returns the text of a cross-signed note.
func signerText(origin, old, new, verb string, size int64) string {
	return fmt.Sprintf("%s\n%s\nold %s\nnew %s\n%s %d\n", signerDomain, origin, old, new, verb,
		size)
}

// openRotation reads a cross-signed note and checks its signatures. A note that begins an overlap
// has From, and one that ends it has Until; the other field is 0.
func openRotation(signed []byte) (origin string, r Rotation, err error) {
	bad := func(format string, args ...any) (string, Rotation, error) {
		return "", r, fmt.Errorf("%w: %s", errSigners, fmt.Sprintf(format, args...))
	}
	text, _, _ := strings.Cut(string(signed), "\n\n")
	lines := strings.Split(text+"\n", "\n")
	if len(lines) != 6 || lines[0] != signerDomain {
		return bad("its text is another one")
	}
	verb, digits, _ := strings.Cut(lines[4], " ")
	size, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || size < 1 || verb != "begins" && verb != "ends" {
		return bad("its last line is %q", lines[4])
	}
	r.Old, r.New = strings.TrimPrefix(lines[2], "old "), strings.TrimPrefix(lines[3], "new ")
	var badOld, badNew error
	r.old, badOld = note.NewVerifier(r.Old)
	r.new, badNew = note.NewVerifier(r.New)
	if err := errors.Join(badOld, badNew); err != nil {
		return bad("%v", err)
	}
	if keyID(r.old) == keyID(r.new) {
		return bad("its keys are the same one")
	}
	n, err := openNote(signed, &Ring{held: r.old, rotations: []Rotation{r}})
	if err == nil {
		r.sigs = n.Sigs
	}
	if err != nil || n.Text != signerText(lines[1], r.Old, r.New, verb, size) {
		return bad("it is not written or not signed as one: %v", err)
	}
	by := func(key note.Verifier) bool {
		return slices.ContainsFunc(n.Sigs, func(s note.Signature) bool {
			return s.Hash == key.KeyHash()
		})
	}
	if r.Until = size; verb == "begins" {
		r.From, r.Until = size, 0
	}
	switch {
	case r.old.Name() != lines[1] || r.new.Name() != lines[1]:
		return bad("its keys are not of the log %s", lines[1])
	case !by(r.new):
		return bad("the new key %s did not sign it", keyID(r.new))
	case verb == "begins" && !by(r.old):
		return bad("the old key %s did not sign it", keyID(r.old))
	}
	return lines[1], r, nil
}

// add takes a cross-signed note in, with the name of its object. A note of other keys may be among
// those of the ring until follow: nobody can sign one that leads from the keys of the ring to
// others.
func (r *Ring) add(name string, signed []byte) error {
	origin, next, err := openRotation(signed)
	if err != nil {
		return err
	}
	if origin != r.Name() {
		return fmt.Errorf("%w: it is of the log %s", errSigners, origin)
	}
	if r.has(signed) {
		return nil
	}
	if next.From > 0 {
		err = r.begin(next)
	} else {
		err = r.end(next)
	}
	if err != nil {
		return err
	}
	if r.text == "" {
		r.text = r.textOfHeld(signed, next)
	}
	r.notes = append(r.notes, crossSigned{name, signed, next.Old, next.New})
	return nil
}

// has reports whether the ring has a note, under whatever signatures.
func (r *Ring) has(signed []byte) bool {
	text := signedText(signed)
	return slices.ContainsFunc(r.notes, func(n crossSigned) bool {
		return bytes.Equal(signedText(n.signed), text)
	})
}

// signedText returns the text of a cross-signed note, which the signatures are of.
func signedText(signed []byte) []byte {
	text, _, _ := bytes.Cut(signed, []byte("\n\n"))
	return append(text[:len(text):len(text)], '\n')
}

// textOfHeld returns the text of the held key if it is a key of a note; otherwise nothing. A name
// and a hash are not enough: the hash has 32 bits, so a stranger can find a key with the same one.
// Only the held key makes a signature that it verifies.
func (r *Ring) textOfHeld(signed []byte, next Rotation) string {
	public := next.Old
	if keyID(next.old) != keyID(r.held) {
		public = next.New
	}
	for _, s := range next.sigs {
		sig, err := base64.StdEncoding.DecodeString(s.Base64)
		if err == nil && strings.HasPrefix(public, keyID(r.held)+"+") &&
			s.Hash == r.held.KeyHash() && r.held.Verify(signedText(signed), sig[4:]) {
			return public
		}
	}
	return ""
}

// begin takes a rotation in that begins.
func (r *Ring) begin(next Rotation) error {
	for _, other := range r.rotations {
		switch {
		case other.Old == next.Old, other.New == next.New:
			return fmt.Errorf("%w: %s leads to %s already", errSigners, keyID(other.old),
				keyID(other.new))
		case other.Old == next.New:
			return fmt.Errorf("%w: %s was the log's key before", errSigners, keyID(next.new))
		case other.New != next.Old:
		case other.Until == 0:
			return fmt.Errorf("%w: the overlap of %s and %s has not ended", errSigners,
				keyID(other.old), keyID(other.new))
		case next.From < other.Until:
			return fmt.Errorf("%w: it begins at %d leaves, and the rotation before it ended at %d",
				errSigners, next.From, other.Until)
		}
	}
	r.rotations = append(r.rotations, next)
	return nil
}

// end ends the overlap of a rotation.
func (r *Ring) end(next Rotation) error {
	i := slices.IndexFunc(r.rotations, func(other Rotation) bool {
		return other.Old == next.Old && other.New == next.New
	})
	switch {
	case i < 0:
		return fmt.Errorf("%w: no overlap of %s and %s began", errSigners, keyID(next.old),
			keyID(next.new))
	case r.rotations[i].Until > 0:
		return fmt.Errorf("%w: the overlap ended at %d leaves already", errSigners,
			r.rotations[i].Until)
	case next.Until <= r.rotations[i].From:
		return fmt.Errorf("%w: the overlap began at %d leaves, and cannot end at %d", errSigners,
			r.rotations[i].From, next.Until)
	}
	r.rotations = slices.Clone(r.rotations)
	r.rotations[i].Until = next.Until
	return nil
}

// follow leaves only the rotations that lead from or to the held key, oldest first, and their
// notes. It returns the other notes. No two keys of a ring have one id.
func (r *Ring) follow() (strange []crossSigned) {
	oldest, newest, ids := r.text, r.text, map[string]bool{keyID(r.held): true}
	var chain []Rotation
	for i := 0; i < len(r.rotations); i++ {
		switch o := r.rotations[i]; {
		case o.New == oldest && !ids[keyID(o.old)]:
			chain, oldest, ids[keyID(o.old)] = append([]Rotation{o}, chain...), o.Old, true
		case o.Old == newest && !ids[keyID(o.new)]:
			chain, newest, ids[keyID(o.new)] = append(chain, o), o.New, true
		default:
			continue
		}
		i = -1 // a note before this one may go on from it
	}
	var notes []crossSigned
	for _, n := range r.notes {
		if slices.ContainsFunc(chain, func(o Rotation) bool {
			return o.Old == n.old && o.New == n.new
		}) {
			notes = append(notes, n)
		} else {
			strange = append(strange, n)
		}
	}
	r.rotations, r.notes = chain, notes
	return strange
}

// Signers returns the ring of a key, with the cross-signed notes of an archive. If the key is a
// ring, its own notes come first. tell is told of each object that is passed over; it may be nil.
func Signers(ctx context.Context, archive Archive, key note.Verifier, tell func(string, error)) (
	*Ring, error) {
	if tell == nil {
		tell = func(string, error) {}
	}
	ring := &Ring{held: key}
	if own, ok := key.(*Ring); ok {
		ring = &Ring{held: own.held, text: own.text}
		for _, n := range own.notes {
			_ = ring.add("", n.signed) // it was added before
		}
	}
	names, err := archive.List(ctx, signerNames)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if !isSignerName(name) {
			tell(name, errName)
			continue
		}
		signed, err := archive.Get(ctx, name)
		if err != nil && !isForeign(err) {
			return nil, named(name, err)
		}
		if err == nil {
			err = ring.add(name, signed)
		}
		if err != nil {
			tell(name, err)
		}
	}
	for _, n := range ring.follow() {
		tell(n.name, fmt.Errorf("%w: no note leads to its keys from %s", errSigners,
			keyID(ring.held)))
	}
	return ring, nil
}

// ErrRetired means that the log gave up the key of a signer.
var ErrRetired = errors.New("the log gave up this signer key, and another one took over")

// checkSigners fails if a signer is no signer of the log any more: nobody would believe it. A crash
// or a Retire after this look leaves objects that count for nothing, and the next Seal puts its own
// beside them.
func (a *Auditor) checkSigners(ctx context.Context) error {
	ring, err := Signers(ctx, a.Archive, a.Verifier, nil)
	if err == nil && len(ring.Signing(a.signers()...)) < len(a.signers()) {
		err = ErrRetired
	}
	return err
}

// Errors of Rotate and Retire.
var (
	ErrUnsealed  = errors.New("nothing is sealed yet, so no key of the log is known to anybody")
	ErrOverlap   = errors.New("the log has two signers already")
	ErrNoOverlap = errors.New("the log has one signer")
	// ErrUnsignedByNext is the error of Retire before a checkpoint that the new key signed: a
	// reader of the old key would lose the log with that key.
	ErrUnsignedByNext = errors.New("the new key signed no checkpoint of the overlap yet")
)

// Rotate begins an overlap: it archives the note that both keys sign. Its keys are those of
// Options.Signer and of next, as texts. Only a log with a checkpoint has a key to rotate. It
// returns the ring with the note.
//
// The note is all that is durable here. A crash BEFORE it leaves a log with one signer, and a key
// that nobody knows. After it the next Seal must sign with both keys, so next is durable BEFORE
// Rotate is called. A seal that runs at the same time signs with the old key alone, which holds in
// an overlap.
func (a *Auditor) Rotate(ctx context.Context, next note.Signer, old, new string) (*Ring, error) {
	ring, last, err := a.signersNow(ctx)
	if err != nil {
		return nil, err
	}
	if len(ring.rotations) > 0 && ring.rotations[len(ring.rotations)-1].Until == 0 {
		return ring, ErrOverlap
	}
	if last.Size == 0 {
		return ring, ErrUnsealed
	}
	return a.putSigners(ctx, ring, signerText(a.Origin, old, new, "begins", last.Size),
		a.Signer, next)
}

// Retire ends an overlap: it archives the note after which the old key signs nothing. Options.Next
// or, without the old key, Options.Signer is the new one.
//
// A crash after the note leaves a folder with both keys: only the new one signs from then on. A
// seal that runs at the same time signs with both, and that holds, too.
func (a *Auditor) Retire(ctx context.Context) (*Ring, error) {
	ring, last, err := a.signersNow(ctx)
	if err != nil {
		return nil, err
	}
	if len(ring.rotations) == 0 || ring.rotations[len(ring.rotations)-1].Until > 0 {
		return ring, ErrNoOverlap
	}
	now := ring.rotations[len(ring.rotations)-1]
	if last.Size <= now.From || (&Ring{held: now.new}).opens(last.Note) != nil {
		return ring, ErrUnsignedByNext
	}
	return a.putSigners(ctx, ring, signerText(a.Origin, now.Old, now.New, "ends", last.Size),
		a.signers()...)
}

// opens fails unless a key of the ring signed a note.
func (r *Ring) opens(signed []byte) error {
	_, err := openNote(signed, r)
	return err
}

// signersNow returns the ring as the archive has it now, and the last checkpoint.
func (a *Auditor) signersNow(ctx context.Context) (*Ring, contract.Checkpoint, error) {
	if a.Signer == nil {
		return nil, contract.Checkpoint{}, ErrNoSigner
	}
	ring, err := Signers(ctx, a.Archive, a.Verifier, nil)
	if err != nil {
		return nil, contract.Checkpoint{}, err
	}
	last, err := a.Published(ctx, 0)
	return ring, last, err
}

// putSigners archives a cross-signed note under the next number.
func (a *Auditor) putSigners(
	ctx context.Context, ring *Ring, text string, signers ...note.Signer,
) (*Ring, error) {
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	// Check it BEFORE it is locked, against the ring as it is now.
	if now := *ring; err == nil {
		err = now.add("", signed)
	}
	for number, taken := 1, true; taken && err == nil; number++ {
		err = a.Archive.Put(ctx, signerName(number), signed)
		if taken = errors.Is(err, ErrExists) || errors.Is(err, errFolder); taken {
			err = nil
		}
	}
	if err != nil {
		return nil, err
	}
	if ring, err = Signers(ctx, a.Archive, a.Verifier, nil); err == nil && !ring.has(signed) {
		err = errors.New("another process changed the signers first")
	}
	return ring, err
}
