package postgres

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/kafka"
	projection "example.com/blotter/solutions/3-projections"
)

// A topics is a log in Kafka, with the codec of Lab 1.
type topics struct {
	prefix string
	codec  *codec.Codec
}

func newTopics(t testing.TB) topics {
	prefix := stacktest.Prefix(t) + "log"
	c, err := codec.New(t.Context(), &registry{}, prefix)
	require.NoError(t, err)
	return topics{prefix, c}
}

// A registry gives ids to schemas. The codec published every schema, so it asks for no text.
type registry struct {
	codec.Registry
	last int
}

func (r *registry) Register(context.Context, string, string) (int, error) {
	r.last++
	return r.last, nil
}

// open opens the log for the process at a port.
func (l topics) open(t testing.TB, port int) *kafka.Store {
	s, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: stacktest.Kafka(t), Prefix: l.prefix, Partitions: 4, Heads: l.codec,
		Address: fmt.Sprintf("127.0.0.1:%d", port), ReadOnly: port == 0,
		Clock: func(context.Context) time.Time { return time.Now() },
	})
	require.NoError(t, err)
	return s
}

// append records a part of a history, its streams at once. Each stream tries the stores in turns,
// until one of them owns its partition.
func (l topics) append(t testing.TB, part []contract.Recorded, stores ...*kafka.Store) {
	streams := map[string][]contract.Recorded{}
	for _, r := range part {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		p, err := l.codec.Encode(t.Context(), e.Body)
		require.NoError(t, err)
		r.Type, r.Schema, r.Fingerprint, r.Data = p.Type, p.Schema, p.Fingerprint, p.Data
		if r.Reason == "" {
			r.Reason = "made up" // an illegal event of the history has none
		}
		streams[r.Stream] = append(streams[r.Stream], r)
	}
	var all sync.WaitGroup
	for _, events := range streams {
		all.Go(func() {
			for n := 0; ; n++ {
				err := appendTo(t.Context(), stores[n%len(stores)], events)
				notOwner := new(contract.NotOwnerError)
				if errors.As(err, &notOwner) || errors.Is(err, contract.ErrFenced) {
					continue
				}
				if err != nil {
					t.Errorf("append to %s: %v", events[0].Stream, err)
				}
				return
			}
		})
	}
	all.Wait()
}

func appendTo(ctx context.Context, s *kafka.Store, history []contract.Recorded) error {
	var events []contract.Event
	for _, r := range history {
		events = append(events, r.Event)
	}
	_, err := s.Append(ctx, history[0].Stream, history[0].Version-1, events...)
	return err
}

// L3.I1, L3.I2: the owners of the log change twice while events are appended and two processes
// project them. Each event counts once.
func TestARebalanceUnderLoadCountsOnce(t *testing.T) {
	t.Parallel()
	log := newTopics(t)
	stores := []*kafka.Store{log.open(t, 7001)}
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, log.codec)
	require.NoError(t, err)
	t.Cleanup(p.Close)
	appended, stop := context.WithCancel(t.Context())
	var projectors sync.WaitGroup
	for _, size := range []int{7, 23} {
		reader := log.open(t, 0)
		t.Cleanup(func() { require.NoError(t, reader.Close()) })
		projectors.Go(func() {
			for last := false; !last; {
				last = appended.Err() != nil
				end, err := reader.End(t.Context())
				if err == nil {
					err = projection.Project(t.Context(), reader, p, end, size)
				}
				if err != nil {
					t.Errorf("project in batches of %d: %v", size, err)
					return
				}
			}
		})
	}
	history := projectiontest.History(45, 150, 1).Events
	log.append(t, history[:60], stores...)
	stores = append(stores, log.open(t, 7002))
	log.append(t, history[60:100], stores...)
	require.NoError(t, stores[0].Close())
	log.append(t, history[100:], stores[1])
	stop()
	projectors.Wait()
	streams := map[string][]trade.Event{}
	for _, r := range history {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	got, err := p.State(t.Context())
	require.NoError(t, err)
	require.Equal(t, string(trade.StateOf(streams, trade.AsOf{}).Canonical()),
		string(got.Canonical()))
	require.NoError(t, stores[1].Close())
}
