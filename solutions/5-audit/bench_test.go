package audit_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// generatedLog is a log of this many events. Read generates them.
type generatedLog int64

func (l generatedLog) End(context.Context) (contract.Cursor, error) {
	return contract.Cursor{int64(l)}, nil
}

func (generatedLog) Timeline(context.Context) (contract.Timeline, error) {
	return contract.Timeline{}, nil
}

func (generatedLog) CommitFrontier(context.Context) (time.Time, error) {
	return time.Time{}, nil
}

func (generatedLog) Frontier(context.Context) (time.Time, error) { panic("not called") }

func (generatedLog) Follow(context.Context, contract.Cursor) events {
	panic("not called")
}

func (generatedLog) Read(_ context.Context, from, to contract.Cursor) events {
	return func(yield func(contract.Recorded, error) bool) {
		for o := from.At(0); o < to.At(0); o++ {
			r := contract.Recorded{
				Version: 1 + o/1000, Position: at(0, o),
				RecordedAt: audittest.Noon.Add(time.Duration(o) * time.Microsecond),
			}
			r.Event = contract.Event{
				ID:     uuid.UUID{byte(o), byte(o >> 8), byte(o >> 16), byte(o >> 24)},
				Stream: fmt.Sprintf("trade/UTI-%03d", o%1000), Type: "trade.amended",
				EffectiveAt: audittest.Noon,
				EnteredAt:   audittest.Noon, CommandID: "c-1",
				Actor: "desk-7", Reason: "agreed", Source: "bench",
				Data: make([]byte, 200),
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// recorded is a log of events in memory.
type recorded struct {
	generatedLog
	all []contract.Recorded
}

func generate(size int64) recorded {
	log := recorded{generatedLog: generatedLog(size)}
	for r := range log.generatedLog.Read(context.Background(), nil, contract.Cursor{size}) {
		log.all = append(log.all, r)
	}
	return log
}

func (l recorded) Read(_ context.Context, from, to contract.Cursor) events {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.all[from.At(0):to.At(0)] {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// bare takes the time of SHA-256 alone, over the leaves of events and the nodes above them.
func bare(log recorded) time.Duration {
	var leaves [][]byte
	for _, r := range log.all {
		leaves = append(leaves, append([]byte{0}, r.Leaf()...))
	}
	node := [65]byte{1}
	runtime.GC()
	start := cpu()
	for _, leaf := range leaves {
		hash := sha256.Sum256(leaf)
		copy(node[1:], hash[:])
		sha256.Sum256(node[:]) // a tree has as many nodes as leaves, less one
	}
	return cpu() - start
}

// Sealing and verifying in memory, on one core, as a part of bare SHA-256 over the same leaves and
// nodes. The time to make the leaves of the events is not part of either.
func BenchmarkAuditor(b *testing.B) {
	const size = 100_000
	log := generate(size)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	var leaves, hashing, sealing, verifying time.Duration
	for b.Loop() {
		runtime.GC() // before each part: no part pays for the garbage of the one before
		start := cpu()
		for _, r := range log.all {
			r.Leaf()
		}
		leaves += cpu() - start
		hashing += bare(log)
		a := open(b, log, new(audit.Memory))
		a.Batch = audit.DefaultBatch
		runtime.GC()
		start = cpu()
		_, err := a.Seal(b.Context())
		require.NoError(b, err)
		sealing += cpu() - start
		runtime.GC()
		start = cpu()
		v, err := a.Verify(b.Context())
		require.NoError(b, err)
		require.Nil(b, v.Fault)
		verifying += cpu() - start
	}
	b.ReportMetric(float64(size*b.N)/sealing.Seconds(), "sealed/s")
	b.ReportMetric(float64(size*b.N)/verifying.Seconds(), "verified/s")
	b.ReportMetric(100*float64(hashing)/float64(sealing-leaves), "%sha256-sealing")
	b.ReportMetric(100*float64(hashing)/float64(verifying-leaves), "%sha256-verifying")
}

// The proof of one event, from an archive in memory, of ten thousand and of a million events.
func BenchmarkProve(b *testing.B) {
	for _, size := range []int64{10_000, 1_000_000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			a := open(b, generatedLog(size), new(audit.Memory))
			a.Batch = audit.DefaultBatch
			_, err := a.Seal(b.Context())
			require.NoError(b, err)
			var some []contract.Recorded
			for i := range int64(100) {
				from := i * size / 100
				for r := range generatedLog(size).Read(b.Context(), contract.Cursor{from},
					contract.Cursor{from + 1}) {
					some = append(some, r)
				}
			}
			n, start := 0, cpu()
			for b.Loop() {
				_, err := a.Prove(b.Context(), some[n%len(some)])
				require.NoError(b, err)
				n++
			}
			b.ReportMetric(float64((cpu()-start).Microseconds())/float64(n), "cpu-µs/proof")
		})
	}
}
