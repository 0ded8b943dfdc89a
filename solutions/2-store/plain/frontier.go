package store

import (
	"context"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// frontier returns the last microsecond before the earliest time that the next append to the
// partition can get. The partition keeps this promise even if the clock is set back later. The
// caller holds the store's lock and either owns the partition or is the only user of the log, so no
// append is in flight. There is one exception: an owner that was fenced and has not noticed. To
// exclude it, the store would have to ask the broker.
func (o *owner) frontier(ctx context.Context) (time.Time, error) {
	o.last = contract.Stamp(o.s.opts.Clock(ctx), o.last).Add(-time.Microsecond)
	return o.last, nil
}
