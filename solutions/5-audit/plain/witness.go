package audit

import (
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// A Witness watches one log for people who cannot talk to one another: it never cosigns two
// histories.
type Witness struct {
	origin string
	key    note.Verifier
	last   contract.Checkpoint // the last one that it cosigned; zero before the first
}

// NewWitness returns a witness that has not cosigned anything yet.
func NewWitness(origin string, key note.Verifier) *Witness {
	return &Witness{origin: origin, key: key}
}

// Cosign returns an error unless the witness cosigns a signed checkpoint (L5.I9). proof is the
// consistency proof from the last checkpoint that it cosigned; empty for the first.
func (w *Witness) Cosign(signed []byte, proof []contract.Hash) error {
	next, err := openCheckpoint(signed, w.origin, w.key)
	if err == nil && w.last.Size > 0 {
		err = CheckConsistency(next.Size, next.Root, w.last.Size, w.last.Root, proof)
	}
	if err == nil {
		w.last = next
	}
	return err
}
