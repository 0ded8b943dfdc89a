package kafka

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// End is the cursor behind all that is committed: the last stable offset of each partition, below which every
// transaction is decided.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	return patiently(ctx, s, func() (contract.Cursor, error) { return s.end(ctx) })
}

func (s *Store) end(ctx context.Context) (contract.Cursor, error) { return s.endOf(ctx, s.partitions) }

func (s *Store) endOf(ctx context.Context, partitions int32) (contract.Cursor, error) {
	offsets, err := s.admin.ListCommittedOffsets(ctx, s.events)
	if err == nil {
		err = offsets.Error()
	}
	if err != nil {
		return nil, fmt.Errorf("end of log %s: %w", s.opts.Prefix, err)
	}
	end := make(contract.Cursor, partitions)
	for p := range end {
		o, ok := offsets.Lookup(s.events, int32(p))
		if !ok {
			return nil, fmt.Errorf("end of log %s: no answer for partition %d", s.opts.Prefix, p)
		}
		end[p] = o.Offset
	}
	return end, nil
}

// Read is every event in [from, to), or up to the end where to lies past it.
func (s *Store) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		end, err := s.End(ctx)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		start, stop := map[int32]int64{}, map[int32]int64{}
		for p := range s.partitions {
			start[p], stop[p] = from.At(p), min(to.At(p), end.At(p))
		}
		s.span(ctx, start, stop)(yield)
	}
}

// Follow is every event from the cursor on.
func (s *Store) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	start := map[int32]int64{}
	for p := range s.partitions {
		start[p] = from.At(p)
	}
	return s.span(ctx, start, nil)
}

// span is the events in a range of offsets; without an end where to is nil.
func (s *Store) span(ctx context.Context, from, to map[int32]int64) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		err := s.scan(ctx, s.events, from, to, func(record *kgo.Record) bool {
			e, event, err := decode(record)
			if err != nil {
				yield(e, err)
				return false
			}
			return !event || yield(e, nil)
		})
		if err != nil {
			yield(contract.Recorded{}, err)
		}
	}
}

// fetchBytes bounds what is read ahead, which takes several times as much once it is decoded, and partitionBytes what of it is of one
// partition. Who asks for a few events is not sent a thousand: perOffset is room for one of them.
const (
	fetchBytes     = 4 << 20
	partitionBytes = 1 << 20
	perOffset      = 1 << 10
)

// scan shows visit every committed record in [from, to) per partition, until visit says false. Where to is nil it
// goes on until ctx ends.
//
// A range is over when the record before its end has come. That works only because control records are
// shown to us too: the last offset below a stable end is mostly the one that ends a transaction, and no data will ever come there. (It is never data of
// an aborted transaction: only one producer writes a partition at a time, and the next is let in once the abort is written.)
func (s *Store) scan(ctx context.Context, topic string, from, to map[int32]int64, visit func(*kgo.Record) bool) error {
	offsets, longest := map[int32]kgo.Offset{}, int64(partitionBytes)
	if to != nil {
		longest = 1
	}
	for p, at := range from {
		if to == nil || at < to[p] {
			offsets[p] = kgo.NewOffset().At(at)
			longest = max(longest, to[p]-at)
		}
	}
	if len(offsets) == 0 {
		return ctx.Err()
	}
	client, err := s.dial(
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: offsets}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()),
		kgo.KeepControlRecords(),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(int32(min(partitionBytes, longest*perOffset))),
		kgo.ConsumeResetOffset(kgo.NoResetOffset()), // an offset that is gone is an error, never a jump
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

// Frontier is the least over the partitions. One that we own knows what it will stamp next; of another's we know only that
// it will not stamp before its last event, so a partition of others that is quiet holds the frontier back.
//
// A reader that is alone needs no owner to tell: whoever comes stamps by the clock, from now on.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	if s.opts.Alone {
		decided, err := s.decided(ctx)
		if err != nil {
			return time.Time{}, fmt.Errorf("frontier of log %s: %w", s.opts.Prefix, err)
		}
		if decided {
			return contract.Stamp(s.opts.Clock(ctx), time.Time{}).Add(-time.Microsecond), nil
		}
	}
	owners, _, err := s.settledOwners(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("frontier of log %s: %w", s.opts.Prefix, err)
	}
	var frontiers []time.Time
	for p, o := range owners {
		if o != nil {
			// What it tells holds if it has not ended meanwhile.
			at := o.stamps.frontier(s.opts.Clock(ctx))
			if o.ctx.Err() == nil {
				frontiers = append(frontiers, at)
				continue
			}
		}
		last, err := s.lastRecorded(ctx, int32(p))
		if err != nil {
			return time.Time{}, fmt.Errorf("frontier of log %s: %w", s.opts.Prefix, err)
		}
		frontiers = append(frontiers, last)
	}
	return slices.MinFunc(frontiers, time.Time.Compare), nil
}

// decided says that no transaction is open. What a dead owner asked for last may still be on its way, but a commit is asked for
// only once its events are with the broker.
func (s *Store) decided(ctx context.Context) (bool, error) {
	stable, err := s.End(ctx)
	if err != nil {
		return false, err
	}
	ends, err := s.admin.ListEndOffsets(ctx, s.events)
	if err == nil {
		err = ends.Error()
	}
	decided := err == nil
	for p := range stable {
		end, _ := ends.Lookup(s.events, int32(p))
		decided = decided && end.Offset == stable[p]
	}
	return decided, err
}

// lastRecorded is the time of a partition's last event; zero if it has none. It looks from the end backwards, twice as
// far each time.
func (s *Store) lastRecorded(ctx context.Context, partition int32) (time.Time, error) {
	end, err := s.End(ctx)
	if err != nil {
		return time.Time{}, err
	}
	for stop, step := end.At(partition), int64(64); stop > 0; step *= 2 {
		start := max(0, stop-step)
		var last time.Time
		for e, err := range s.span(ctx, map[int32]int64{partition: start}, map[int32]int64{partition: stop}) {
			if err != nil {
				return time.Time{}, err
			}
			last = e.RecordedAt
		}
		if !last.IsZero() {
			return last, nil
		}
		stop = start
	}
	return time.Time{}, nil
}

// ownerAddress is the address of the member that the group gave a partition to; empty if that is not to be had.
func (s *Store) ownerAddress(ctx context.Context, partition int32) string {
	groups, err := s.admin.DescribeGroups(ctx, s.group())
	if err != nil {
		return ""
	}
	for _, member := range groups[s.group()].Members {
		assigned, ok := member.Assigned.AsConsumer()
		if !ok {
			continue
		}
		for _, t := range assigned.Topics {
			if slices.Contains(t.Partitions, partition) {
				return strings.TrimPrefix(member.ClientID, clientPrefix)
			}
		}
	}
	return ""
}
