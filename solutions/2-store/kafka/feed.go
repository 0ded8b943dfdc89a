package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// An eventSeq is events of the log, and the error that ends them.
type eventSeq = iter.Seq2[contract.Recorded, error]

// offsets is an offset for each partition.
type offsets = map[int32]int64

// End returns the cursor after all committed events: the last stable offset of each partition.
// Every transaction before that offset is committed or aborted.
func (l *log) End(ctx context.Context) (contract.Cursor, error) {
	stable, err := l.list(ctx, l.admin.ListCommittedOffsets, l.events)
	if err != nil {
		return nil, fmt.Errorf("end of log %s: %w", l.opts.Prefix, err)
	}
	end := make(contract.Cursor, l.partitions)
	for p := range end {
		o, ok := stable.Lookup(l.events, int32(p))
		if !ok {
			return nil, fmt.Errorf("end of log %s: no answer for partition %d", l.opts.Prefix, p)
		}
		end[p] = o.Offset
	}
	return end, nil
}

// list asks for an offset of each partition of a topic. A broker that has just started may for some
// time not be the leader of a partition.
func (l *log) list(
	ctx context.Context, ask func(context.Context, ...string) (kadm.ListedOffsets, error),
	topic string,
) (kadm.ListedOffsets, error) {
	return patiently(ctx, l, func() (kadm.ListedOffsets, error) {
		list, err := ask(ctx, topic)
		if err == nil {
			err = list.Error()
		}
		return list, err
	})
}

// hasOpenTransaction reports whether some transaction is neither committed nor aborted. The last
// request of a dead owner may still arrive, but a commit is requested only after the broker has the
// events.
func (l *log) hasOpenTransaction(ctx context.Context) (bool, error) {
	stable, err := l.End(ctx)
	if err != nil {
		return false, err
	}
	ends, err := l.list(ctx, l.admin.ListEndOffsets, l.events)
	if err != nil {
		return false, err
	}
	for p := range stable {
		if end, _ := ends.Lookup(l.events, int32(p)); end.Offset != stable[p] {
			return true, nil
		}
	}
	return false, nil
}

// Read returns the events in [from, to), or up to the end if to lies after it.
func (l *log) Read(ctx context.Context, from, to contract.Cursor) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		end, err := l.End(ctx)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		start, stop := offsets{}, offsets{}
		for p := range l.partitions {
			start[p], stop[p] = from.At(p), min(to.At(p), end.At(p))
		}
		l.span(ctx, start, stop)(yield)
	}
}

// Follow returns all events from the cursor on, and waits for more.
func (l *log) Follow(ctx context.Context, from contract.Cursor) eventSeq {
	start := offsets{}
	for p := range l.partitions {
		start[p] = from.At(p)
	}
	return l.span(ctx, start, nil)
}

// readPartition returns the events of one partition in [from, to).
func (l *log) readPartition(ctx context.Context, p int32, from, to int64) eventSeq {
	return l.span(ctx, offsets{p: from}, offsets{p: to})
}

// after returns the events of a partition after last, or all if last is nil, up to the offset to.
// If the log does not have last, the error is index.ErrUnusable: an index that has the event is of
// another log, or the log was cut.
func (l *log) after(ctx context.Context, p int32, last *contract.Recorded, to int64) eventSeq {
	if last == nil {
		return l.readPartition(ctx, p, 0, to)
	}
	from := last.Position.Offset
	return func(yield func(contract.Recorded, error) bool) {
		seen := false
		for e, err := range l.readPartition(ctx, p, from, to) {
			if err == nil && !seen {
				if seen = sameEvent(e, *last); !seen {
					break
				}
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if !seen {
			err := fmt.Errorf("%w: %w: the log does not have its last event, at offset %d",
				index.ErrUnusable, index.ErrDiffers, from)
			yield(contract.Recorded{}, err)
		}
	}
}

func sameEvent(a, b contract.Recorded) bool {
	return a.Position == b.Position && a.Version == b.Version && a.RecordedAt.Equal(b.RecordedAt) &&
		a.ContentDigest() == b.ContentDigest()
}

// lastRecorded returns the time that a partition has reached: the latest of its last events and
// frontier marks, zero if it has none. It reads ranges from the end backwards, each twice as long
// as the one before, until one of them has an event or a mark.
func (l *log) lastRecorded(ctx context.Context, p int32) (time.Time, error) {
	end, err := l.End(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for stop, step := end.At(p), int64(64); stop > 0; step *= 2 {
		start := max(0, stop-step)
		last, err := l.latest(ctx, p, start, stop)
		if err != nil || !last.IsZero() {
			return last, err
		}
		stop = start
	}
	return time.Time{}, nil
}

// latest returns the latest time of an event or a frontier mark in [from, to) of a partition.
func (l *log) latest(ctx context.Context, p int32, from, to int64) (last time.Time, err error) {
	var damaged error
	err = l.scan(ctx, l.events, offsets{p: from}, offsets{p: to}, func(record *kgo.Record) bool {
		at, isMark := frontierOf(record)
		if !isMark {
			var e contract.Recorded
			e, _, damaged = decode(record)
			at = e.RecordedAt // zero for an owner mark
		}
		if at.After(last) {
			last = at
		}
		return damaged == nil
	})
	return last, errors.Join(err, damaged)
}

// Committed returns the latest frontier mark of the log, without committing one, and reports
// whether there is one. In a simulated log it is zero. Committed reads the whole log.
func (l *log) Committed(ctx context.Context) (last time.Time, begun bool, err error) {
	end, err := l.End(ctx)
	if err != nil {
		return last, false, err
	}
	from, to := offsets{}, offsets{}
	for p, stop := range end {
		from[int32(p)], to[int32(p)] = 0, stop
	}
	err = l.scan(ctx, l.events, from, to, func(record *kgo.Record) bool {
		if at, isMark := frontierOf(record); isMark {
			begun = true
			if at.After(last) {
				last = at
			}
		}
		return true
	})
	return last, begun, err
}

// span returns the events in a range of offsets by partition. If to is nil, it has no end.
func (l *log) span(ctx context.Context, from, to offsets) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		err := l.scan(ctx, l.events, from, to, func(record *kgo.Record) bool {
			e, isEvent, err := decode(record)
			if err != nil {
				yield(e, err)
				return false
			}
			return !isEvent || yield(e, nil)
		})
		if err != nil {
			yield(contract.Recorded{}, err)
		}
	}
}

// fetchBytes bounds the bytes that are read ahead, and partitionBytes those of one partition.
// Decoded events take several times as much memory. perOffset is the room for one event, so that a
// caller that asks for a few events is not sent a thousand.
const (
	fetchBytes     = 4 << 20
	partitionBytes = 1 << 20
	perOffset      = 1 << 10
)

// scan calls visit with every committed record in [from, to) per partition, until visit returns
// false. If to is nil, it goes on until ctx ends.
//
// A range is finished when the record before its end has come. That works only because the client
// keeps control records: the last offset before a stable end is usually the record that ends a
// transaction, and no data ever comes there. It is never data of an aborted transaction: one
// producer at a time writes a partition, and the next one starts after the abort is written.
func (l *log) scan(
	ctx context.Context, topic string, from, to offsets, visit func(*kgo.Record) bool,
) error {
	start, longest := map[int32]kgo.Offset{}, int64(partitionBytes)
	if to != nil {
		longest = 1
	}
	for p, at := range from {
		if to == nil || at < to[p] {
			start[p] = kgo.NewOffset().At(at)
			longest = max(longest, to[p]-at)
		}
	}
	if len(start) == 0 {
		return ctx.Err()
	}
	client, err := l.dial(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: start}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(int32(min(partitionBytes, longest*perOffset))),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // a missing offset is an error, never a jump
	)
	if err != nil {
		return err
	}
	defer client.Close()
	for len(start) > 0 {
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
				delete(start, record.Partition)
			}
		}
	}
	return nil
}

func fetchError(ctx context.Context, fetches kgo.Fetches) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errors.Join(slices.Collect(func(yield func(error) bool) {
		for _, e := range fetches.Errors() {
			if !yield(fmt.Errorf("partition %d: %w", e.Partition, e.Err)) {
				return
			}
		}
	})...)
}
