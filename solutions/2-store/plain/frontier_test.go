package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store/plain"
)

// An owner that lost the partition must not take its frontier from the clock. The new owner may
// have an append in flight whose time is set already, and the old owner cannot see that append.
func TestFrontierOfAFencedOwner(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	start := time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)
	var seconds atomic.Int64
	clock := func(context.Context) time.Time {
		return start.Add(time.Duration(seconds.Load()) * time.Second)
	}
	open := func() *store.Store {
		s, err := store.Open(
			t.Context(),
			store.Options{
				Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
				Prefix:  "log",
				Heads:   noHeads{},
				Clock:   clock,
			},
		)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	appendTo := func(s *store.Store, expected int64) ([]contract.Receipt, error) {
		return s.Append(t.Context(), "UTI-1", expected, contract.Event{
			ID: uuid.UUID{byte(expected + 1)}, Stream: "UTI-1", Type: "trade.amended", Schema: 1,
			EffectiveAt: start,
			EnteredAt:   start, CommandID: "c-1",
			Actor: "desk-7", Reason: "agreed", Source: "test", Data: make([]byte, 5),
		})
	}
	before := open()
	_, err = appendTo(before, 0)
	require.NoError(t, err)
	after := open()
	_, err = appendTo(before, 1)
	require.ErrorIs(t, err, contract.ErrFenced)

	seconds.Store(1)
	committing, answered := make(chan struct{}), make(chan struct{})
	var held atomic.Bool
	cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !held.Swap(true) {
			cluster.SleepControl(func() {
				close(committing)
				<-answered
			})
		}
		return nil, nil, false
	})
	var receipts []contract.Receipt
	appended := make(chan error, 1)
	go func() {
		var err error
		receipts, err = appendTo(after, 1)
		appended <- err
	}()
	select {
	case <-committing:
	case err := <-appended:
		require.Fail(t, "append returned before its commit", "%v", err)
	}
	seconds.Store(2)
	frontier, err := before.Frontier(t.Context())
	close(answered)
	require.NoError(t, err)
	require.NoError(t, <-appended)
	at := receipts[0].RecordedAt
	require.True(t, at.After(frontier), "recorded at %s, but the frontier was %s", at, frontier)

	_, err = appendTo(before, 2)
	require.NoError(t, err)
	seconds.Store(3)
	frontier, err = before.Frontier(t.Context())
	require.NoError(t, err)
	require.Equal(t, start.Add(3*time.Second-time.Microsecond), frontier, "after the owner has "+
		"taken over again")
}
