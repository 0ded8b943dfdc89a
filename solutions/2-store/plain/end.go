package store

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

// End is the cursor behind all that is committed: the last stable offset of each partition, below which every transaction is
// decided.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	offsets, err := s.admin.ListCommittedOffsets(ctx, s.events)
	return s.cursor(offsets, err)
}
