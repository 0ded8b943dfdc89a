package store

import (
	"context"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// frontier is just before the time that the next append to the partition could get. Having told it, the partition keeps to it, even if
// the clock is set back. It is called under the store's lock, so no append is under way. Without a place it answers all the same, from what
// is known: as every read does.
func (o *owner) frontier(ctx context.Context) (time.Time, error) {
	o.last = contract.Stamp(o.s.opts.Clock(ctx), o.last).Add(-time.Microsecond)
	return o.last, nil
}
