// Code generated from solutions/2-store/plain/owner.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// An owner writes one partition of both topics. Its callers hold the store's lock.
type owner struct {
	s         *Store
	partition int32
	producer  *producer // nil if we do not own the partition: take over before the next append
	next      int64     // the first offset of the events that the index does not have
	last      time.Time // every later event gets a time after it
}

// leave gives up the partition. The index stays, because committed events never change.
func (o *owner) leave() {
	if o.producer != nil {
		o.producer.close()
		o.producer = nil
	}
}

// catchUp reads the events of the partition before an offset into the index. It refuses a log that
// was created with another layout.
func (o *owner) catchUp(ctx context.Context, to int64) error {
	first := o.next == 0 // the first record of a partition is the mark of its first owner
	var bad error
	from, until := map[int32]int64{o.partition: o.next}, map[int32]int64{o.partition: to}
	err := o.s.scan(ctx, o.s.events, from, until, func(record *kgo.Record) bool {
		if promised, isFrontier := parseFrontier(record); isFrontier {
			o.last = latest(o.last, promised)
			return true
		}
		created, isMark := parseMark(record)
		switch {
		case !isMark:
			bad = o.indexRecord(record)
		case first:
			bad = o.s.checkCreated(created)
		}
		first = false
		return bad == nil
	})
	return errors.Join(err, bad)
}

// follow reads the events before a stable end of the partition into the index. It reads nothing if
// the index lacks at most one record: that is the control record of a commit, because an event that
// is visible has such a record after it.
func (o *owner) follow(ctx context.Context, end int64) error {
	if end <= o.next+1 {
		return nil
	}
	if err := o.catchUp(ctx, end); err != nil {
		return err
	}
	o.next = max(o.next, end)
	return nil
}

func (o *owner) indexRecord(record *kgo.Record) error {
	e, err := decode(record)
	if err != nil {
		return err
	}
	return o.indexEvent(e)
}

// indexEvent adds a committed event to the index.
func (o *owner) indexEvent(e contract.Recorded) error {
	if err := o.s.index.add(e); err != nil {
		return err
	}
	o.next = e.Position.Offset + 1
	o.last = latest(o.last, e.RecordedAt)
	return nil
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

// checkCreated compares the log with the layout in the first mark of a partition. The first mark
// that is read says whether the log is simulated; the other partitions must agree.
func (s *Store) checkCreated(created layout) error {
	if s.created == nil {
		s.created = &created
	}
	if want := s.layout(); created != want {
		return fmt.Errorf("%w: the log was created with %s, not with %s", ErrUnfit, created, want)
	}
	return nil
}
