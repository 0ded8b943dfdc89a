package store

import (
	"context"
	"time"

	"example.com/blotter/labs/kit/check"
)

// frontier returns the time up to which nothing more will be recorded in the partition (L2.I8). The
// caller holds the store's lock and either owns the partition (o.producer) or is the only user of
// the log, so no append is in flight. For a partition that we do not own, Store.Frontier uses
// o.last.
//
// Exercise 8. Find the earliest time that the next append can get. Your answer must hold even if
// the clock is set back after you have returned it.
func (o *owner) frontier(ctx context.Context) (time.Time, error) {
	return time.Time{}, check.TODO("L2.frontier")
}
