package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// End is the cursor behind all that is committed (L2.I7).
//
// Exercise 6. s.admin (kadm) can list several kinds of end of a topic, and s.cursor (feed.go) makes a cursor of what it lists.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	return nil, check.TODO("L2.end")
}
