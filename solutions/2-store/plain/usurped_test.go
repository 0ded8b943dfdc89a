package store_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store/plain"
)

// An owner that lost its partition has an old index and does not know it. In a shared log neither a
// conflict nor a read may come from that index alone.
func TestUsurpedOwnerAnswersFromTheLog(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Options{
			Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
			Prefix:  "log", Heads: noHeads{}, Shared: true,
			Clock: func(context.Context) time.Time { return time.Unix(1, 0) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	requireConflict := func(s *store.Store, expected int64, e contract.Event) {
		_, err := s.Append(t.Context(), e.Stream, expected, e)
		var conflict *contract.ConflictError
		require.ErrorAs(t, err, &conflict)
		require.EqualValues(t, 2, conflict.Actual)
	}
	first, second, third := numbered(1), numbered(2), numbered(3)
	old := open()
	_, err = old.Append(t.Context(), first.Stream, 0, first)
	require.NoError(t, err)
	rival := open()
	_, err = rival.Append(t.Context(), second.Stream, 1, second)
	require.NoError(t, err)

	_, err = old.Append(t.Context(), third.Stream, 2, third)
	require.ErrorIs(t, err, contract.ErrFenced, "version 2 is right, but the owner is fenced")
	requireConflict(old, 1, third)
	fourth := numbered(4)
	fourth.Stream = "UTI-2"
	_, err = rival.Append(t.Context(), fourth.Stream, 0, fourth)
	for err != nil { // until it owns the partition again
		require.ErrorIs(t, err, contract.ErrFenced)
		_, err = rival.Append(t.Context(), fourth.Stream, 0, fourth)
	}
	_, err = old.Find(t.Context(), fourth.ID)
	require.NoError(t, err)
	fifth := numbered(5)
	_, err = rival.Append(t.Context(), fifth.Stream, 2, fifth)
	require.NoError(t, err)
	events := 0
	for _, err := range old.Stream(t.Context(), fifth.Stream) {
		require.NoError(t, err)
		events++
	}
	require.Equal(t, 3, events)
}

// A log that is opened while another owner takes a partition over is open. Its next append takes
// the partition back. The broker refuses the mark of the first take-over if the other owner fences
// it before that, and the commit of the mark if the other owner comes between the two.
func TestOpenWhileUsurped(t *testing.T) {
	t.Parallel()
	for _, key := range []kmsg.Key{kmsg.Produce, kmsg.EndTxn} {
		t.Run(key.Name(), func(t *testing.T) {
			t.Parallel()
			cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
			require.NoError(t, err)
			t.Cleanup(cluster.Close)
			brokers := kgo.SeedBrokers(cluster.ListenAddrs()...)
			usurped := usurpAt(t, cluster, key)
			s, err := store.Open(t.Context(), store.Options{
				Brokers: []kgo.Opt{brokers}, Prefix: "log", Heads: noHeads{},
				Clock: func(context.Context) time.Time { return time.Unix(1, 0) },
			})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, s.Close()) })
			require.True(t, usurped.Load())
			e := numbered(1)
			_, err = s.Append(t.Context(), e.Stream, 0, e)
			require.NoError(t, err)
		})
	}
}

// usurpAt has another owner take partition 0 over before the broker sees the first request with a
// key.
func usurpAt(t *testing.T, cluster *kfake.Cluster, key kmsg.Key) *atomic.Bool {
	t.Helper()
	usurped := new(atomic.Bool)
	cluster.ControlKey(int16(key), func(kmsg.Request) (kmsg.Response, error, bool) {
		if !usurped.Swap(true) {
			cluster.SleepControl(func() {
				rival, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
					kgo.TransactionalID("log.0"))
				if assert.NoError(t, err) {
					_, _, err = rival.ProducerID(t.Context())
					assert.NoError(t, err)
					rival.Close()
				}
			})
		}
		cluster.KeepControl()
		return nil, nil, false
	})
	return usurped
}

func numbered(n byte) contract.Event {
	return contract.Event{
		ID: uuid.UUID{n}, Stream: "UTI-1", Type: "trade.new", Schema: 1,
		EffectiveAt: time.Unix(1, 0), EnteredAt: time.Unix(1, 0), CommandID: "c-1",
		Actor: "desk-7", Reason: "agreed", Source: "test", Data: make([]byte, 5),
	}
}
