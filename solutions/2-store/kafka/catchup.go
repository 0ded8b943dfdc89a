package kafka

import (
	"context"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/contract"
)

// catchUp has the index know all events before the offset to, and the heads before the offset heads agree with it. What the index has
// is not read again, but for its latest event: if the log has another one there, or none, the index is of another log or
// the log was cut, and everything is read.
func (o *owner) catchUp(ctx context.Context, to, heads int64) error {
	why, err := o.index.load()
	if err != nil {
		return fmt.Errorf("open the index: %w", err)
	}
	_, agreed := o.index.at()
	o.index.agreed(0) // until they do; a crash before that has the next start look at all of them
	touched := map[string]bool{}
	err = o.read(ctx, to, touched)
	if errors.Is(err, errUnusable) {
		why, agreed = err, 0
		if err = o.index.discard(); err == nil {
			err = o.read(ctx, to, touched)
		}
	}
	if err != nil {
		return fmt.Errorf("read the log up to %d: %w", to, err)
	}
	if last, _ := o.index.at(); why != nil && last != nil {
		o.s.opts.Log.Warn("index was made anew from the log", "log", o.s.opts.Prefix, "partition", o.partition, "why", why)
	}
	if err := o.mendHeads(ctx, agreed, heads, touched); err != nil {
		return fmt.Errorf("mend heads: %w", err)
	}
	o.index.agreed(heads)
	o.index.made()
	return nil
}

// read takes the events before the offset to into the index, and notes the streams they are of.
func (o *owner) read(ctx context.Context, to int64, touched map[string]bool) error {
	const chunk = 1000
	last, _ := o.index.at()
	events := make([]contract.Recorded, 0, chunk)
	take := func() error {
		err := o.index.apply(events)
		events = events[:0]
		o.flush()
		return err
	}
	for e, err := range o.s.tail(ctx, o.partition, last, to) {
		if err != nil {
			return err
		}
		if touched != nil {
			touched[e.Stream] = true
		}
		if events = append(events, e); len(events) == chunk {
			if err := take(); err != nil {
				return err
			}
		}
	}
	return take()
}
