package store_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/contract"
	decision "example.com/blotter/solutions/2-store"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/offload"
	store "example.com/blotter/solutions/2-store/plain"
)

// Another right answer, built quite differently: owners of a consumer group, groups of appends in one transaction, an index file beside
// each owner, a decision that asks an interface. (The stores that are not on Kafka pass what every store must: see memory_test.go and
// store_test.go of memory and postgres.)
func TestTheStoreOfTheProgramHasFullMarks(t *testing.T) {
	t.Parallel()
	for _, unwritten := range []int{0, 2} { // the index in memory, and in a file that is written often
		f, dir := answer(t), ""
		if unwritten > 0 {
			dir = t.TempDir()
		}
		f.Open = func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			return kafka.Open(ctx, kafka.Options{
				Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock, Heads: o.Heads, Address: o.Address, Timeout: o.Timeout,
				Dir: dir, Unwritten: unwritten,
			})
		}
		f.Decide, f.Assigned = decideByInterface, true
		f.Offload = func(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
			return offload.Wrap(log, blobs, limit)
		}
		fullMarks(t, f)
	}
}

// known is what a decision asks, of what a check knows.
type known struct {
	find func(uuid.UUID) (contract.Recorded, bool)
	last contract.Recorded
}

func (k known) Version(string) (int64, bool) { return k.last.Version, k.last.Ends }

func (k known) Outcome(id uuid.UUID) (decision.Outcome, bool) {
	e, ok := k.find(id)
	return decision.Outcome{Stream: e.Stream, Digest: e.ContentDigest(), Receipt: contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}}, ok
}

func decideByInterface(find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	return decision.Decide(known{find, last}, events[0].Stream, expected, events)
}

// Either opens the other's log, and knows all that is in it.
func TestTheStoreOfTheProgramAndThePlainOneShareTheirLogs(t *testing.T) {
	t.Parallel()
	f := answer(t)
	noon := func(context.Context) time.Time { return time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC) }
	plain := func() (kafkatest.Store, error) {
		return store.Open(t.Context(), store.Options{Brokers: f.Brokers, Prefix: f.Prefix, Partitions: 3, Clock: noon, Heads: noHeads{}})
	}
	large := func() (kafkatest.Store, error) {
		return kafka.Open(t.Context(), kafka.Options{Brokers: f.Brokers, Prefix: f.Prefix, Partitions: 3, Clock: noon, Heads: noHeads{}, Address: "127.0.0.1:7000"})
	}
	var before []contract.Recorded
	for turn, open := range []func() (kafkatest.Store, error){plain, large, plain, large} {
		s, err := open()
		require.NoError(t, err)
		require.Equal(t, before, whole(t, s), "what the one before left")
		for i, stream := range []string{"trade/UTI-1", "trade/UTI-2", "trade/UTI-3", "trade/UTI-4"} {
			e := contract.Event{
				ID: uuid.UUID{byte(turn + 1), byte(i + 1)}, Stream: stream, Type: "trade.amended", Schema: 1, EffectiveAt: noon(nil),
				Actor: "desk-7", Reason: "agreed", Source: "test", Data: []byte{0, 0, 0, 0, 7, byte(turn)}, Corrects: uuid.UUID{byte(i)},
			}
			if i == 3 {
				e.Data, e.BodyDigest, e.Ends = e.Data[:5], [32]byte{1}, turn == 3
			}
			receipts, err := s.Append(t.Context(), stream, int64(turn), e)
			require.NoError(t, err)
			require.EqualValues(t, turn+1, receipts[0].Version)
		}
		before = whole(t, s)
		require.NoError(t, s.Close())
	}
	require.Len(t, before, 16)
}

// whole is what a store says of the four streams.
func whole(t *testing.T, s contract.Store) []contract.Recorded {
	var all []contract.Recorded
	for _, stream := range []string{"trade/UTI-1", "trade/UTI-2", "trade/UTI-3", "trade/UTI-4"} {
		for e, err := range s.Stream(t.Context(), stream) {
			require.NoError(t, err)
			all = append(all, e)
		}
	}
	return all
}
