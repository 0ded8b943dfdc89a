package kafka

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// Find returns the event with an id. It asks the indexes of the partitions of this process. Of the
// other partitions it reads the log, from the offset that their index files have reached.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, ok, err := s.find(ctx, id)
	if err == nil && !ok {
		err = contract.ErrNotFound
	}
	if err != nil {
		return contract.Recorded{}, fmt.Errorf("find %s: %w", id, err)
	}
	return e, nil
}

func (s *Store) find(ctx context.Context, id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	_, served, err := s.ready(ctx)
	if err != nil {
		return e, false, err
	}
	var others []int32
	for n, p := range s.index.Partitions {
		if !served[n] {
			others = append(others, int32(n))
			continue
		}
		if err := p.AwaitID(ctx, id); err != nil {
			return e, false, err
		}
		if e, ok, err = p.Find(id); ok {
			return e, true, nil
		}
		if err != nil { // its owner rebuilds it, or has ended
			others = append(others, int32(n))
		}
	}
	return s.findInLog(ctx, others, id)
}

// findInLog looks for an id in partitions that the index of this process does not answer for.
func (s *Store) findInLog(
	ctx context.Context, partitions []int32, id uuid.UUID,
) (e contract.Recorded, ok bool, err error) {
	if len(partitions) == 0 {
		return e, false, nil
	}
	end, err := s.End(ctx)
	if err != nil {
		return e, false, err
	}
	for _, p := range partitions {
		err = s.query(ctx, p, end.At(p),
			func(ix *index.Partition) (err error) { e, ok, err = ix.Find(id); return err },
			func(candidate contract.Recorded) {
				if candidate.ID == id {
					e, ok = candidate, true
				}
			})
		if ok || err != nil {
			return e, ok, err
		}
	}
	return e, false, nil
}

// Stream returns the events of one stream. If its partition is not ours, it reads the log, from the
// offset that the index file of the partition has reached.
func (s *Store) Stream(ctx context.Context, stream string) eventSeq {
	return s.StreamFrom(ctx, stream, 1)
}

// StreamFrom implements contract.Resumer.
func (s *Store) StreamFrom(ctx context.Context, stream string, version int64) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		events, err := s.stream(ctx, stream, version)
		if err != nil {
			yield(contract.Recorded{}, fmt.Errorf("stream %s: %w", stream, err))
			return
		}
		for _, e := range events {
			if !yield(e, ctx.Err()) {
				return
			}
		}
	}
}

func (s *Store) stream(
	ctx context.Context, stream string, from int64,
) ([]contract.Recorded, error) {
	partition := s.PartitionOf(stream)
	_, served, err := s.ready(ctx)
	if err != nil {
		return nil, err
	}
	if p := s.index.Partitions[partition]; served[partition] {
		if err := p.AwaitStream(ctx, stream); err != nil {
			return nil, err
		}
		events, err := p.Stream(stream, from)
		if err == nil {
			return events, nil
		} // else its owner rebuilds the index, or has ended
	}
	end, err := s.End(ctx)
	if err != nil {
		return nil, err
	}
	return s.streamInLog(ctx, partition, end.At(partition), stream, from)
}

// streamInLog returns a stream of a partition that the index of this process does not answer for.
// It checks that no version is missing, as an owner does: a decision from a history with a gap
// would be wrong.
func (s *Store) streamInLog(
	ctx context.Context, partition int32, end int64, name string, from int64,
) (events []contract.Recorded, err error) {
	var gap error
	last, ended := int64(0), false
	err = s.query(ctx, partition, end,
		func(ix *index.Partition) (err error) { events, err = ix.Stream(name, from); return err },
		func(e contract.Recorded) {
			if e.Stream != name {
				return
			}
			if gap == nil {
				gap = index.CheckNext(e, last, ended)
			}
			if last, ended = e.Version, e.Ends; last >= from {
				events = append(events, e)
			}
		})
	if err == nil {
		err = gap
	}
	return events, err
}

// An indexCopy is the copy of another owner's index.
type indexCopy struct {
	mu sync.Mutex
	*index.Copy
}

func (c *indexCopy) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Drop()
}

// query calls ask with the copied index of a partition. If that is missing or unusable, it calls
// visit with every event of the partition before the offset end: slow, and as correct.
func (s *Store) query(
	ctx context.Context, partition int32, end int64,
	ask func(*index.Partition) error, visit func(contract.Recorded),
) error {
	c := &s.copies[partition]
	c.mu.Lock()
	defer c.mu.Unlock()
	if s.opts.Dir != "" {
		ix, err := s.refresh(ctx, partition, end)
		if err == nil {
			err = ask(ix)
		}
		if err == nil {
			return nil
		}
		c.Fail(err)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		s.warnUnusable(partition, err)
	}
	for e, err := range s.readPartition(ctx, partition, 0, end) {
		if err != nil {
			return err
		}
		visit(e)
	}
	return nil
}

// refresh returns the copied index of a partition with all events before the offset end. If the log
// has grown meanwhile, the index has later events as well.
func (s *Store) refresh(
	ctx context.Context, partition int32, end int64,
) (ix *index.Partition, err error) {
	const patience = 10 // a transaction is visible in both topics within moments
	for try := range patience {
		ix, err = s.copies[partition].Refresh(end, index.Log{
			After: func(last *contract.Recorded) eventSeq {
				return s.after(ctx, partition, last, end)
			},
			Heads: func() (map[string]index.End, error) { return s.headsNow(ctx, partition) },
		})
		if !errors.Is(err, index.ErrBehind) || try == patience-1 {
			return ix, err
		}
		if try > 0 {
			s.pause()
		}
		now, err := s.End(ctx)
		if err != nil {
			return nil, err
		}
		end = now.At(partition)
	}
	return ix, err
}

// headsNow returns the ends of all streams of a partition, as their heads state them now; without a
// codec of heads, as the events give them.
func (s *Store) headsNow(ctx context.Context, partition int32) (map[string]index.End, error) {
	if s.opts.Heads == nil {
		return s.endsNow(ctx, partition)
	}
	stable, err := s.list(ctx, s.admin.ListCommittedOffsets, s.heads)
	if err != nil {
		return nil, fmt.Errorf("end of topic %s: %w", s.heads, err)
	}
	end, _ := stable.Lookup(s.heads, partition)
	found, err := s.readHeads(ctx, partition, end.Offset)
	return endsOf(found), err
}

// Heads returns the ends of all streams twice: as their heads state them, and as a reading of the
// log gives them. It needs a codec of heads. A log that grows meanwhile is read again.
func (s *Store) Heads(ctx context.Context) (heads, events map[string]index.End, err error) {
	const patience = 10
	for range patience {
		before, err := s.End(ctx)
		if err != nil {
			return nil, nil, err
		}
		heads, events = map[string]index.End{}, map[string]index.End{}
		for p := range s.partitions {
			stated, err := s.headsNow(ctx, p)
			if err != nil {
				return nil, nil, err
			}
			read, err := s.endsNow(ctx, p)
			if err != nil {
				return nil, nil, err
			}
			maps.Copy(heads, stated)
			maps.Copy(events, read)
		}
		after, err := s.End(ctx)
		if err != nil || slices.Equal(before, after) {
			return heads, events, err
		}
		s.pause()
	}
	return nil, nil, fmt.Errorf("compare the heads: the log grew during each of %d readings",
		patience)
}

// endsNow returns the ends of all streams of a partition. It reads the whole partition.
func (s *Store) endsNow(ctx context.Context, partition int32) (map[string]index.End, error) {
	to, err := s.End(ctx)
	if err != nil {
		return nil, err
	}
	ends := map[string]index.End{}
	for e, err := range s.readPartition(ctx, partition, 0, to.At(partition)) {
		if err != nil {
			return nil, err
		}
		entry := index.NewEntry(ends[e.Stream].Digest, e, indexCodec{})
		ends[e.Stream] = index.End{Version: e.Version, Ended: e.Ends, Digest: entry.Digest}
	}
	return ends, nil
}

// warnUnusable logs once that the index of a partition cannot be used. A crash of the stack leaves
// all of them unusable until the next owner comes, and a query may ask hundreds of times.
func (s *Store) warnUnusable(partition int32, why error) {
	if errors.Is(why, os.ErrNotExist) {
		return
	}
	s.warned.Do(func() {
		s.logger.Warn("index is unusable; the log is read instead",
			"partition", partition, "why", why)
	})
}

// ErrIndexDiffers is wrapped by the error of CheckIndex if index files with right checksums have
// other events than the log: they were changed, or belong to another history of the log.
var ErrIndexDiffers = index.ErrDiffers

// CheckIndex compares the index files of all partitions with the log, and changes nothing. Missing
// files are in order. Any other error means that files are damaged, incomplete or too old to be
// used. None of these is believed by an owner or a reader: the next owner rebuilds them.
func (s *Store) CheckIndex(ctx context.Context) error {
	end, err := s.End(ctx)
	if err != nil || s.opts.Dir == "" {
		return err
	}
	var first error
	bad := 0
	for p := range s.partitions {
		err := s.checkIndex(ctx, p, end.At(p))
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err == nil || errors.Is(err, os.ErrNotExist) {
			continue
		}
		if bad++; first == nil || errors.Is(err, ErrIndexDiffers) {
			first = fmt.Errorf("partition %d: %w", p, err)
		}
	}
	if bad > 0 {
		s.warned.Do(func() {}) // the caller is told
	}
	if bad > 1 {
		first = fmt.Errorf("%w, and %d more", first, bad-1)
	}
	return first
}

func (s *Store) checkIndex(ctx context.Context, partition int32, end int64) error {
	c := &s.copies[partition]
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Drop() // the file may have changed since it was read
	_, err := s.refresh(ctx, partition, end)
	if err != nil {
		c.Fail(err)
	}
	return err
}

// ready waits until each partition of this process is served or lost. It returns the owners by
// partition, and whether each is served here.
func (s *Store) ready(ctx context.Context) (owners []*owner, ours []bool, err error) {
	owners = make([]*owner, s.partitions)
	if s.group != nil {
		if owners, err = s.group.Owners(ctx); err != nil {
			return nil, nil, err
		}
	}
	ours, err = served(ctx, owners)
	return owners, ours, err
}

// served waits until each owner serves its partition or has lost it, and reports which ones serve.
func served(ctx context.Context, owners []*owner) ([]bool, error) {
	served := make([]bool, len(owners))
	for p, o := range owners {
		if o == nil {
			continue
		}
		var err error
		if served[p], err = o.awaitServing(ctx); err != nil {
			return nil, err
		}
	}
	return served, nil
}

// awaitServing waits until the owner serves its partition or has ended, and reports whether it
// has served.
func (o *owner) awaitServing(ctx context.Context) (bool, error) {
	select { // first alone: each append asks, and a choice of three costs more
	case <-o.serving:
		return true, nil
	default:
	}
	select {
	case <-o.serving:
		return true, nil
	case <-o.done:
		return false, nil
	case <-ctx.Done():
		return false, ctx.Err()
	}
}

// Frontier returns the earliest frontier of the partitions. A partition of this process knows the
// time of its next stamp. For a partition of another process we know only that it stamps nothing
// before its last event. So a quiet partition of another process holds the frontier back.
//
// A reader that is alone needs no owner: any owner that comes later stamps by the clock, from now
// on.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	frontier, err := s.frontier(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("frontier of log %s: %w", s.opts.Prefix, err)
	}
	return frontier, nil
}

func (s *Store) frontier(ctx context.Context) (time.Time, error) {
	if s.opts.Alone {
		open, err := s.hasOpenTransaction(ctx)
		if err != nil {
			return time.Time{}, err
		}
		if !open {
			return contract.Stamp(s.opts.Clock(ctx), time.Time{}).Add(-time.Microsecond), nil
		}
	}
	owners, _, err := s.ready(ctx)
	if err != nil {
		return time.Time{}, err
	}
	frontiers := make([]time.Time, len(owners))
	for p, o := range owners {
		if o != nil {
			frontiers[p] = o.stamps.promise(s.opts.Clock(ctx))
			if o.ctx.Err() == nil { // it had not ended when it promised
				continue
			}
		}
		if frontiers[p], err = s.lastRecorded(ctx, int32(p)); err != nil {
			return time.Time{}, err
		}
	}
	return slices.MinFunc(frontiers, time.Time.Compare), nil
}

// CommitFrontier has each owner of this process commit a frontier mark, and returns the earliest
// frontier on record. Of a partition of another process that is the time of its last event or mark:
// its owners continue after that. The marks of a simulated log have no time.
func (s *Store) CommitFrontier(ctx context.Context) (time.Time, error) {
	owners, _, err := s.ready(ctx)
	if err != nil {
		return time.Time{}, fmt.Errorf("commit the frontier of log %s: %w", s.opts.Prefix, err)
	}
	var all sync.WaitGroup
	frontiers, errs := make([]time.Time, len(owners)), make([]error, len(owners))
	for p, o := range owners {
		all.Go(func() {
			if o != nil {
				frontiers[p], errs[p] = o.commitFrontier(ctx)
			} else {
				frontiers[p], errs[p] = s.lastRecorded(ctx, int32(p))
			}
		})
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return time.Time{}, fmt.Errorf("commit the frontier of log %s: %w", s.opts.Prefix, err)
	}
	if s.simulated {
		return time.Time{}, nil
	}
	return slices.MinFunc(frontiers, time.Time.Compare), nil
}
