package store

import (
	"context"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// End returns the cursor after every committed event (L2.I7).
//
// Exercise 5. s.admin (kadm) can list several kinds of end of a topic. s.cursor (feed.go) converts
// a list to a cursor.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	return nil, check.TODO("L2.end")
}
