// Code generated from solutions/2-store/plain/feed.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// cursor converts listed offsets to a cursor.
func (s *Store) cursor(offsets kadm.ListedOffsets, err error) (contract.Cursor, error) {
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("list offsets of log %s: %w", s.opts.Prefix, err)
	}
	c := make(contract.Cursor, len(s.owners))
	offsets.Each(func(o kadm.ListedOffset) { c[o.Partition] = o.Offset })
	return c, nil
}

// Read yields every event in [from, to), or up to the end of the log if to lies after it.
func (s *Store) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		end, err := s.End(ctx)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		start, stop := map[int32]int64{}, map[int32]int64{}
		for _, o := range s.owners {
			start[o.partition] = from.At(o.partition)
			stop[o.partition] = min(to.At(o.partition), end.At(o.partition))
		}
		s.eventsBetween(ctx, start, stop)(yield)
	}
}

// Follow yields every event from the cursor on.
func (s *Store) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	start := map[int32]int64{}
	for _, o := range s.owners {
		start[o.partition] = from.At(o.partition)
	}
	return s.eventsBetween(ctx, start, nil)
}

// eventsBetween yields the events in a range of offsets per partition. If to is nil, it never ends.
func (s *Store) eventsBetween(
	ctx context.Context, from, to map[int32]int64,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		err := s.scan(ctx, s.events, from, to, func(record *kgo.Record) bool {
			_, isMark := parseMark(record)
			_, isFrontier := parseFrontier(record)
			if isMark || isFrontier {
				return true
			}
			e, err := decode(record)
			return yield(e, err) && err == nil
		})
		if err != nil {
			yield(contract.Recorded{}, err)
		}
	}
}

// scan calls visit for every committed record in [from, to) per partition, until visit returns
// false. If to is nil, it continues until ctx ends.
//
// A range is complete when the record before its end has arrived. For that the client must also get
// control records (KeepControlRecords): the last offset before a stable end is mostly the control
// record that ends a transaction, and no data record will ever have that offset.
func (s *Store) scan(
	ctx context.Context, topic string, from, to map[int32]int64, visit func(*kgo.Record) bool,
) error {
	offsets := map[int32]kgo.Offset{}
	for p, at := range from {
		if to == nil || at < to[p] {
			offsets[p] = kgo.NewOffset().At(at)
		}
	}
	if len(offsets) == 0 {
		return ctx.Err()
	}
	client, err := s.dial(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a lost offset is an error: never skip it
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(offsets) > 0 {
		fetches := client.PollFetches(ctx)
		if err := fetchError(ctx, fetches); err != nil {
			return fmt.Errorf("read %s: %w", topic, err)
		}
		for it := fetches.RecordIter(); !it.Done(); {
			record := it.Next()
			end, ends := to[record.Partition]
			if (!ends || record.Offset < end) && !record.Attrs.IsControl() && !visit(record) {
				return nil
			}
			if ends && record.Offset >= end-1 {
				delete(offsets, record.Partition)
			}
		}
	}
	return nil
}

func fetchError(ctx context.Context, fetches kgo.Fetches) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var all error
	for _, e := range fetches.Errors() {
		all = errors.Join(all, fmt.Errorf("partition %d: %w", e.Partition, e.Err))
	}
	return all
}

// Frontier returns the earliest frontier of the partitions. For a partition that we do not own (we
// lost it, or the store is read-only), the frontier is the time of the last event: its owner may
// have an append in flight whose time is set already. The option Alone excludes such an owner. A
// later owner takes its times from the clock, so the clock gives the frontier.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil {
		return time.Time{}, err
	}
	var least time.Time
	for i, o := range s.owners {
		at := o.last
		if o.producer != nil || s.opts.Alone {
			var err error
			if at, err = o.frontier(ctx); err != nil {
				return time.Time{}, err
			}
		}
		if i == 0 || at.Before(least) {
			least = at
		}
	}
	return least, nil
}

// CommitFrontier records the frontier of each partition that we own in a frontier mark, and returns
// the earliest frontier on record. Of another partition that is the time of its last event or mark.
func (s *Store) CommitFrontier(ctx context.Context) (time.Time, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.refresh(ctx); err != nil || s.layout().Simulated {
		return time.Time{}, err
	}
	var least time.Time
	for i, o := range s.owners {
		at, err := o.commitFrontier(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("commit the frontier of partition %d: %w", i, err)
		}
		if i == 0 || at.Before(least) {
			least = at
		}
	}
	return least, nil
}

// commitFrontier commits the promise BEFORE anybody hears of it. A crash after the commit leaves a
// promise that the next owner keeps.
func (o *owner) commitFrontier(ctx context.Context) (time.Time, error) {
	if o.producer == nil {
		return o.last, nil
	}
	at, err := o.frontier(ctx)
	if err == nil {
		err = o.producer.transact(ctx, []*kgo.Record{o.frontierMark(at)})
	}
	if err != nil {
		o.leave()
	}
	return at, err
}
