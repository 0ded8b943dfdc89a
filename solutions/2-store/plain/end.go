package store

import (
	"context"

	"example.com/blotter/labs/kit/contract"
)

// End returns the cursor after every committed event: the last stable offset of each partition.
// Every transaction below it is committed or aborted.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	offsets, err := s.admin.ListCommittedOffsets(ctx, s.events)
	return s.cursor(offsets, err)
}
