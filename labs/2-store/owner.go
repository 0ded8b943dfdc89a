package store

import (
	"context"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// An owner writes one partition of both topics. It is used under the store's lock.
type owner struct {
	s         *Store
	partition int32
	producer  *producer // nil without a place: the partition is to be taken over before the next append
	next      int64     // the first offset of the events that the index does not know
	last      time.Time // nothing more is stamped at or before it
}

// leave gives the place up. Our index stays: what is committed does not change.
func (o *owner) leave() {
	if o.producer != nil {
		o.producer.close()
		o.producer = nil
	}
}

// catchUp has the index know all events of the partition before the offset.
func (o *owner) catchUp(ctx context.Context, to int64) error {
	for e, err := range o.s.span(ctx, map[int32]int64{o.partition: o.next}, map[int32]int64{o.partition: to}) {
		if err == nil {
			err = o.know(e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// know takes an event that is committed into the index.
func (o *owner) know(e contract.Recorded) error {
	if err := o.s.index.add(e); err != nil {
		return err
	}
	o.next = e.Position.Offset + 1
	if e.RecordedAt.After(o.last) {
		o.last = e.RecordedAt
	}
	return nil
}
