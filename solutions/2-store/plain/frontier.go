package store

import (
	"context"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// frontier is just before the time that the next append to the partition could get. Having told it, the partition keeps to it, even if
// the clock is set back. It is called under the store's lock, and only with the place or alone with the log, so no append is under way. (An owner
// that was fenced and has not noticed is the exception: it would have to ask the broker.)
func (o *owner) frontier(ctx context.Context) (time.Time, error) {
	o.last = contract.Stamp(o.s.opts.Clock(ctx), o.last).Add(-time.Microsecond)
	return o.last, nil
}
