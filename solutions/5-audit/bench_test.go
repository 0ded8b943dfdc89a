package audit_test

import (
	"context"
	"fmt"
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
				Version: 1 + o/1000, RecordedAt: audittest.Noon, Position: at(0, o),
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

func BenchmarkAuditor(b *testing.B) {
	const size = 100_000
	for b.Loop() {
		a := open(b, generatedLog(size), new(audit.Memory))
		a.Batch = audit.DefaultBatch
		start := time.Now()
		_, err := a.Seal(b.Context())
		require.NoError(b, err)
		b.ReportMetric(size/time.Since(start).Seconds(), "sealed/s")
		start = time.Now()
		v, err := a.Verify(b.Context())
		require.NoError(b, err)
		require.Nil(b, v.Fault)
		b.ReportMetric(size/time.Since(start).Seconds(), "verified/s")
	}
}
