package capstone_test

import (
	"context"
	"hash/fnv"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

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

// A simulated log has the same events at the same positions, with the same times, however many
// lines are in flight and wherever the contracts that are linked have their partitions. The lines
// share commits, if the store groups them.
func TestLinesKeepTheirTimesInTheLog(t *testing.T) {
	t.Parallel()
	begin, change := linkedBook(6)
	book := linestest.Shuffled(slices.Concat(sample(t), begin, change), 3)
	const partitions = 3
	lane := func(stream string) int32 {
		h := fnv.New32a()
		h.Write([]byte(trade.Subject(stream)))
		return int32(h.Sum32() % partitions)
	}
	recorded := func(width int) (map[string][]contract.Recorded, int64) {
		var largest atomic.Int64
		note := func(size int) {
			for l := largest.Load(); int64(size) > l; l = largest.Load() {
				largest.CompareAndSwap(l, int64(size))
			}
		}
		log := &perStream{
			Store: memory.New(contract.SimulatedClock), streams: map[string]contract.Store{},
			ids:       map[uuid.UUID]contract.Store{},
			partition: func(stream string) string { return strconv.Itoa(int(lane(stream))) },
			slowly: func(s contract.Store) contract.Store {
				return &grouping{Store: s, groups: note}
			},
		}
		s := over(log)
		if width > 1 {
			s.Lane = lane
		}
		imported(t, s, book, width)
		events := map[string][]contract.Recorded{}
		for partition, s := range log.streams {
			for e, err := range s.Read(t.Context(), nil, end(t, s)) {
				require.NoError(t, err)
				events[partition] = append(events[partition], e)
			}
		}
		require.Len(t, events, partitions)
		return events, largest.Load()
	}
	want, _ := recorded(1)
	got, largest := recorded(64)
	require.Equal(t, want, got)
	require.Greater(t, largest, int64(1), "lines share commits")
}
