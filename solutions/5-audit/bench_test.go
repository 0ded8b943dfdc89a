package audit_test

import (
	"context"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// made is a log of this many events that are made when they are read.
type made int64

func (m made) End(context.Context) (contract.Cursor, error) { return contract.Cursor{int64(m)}, nil }
func (m made) Frontier(context.Context) (time.Time, error)  { panic("not asked") }
func (m made) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("not asked")
}

func (m made) Read(_ context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for o := from.At(0); o < to.At(0); o++ {
			r := contract.Recorded{Version: 1 + o/1000, RecordedAt: audittest.Noon, Position: contract.Position{Offset: o}}
			r.Event = contract.Event{
				ID: uuid.UUID{byte(o), byte(o >> 8), byte(o >> 16), byte(o >> 24)}, Stream: fmt.Sprintf("trade/UTI-%03d", o%1000),
				Type: "trade.amended", EffectiveAt: audittest.Noon, Actor: "desk-7", Reason: "agreed", Source: "bench", Data: make([]byte, 200),
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func BenchmarkAuditor(b *testing.B) {
	const events = 100_000
	signer, verifier := keys(b)
	for b.Loop() {
		a, err := audit.Open(audit.Options{Log: made(events), Archive: new(audit.Memory), Origin: origin, Signer: signer, Verifier: verifier})
		require.NoError(b, err)
		start := time.Now()
		_, err = a.Seal(b.Context())
		require.NoError(b, err)
		b.ReportMetric(events/time.Since(start).Seconds(), "sealed/s")
		start = time.Now()
		v, err := a.Verify(b.Context())
		require.NoError(b, err)
		require.Nil(b, v.Fault)
		b.ReportMetric(events/time.Since(start).Seconds(), "verified/s")
	}
}
