package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

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

// catchUp has the index know all events of the partition before the offset. A log that was created with another layout is refused.
func (o *owner) catchUp(ctx context.Context, to int64) error {
	first := o.next == 0 // the first of all records is the first owner's mark
	var bad error
	err := o.s.scan(ctx, o.s.events, map[int32]int64{o.partition: o.next}, map[int32]int64{o.partition: to}, func(record *kgo.Record) bool {
		was, marked := parseMark(record)
		switch {
		case !marked:
			bad = o.indexRecord(record)
		case first && was != o.s.layout():
			bad = fmt.Errorf("%w: it was created with %s, and there are %s", ErrUnfit, was, o.s.layout())
		}
		first = false
		return bad == nil
	})
	return errors.Join(err, bad)
}

func (o *owner) indexRecord(record *kgo.Record) error {
	e, err := decode(record)
	if err != nil {
		return err
	}
	return o.indexEvent(e)
}

// know takes an event that is committed into the index.
func (o *owner) indexEvent(e contract.Recorded) error {
	if err := o.s.index.add(e); err != nil {
		return err
	}
	o.next = e.Position.Offset + 1
	if e.RecordedAt.After(o.last) {
		o.last = e.RecordedAt
	}
	return nil
}
