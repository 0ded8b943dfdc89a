package session

import (
	"cmp"
	"context"
	"errors"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/logdir"
	audit "example.com/blotter/solutions/5-audit"
)

// openRing reads a public key and its cross-signed notes.
func openRing(text string) (note.Verifier, error) { return audit.OpenRing(text) }

// rotated gives the public key its cross-signed notes in the archive, and leaves the signers of
// keys that sign now.
func rotated(
	ctx context.Context, archive audit.Archive, keys logdir.Keys, pass func(string, error),
) (logdir.Keys, error) {
	ring, err := audit.Signers(ctx, archive, keys.Verifier, pass)
	if err != nil {
		return keys, err
	}
	keys.Verifier = ring
	if keys.Signer == nil && keys.Next == nil {
		return keys, nil
	}
	now := ring.Signing(keys.Signer, keys.Next)
	if len(now) == 0 && keys.Signer == nil {
		return keys, &logdir.IntegrityError{
			What: "the log's signing key is missing: the folder has no keys/signer, and no " +
				"cross-signed note leads to keys/signer.next",
			Remedy: "restore it from a backup: no other key can check the log's checkpoints"}
	}
	if len(now) == 0 {
		return keys, &logdir.IntegrityError{
			What: "the log gave up the key in keys/signer, and the folder does not have the key " +
				"that took over",
			Remedy: "restore the folder keys from a backup that was made after the change"}
	}
	keys.Signer, keys.Next = now[0], append(now, nil)[1]
	return keys, nil
}

// RotateSigner begins an overlap: a new key signs beside the one in keys/signer. It returns the
// keys of the log.
//
// The steps are durable in this order: the new key, the cross-signed note in the archive, the note
// in keys/verifier. A crash after the first leaves a key that signs nothing, which the next
// RotateSigner takes. After the second, a seal finds the note in the archive and signs with both
// keys; keys/verifier gets the note at the end of the overlap.
func (s *Session) RotateSigner(ctx context.Context) (*audit.Ring, error) {
	a, keys, err := s.rotating(ctx)
	if err != nil {
		return nil, err
	}
	if last, err := a.Published(ctx, 0); err != nil || last.Size == 0 {
		return nil, cmp.Or(err, error(audit.ErrUnsealed))
	}
	if _, err := s.takeOver(a, keys); err != nil {
		return nil, err
	}
	if err := s.dir.NextSigner(); err != nil {
		return nil, err
	}
	if a, keys, err = s.rotating(ctx); err != nil {
		return nil, err
	}
	ring, err := a.Reference.Rotate(ctx, keys.Next, keys.Public, keys.NextPublic)
	if err != nil {
		return ring, err
	}
	return ring, s.dir.KeepVerifier(ring.String())
}

// RetireSigner ends an overlap: the key in keys/signer signs nothing more, and the new one takes
// its place in the folder. It returns the keys of the log.
//
// The note in the archive comes BEFORE the files. A crash between them leaves both keys in the
// folder: the new one signs, alone, and the next RetireSigner or RotateSigner puts it in its place.
func (s *Session) RetireSigner(ctx context.Context) (*audit.Ring, error) {
	a, _, err := s.rotating(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := a.Reference.Retire(ctx); err != nil && !errors.Is(err, audit.ErrNoOverlap) {
		return nil, err
	}
	a, keys, err := s.rotating(ctx)
	if err != nil {
		return nil, err
	}
	ended, err := s.takeOver(a, keys)
	if err == nil && !ended {
		err = audit.ErrNoOverlap
	}
	if err != nil {
		return nil, err
	}
	return s.Signers(ctx)
}

// Signers returns the public key of the log with its cross-signed notes.
func (s *Session) Signers(ctx context.Context) (*audit.Ring, error) {
	a, err := s.Auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	return a.Keys.Verifier.(*audit.Ring), nil
}

// rotating returns the auditor of a log that changes its signers, and all keys of the folder.
func (s *Session) rotating(ctx context.Context) (*Auditor, logdir.Keys, error) {
	if s.config.signer() != nil {
		return nil, logdir.Keys{}, &logdir.UsageError{
			What:   "a command signs for this log, and its key is in no file",
			Remedy: "a log that BLOTTER_SIGNER signs keeps its key"}
	}
	var all logdir.Keys
	a, err := s.auditor(ctx, false, func(from logdir.KeySource) (_ logdir.Keys, err error) {
		all, err = s.dir.Keys(from)
		return all, err
	})
	return a, all, err
}

// takeOver puts keys/signer.next in the place of keys/signer if the overlap has ended and only that
// key signs now.
func (s *Session) takeOver(a *Auditor, keys logdir.Keys) (bool, error) {
	ring := a.Keys.Verifier.(*audit.Ring)
	all := ring.Rotations()
	if keys.Next == nil || a.Keys.Next != nil || a.Keys.Signer != keys.Next ||
		len(all) == 0 || all[len(all)-1].Until == 0 {
		return false, nil
	}
	ring, err := ring.Holding(keys.NextPublic)
	if err == nil {
		err = s.dir.KeepVerifier(ring.String())
	}
	// A crash here leaves keys/verifier with the public key of keys/signer.next, which is accepted.
	if err == nil {
		err = s.dir.PromoteSigner()
	}
	return true, err
}
