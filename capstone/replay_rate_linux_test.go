package capstone_test

import (
	"cmp"
	"context"
	"iter"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	replay "example.com/blotter/solutions/4-replay"
)

// manyBooks is the contracts of a log again and again, each time with other names, spread over
// partitions. It makes the events as they are read, and so takes no memory.
type manyBooks struct {
	contract.Reader // nil: a replay only reads the events
	book            []contract.Recorded
	copies          int
}

const partitionsOfBooks = 12

func (l manyBooks) end() contract.Cursor {
	c := make(contract.Cursor, partitionsOfBooks)
	for i := range l.copies {
		c[i%partitionsOfBooks] += int64(len(l.book))
	}
	return c
}

// Read yields the partitions in which from is before to.
func (l manyBooks) Read(
	_ context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for i := range l.copies {
			p := int32(i % partitionsOfBooks)
			if from.At(p) >= to.At(p) {
				continue
			}
			suffix := "-" + strconv.Itoa(i)
			for _, r := range l.book {
				r.Stream += suffix
				r.Position = contract.Position{Partition: p}
				if !yield(r, nil) {
					return
				}
			}
		}
	}
}

// processor returns the processor time of the process. Other processes do not count in it.
func processor(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	require.NoError(t, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak returns the largest heap while f runs, in MB, and the processor and real times of f.
func peak(t *testing.T, f func()) (heap uint64, used, took time.Duration) {
	t.Helper()
	done, stopped := make(chan struct{}), make(chan uint64)
	go func() {
		var m runtime.MemStats
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			runtime.ReadMemStats(&m)
			heap = max(heap, m.HeapAlloc)
			select {
			case <-done:
				stopped <- heap >> 20
				return
			case <-tick.C:
			}
		}
	}()
	runtime.GC()
	before, began := processor(t), time.Now()
	f()
	used, took = processor(t)-before, time.Since(began)
	close(done)
	return <-stopped, used, took
}

// kept returns the heap that is in use, in MB.
func kept() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc >> 20
}

// Every plan gives one state of many books. With a number of events in BLOTTER_REPLAY_EVENTS it
// also measures: bare decoding, a replay on one core, and on two.
//
//	BLOTTER_REPLAY_EVENTS=1000000 go test ./capstone -run ReplayRates -v
func TestReplayRates(t *testing.T) {
	wanted, err := strconv.Atoi(cmp.Or(os.Getenv("BLOTTER_REPLAY_EVENTS"), "1"))
	require.NoError(t, err)
	s := newSystem()
	imported(t, s, sample(t)[:1500], 1)
	log := manyBooks{}
	for r, err := range s.Log.Read(t.Context(), nil, end(t, s.Log)) {
		require.NoError(t, err)
		if _, isTrade := strings.CutPrefix(r.Stream, trade.TradeStream("")); isTrade {
			log.book = append(log.book, r)
		}
	}
	log.copies = max(20, wanted/len(log.book))
	events := log.copies * len(log.book)
	_, decoding, took := peak(t, func() {
		for r := range log.Read(t.Context(), nil, log.end()) {
			_, err := contract.Decoded(t.Context(), s.Desk.Codec, r)
			require.NoError(t, err)
		}
	})
	t.Logf("%d events decoded: processor %v, real %v", events, decoding, took)
	r, digest := replay.New(codec.Offline()), [32]byte{}
	for _, cores := range []int{1, 2} {
		var state trade.State
		var n int64
		heap, used, took := peak(t, func() {
			state, n, err = r.ReplayBy(t.Context(), replay.Plan{Cores: cores, Share: 50_000},
				log, log.end())
		})
		require.NoError(t, err)
		require.EqualValues(t, events, n)
		t.Logf("replayed on %d cores: processor %v, which is decoding at %.0f %%; real %v; "+
			"peak %d MB, of which the state of %d contracts keeps %d MB", cores, used,
			100*decoding.Seconds()/used.Seconds(), took, heap, len(state.Trades), kept())
		if cores > 1 {
			require.Equal(t, digest, state.Digest())
		}
		digest = state.Digest()
	}
}
