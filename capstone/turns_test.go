package capstone_test

import (
	"context"
	"errors"
	"hash/fnv"
	"iter"
	"maps"
	"math/rand/v2"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/lines/linestest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// A grouping is a store that queues appends, and answers all that wait at once, as a group commit
// does.
type grouping struct {
	contract.Store
	mu      sync.Mutex
	waiting []func()
	groups  func(size int)
}

func (g *grouping) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) (receipts []contract.Receipt, err error) {
	done := make(chan struct{})
	g.mu.Lock()
	g.waiting = append(g.waiting, func() {
		receipts, err = g.Store.Append(ctx, stream, expected, events...)
		close(done)
	})
	first := len(g.waiting) == 1
	g.mu.Unlock()
	contract.Queued(ctx)
	if first {
		g.commit()
	}
	<-done
	return receipts, err
}

// commit gives other appends the time to come, then commits all of them.
func (g *grouping) commit() {
	for range 10 {
		runtime.Gosched()
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, do := range g.waiting {
		do()
	}
	g.groups(len(g.waiting))
	g.waiting = nil
}

const partitions = 3

// lane returns the partition of a stream, as the desk's log places it.
func lane(stream string) int32 {
	h := fnv.New32a()
	h.Write([]byte(trade.Subject(stream)))
	return int32(h.Sum32() % partitions)
}

// A partitioned log gives each event a later time than the event before it in its partition.
type partitioned struct{ *perStream }

func newPartitioned(slowly func(contract.Store) contract.Store) partitioned {
	return partitioned{&perStream{
		Store: memory.New(contract.SimulatedClock), streams: map[string]contract.Store{},
		ids:       map[uuid.UUID]contract.Store{},
		partition: func(stream string) string { return strconv.Itoa(int(lane(stream))) },
		slowly:    slowly,
	}}
}

// Read yields the events of all partitions, one partition after the other.
func (p partitioned) Read(
	ctx context.Context, _, _ contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, partition := range slices.Sorted(maps.Keys(p.streams)) {
			s := p.streams[partition]
			to, err := s.End(ctx)
			if err != nil {
				yield(contract.Recorded{}, err)
				return
			}
			for e, err := range s.Read(ctx, nil, to) {
				if !yield(e, err) {
					return
				}
			}
		}
	}
}

// events returns the events of each partition.
func (p partitioned) events(t *testing.T) map[int32][]contract.Recorded {
	t.Helper()
	events := map[int32][]contract.Recorded{}
	for e, err := range p.Read(t.Context(), nil, nil) {
		require.NoError(t, err)
		events[lane(e.Stream)] = append(events[lane(e.Stream)], e)
	}
	require.Len(t, events, partitions)
	return events
}

// A simulated log has the same events at the same positions, with the same times, however many
// lines are in flight and wherever the contracts that are linked have their partitions. The lines
// share commits, if the store groups them.
func TestLinesKeepTheirTimesInTheLog(t *testing.T) {
	t.Parallel()
	begin, change := linkedBook(6)
	book := linestest.Shuffled(slices.Concat(sample(t), begin, change), 3)
	recorded := func(width int) (map[int32][]contract.Recorded, int64) {
		var largest atomic.Int64
		note := func(size int) {
			for l := largest.Load(); int64(size) > l; l = largest.Load() {
				largest.CompareAndSwap(l, int64(size))
			}
		}
		log := newPartitioned(func(s contract.Store) contract.Store {
			return &grouping{Store: s, groups: note}
		})
		s := over(log)
		if width > 1 {
			s.Lane = lane
		}
		imported(t, s, book, width)
		return log.events(t), largest.Load()
	}
	want, _ := recorded(1)
	got, largest := recorded(64)
	require.Equal(t, want, got)
	require.Greater(t, largest, int64(1), "lines share commits")
}

// A mortal store records no append once it has none left. It answers late: others go on meanwhile.
type mortal struct {
	contract.Store
	left *atomic.Int64
	err  error
}

func (m mortal) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if m.left.Add(-1) >= 0 {
		return m.Store.Append(ctx, stream, expected, events...)
	}
	for range 300 {
		runtime.Gosched()
	}
	return nil, m.err
}

// A process dies after one partition has committed, and before another one has. The import of the
// same lines then gives the events the times that one import gives them: an event waits for those
// before it if it has follow-ups, because the next process issues these first.
func TestDeadImportKeepsItsTimes(t *testing.T) {
	t.Parallel()
	begin, change := linkedBook(6)
	all := slices.Concat(begin, change)
	died := errors.New("the process died")
	for seed := range uint64(12) {
		random := rand.New(rand.NewPCG(seed, 0))
		book := linestest.Shuffled(all, seed)
		once := newPartitioned(func(s contract.Store) contract.Store { return s })
		imported(t, over(once), book, 1)

		var left atomic.Int64
		left.Store(random.Int64N(12))
		dies := 1 + random.IntN(partitions)
		twice := newPartitioned(nil)
		twice.perStream.slowly = func(s contract.Store) contract.Store {
			if len(twice.streams) == dies { // in the order of their first use
				s = mortal{s, &left, died}
			}
			return &grouping{Store: s, groups: func(int) {}}
		}
		s := over(twice)
		s.Lane, s.Width = lane, 64
		_, err := s.Import(t.Context(), each(book), func(capstone.Result) {})
		require.ErrorIs(t, err, died, "seed %d", seed)
		left.Store(1 << 30)
		imported(t, s, book, 64)
		require.Equal(t, once.events(t), twice.events(t), "seed %d", seed)
	}
}

// A fenced store queues its first append, and does not record it.
type fenced struct {
	contract.Store
	once *sync.Once
}

func (f fenced) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	contract.Queued(ctx)
	var err error
	f.once.Do(func() { err = contract.ErrFenced })
	if err != nil {
		return nil, err
	}
	return f.Store.Append(ctx, stream, expected, events...)
}

// After a fence an import that keeps the order of its lines stops: the place of the line may be
// gone. The same import then completes. An import without an order appends again.
func TestFenceEndsAnOrderedImport(t *testing.T) {
	t.Parallel()
	book := []lines.Line{line(1, oil("c-1", "A")), line(2, oil("c-2", "B"))}
	once := new(sync.Once)
	s := over(fenced{memory.New(contract.SimulatedClock), once})
	s.Lane = lane
	_, err := s.Import(t.Context(), each(book), func(capstone.Result) {})
	require.ErrorContains(t, err, "line 1: the order of the lines was lost: import again")
	require.Equal(t, 2, imported(t, s, book, 2).Accepted)

	*once = sync.Once{}
	s = over(fenced{memory.New(contract.SimulatedClock), once})
	require.Equal(t, 2, imported(t, s, book, 2).Accepted)
}
