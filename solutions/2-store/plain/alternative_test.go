package store_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	decision "example.com/blotter/solutions/2-store"
	"example.com/blotter/solutions/2-store/kafka"
	"example.com/blotter/solutions/2-store/offload"
	store "example.com/blotter/solutions/2-store/plain"
)

// The reference gets full marks, and each check must have called it: a check that did not call the
// answer tested nothing.
func TestReferenceHasFullMarks(t *testing.T) {
	t.Parallel()
	fullMarks(t, kafkatest.Suites(answer(t)))
}

func fullMarks(t *testing.T, suites []check.Suite) {
	t.Helper()
	for _, s := range suites {
		require.NotEmpty(t, s.Checks)
		for _, v := range check.JudgeAll(t.Context(), s) {
			require.Equal(t, check.Passed, v.Outcome, v.Text)
			require.Positive(t, v.Check.Points, v.Check.ID)
			require.Positive(t, v.Answers, "%s did not call the answer", v.Check.ID)
		}
	}
}

// Another correct answer with a different design: owners from a consumer group, several appends in
// one transaction, an index file for each owner, a decision over an interface. The tests of memory
// and postgres show that stores without Kafka pass the checks for every store.
func TestKafkaStoreHasFullMarks(t *testing.T) {
	t.Parallel()
	// index in memory; index in a file that is written often
	for _, unwritten := range []int{0, 2} {
		f, dir := answer(t), ""
		if unwritten > 0 {
			dir = t.TempDir()
		}
		f.Open = func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			return kafka.Open(ctx, kafka.Options{
				Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock,
				Heads: o.Heads, Address: o.Address, Timeout: o.Timeout, Dir: dir,
				Unwritten: unwritten,
			})
		}
		f.Decide, f.Assigned = decideByInterface, true
		f.Offload = func(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
			return offload.Wrap(log, blobs, limit)
		}
		suites := kafkatest.Suites(f)
		for i := range suites { // the tests of the store itself have the others
			suites[i].Checks = slices.DeleteFunc(suites[i].Checks, store.AboutAnyStore)
		}
		fullMarks(t, suites)
	}
}

// known adapts the arguments of a decision check to the interface of the decision.
type known struct {
	find func(uuid.UUID) (contract.Recorded, bool)
	last contract.Recorded
}

func (k known) Version(string) (int64, bool) { return k.last.Version, k.last.Ends }

func (k known) Outcome(id uuid.UUID) (decision.Outcome, bool) {
	e, ok := k.find(id)
	receipt := contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}
	return decision.Outcome{Stream: e.Stream, Digest: e.ContentDigest(), Receipt: receipt}, ok
}

func decideByInterface(
	find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded,
	expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	return decision.Decide(known{find, last}, events[0].Stream, expected, events)
}

// The plain store and the Kafka store open logs of each other, and find every event in them.
func TestPlainAndKafkaStoreShareLogs(t *testing.T) {
	t.Parallel()
	f := answer(t)
	noon := func(context.Context) time.Time { return time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC) }
	plain := func() (kafkatest.Store, error) {
		return store.Open(t.Context(), store.Options{
			Brokers: f.Brokers, Prefix: f.Prefix, Partitions: 3, Clock: noon, Heads: noHeads{},
		})
	}
	large := func() (kafkatest.Store, error) {
		return kafka.Open(t.Context(), kafka.Options{
			Brokers: f.Brokers, Prefix: f.Prefix, Partitions: 3, Clock: noon, Heads: noHeads{},
			Address: "127.0.0.1:7000",
		})
	}
	var before []contract.Recorded
	for turn, open := range []func() (kafkatest.Store, error){plain, large, plain, large} {
		s, err := open()
		require.NoError(t, err)
		require.Equal(t, before, allEvents(t, s), "events of the store before")
		for i, stream := range streams {
			e := contract.Event{
				ID: uuid.UUID{byte(turn + 1), byte(i + 1)}, Stream: stream, Type: "trade.amended",
				Schema: 1, EffectiveAt: noon(nil),
				EnteredAt: noon(nil), CommandID: "c-1",
				Actor: "desk-7", Reason: "agreed",
				Source: "test",
				Data:   []byte{0, 0, 0, 0, 7, byte(turn)}, Corrects: uuid.UUID{byte(i)},
			}
			if i == 3 {
				e.Data, e.BodyDigest, e.Ends = e.Data[:5], [32]byte{1}, turn == 3
			}
			receipts, err := s.Append(t.Context(), stream, int64(turn), e)
			require.NoError(t, err)
			require.EqualValues(t, turn+1, receipts[0].Version)
		}
		before = allEvents(t, s)
		require.NoError(t, s.Close())
	}
	require.Len(t, before, 16)
}

var streams = []string{"trade/UTI-1", "trade/UTI-2", "trade/UTI-3", "trade/UTI-4"}

// allEvents returns the events of the four streams.
func allEvents(t *testing.T, s contract.Store) []contract.Recorded {
	var all []contract.Recorded
	for _, stream := range streams {
		for e, err := range s.Stream(t.Context(), stream) {
			require.NoError(t, err)
			all = append(all, e)
		}
	}
	return all
}
