package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// ErrDiffers is wrapped by the error of a log that no longer has the sealed events. Nothing can be
// certified from such a log.
var ErrDiffers = errors.New("the log differs from the sealed log")

// A scan reads everything under a checkpoint, in the order of leaves, with each event as the log
// has it now. It holds one batch at a time.
type scan struct {
	log    contract.Reader
	event  func(index int64, r contract.Recorded) error
	header func(index int64, leaf []byte, h batchHeader) error

	end   contract.Cursor
	batch []sealedEvent
}

type sealedEvent struct {
	index int64
	at    contract.Position
	leaf  []byte
}

func (s *scan) run(ctx context.Context, sealed contract.SealedLog, size int64) (err error) {
	if s.end, err = s.log.End(ctx); err != nil {
		return err
	}
	leaf := func(index int64, at *contract.Position, leaf []byte) error {
		if at != nil {
			s.batch = append(s.batch, sealedEvent{index, *at, leaf})
			return nil
		}
		h, err := parseHeader(leaf)
		if err == nil {
			err = s.flush(ctx, h)
		}
		if err != nil {
			return err
		}
		return s.header(index, leaf, h)
	}
	return sealed.Leaves(ctx, size, leaf)
}

// flush reads the range of the log that a batch covers, and compares it with the batch. The log
// decides which events answer a query, so its events must still be the sealed events.
func (s *scan) flush(ctx context.Context, h batchHeader) error {
	for p := range h.to {
		if end := s.end.At(int32(p)); end < h.to[p] {
			return fmt.Errorf("%w: partition %d ends at %d, and was sealed up to %d",
				ErrDiffers, p, end, h.to[p])
		}
	}
	found := map[contract.Position]contract.Recorded{}
	for r, err := range s.log.Read(ctx, h.from, h.to) {
		if err != nil {
			return fmt.Errorf("reading the log from %s to %s: %w", h.from, h.to, err)
		}
		found[r.Position] = r
	}
	for _, e := range s.batch {
		r, ok := found[e.at]
		if !ok || !bytes.Equal(r.Leaf(), e.leaf) {
			return fmt.Errorf("%w: at position %s (leaf %d)", ErrDiffers, e.at, e.index)
		}
		if err := s.event(e.index, r); err != nil {
			return err
		}
	}
	if len(found) != len(s.batch) {
		return fmt.Errorf("%w: there are %d events from %s to %s, and %d were sealed",
			ErrDiffers, len(found), h.from, h.to, len(s.batch))
	}
	s.batch = s.batch[:0]
	return nil
}
