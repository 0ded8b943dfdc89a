package stack_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// A fetch that ends behind an aborted transaction because its bytes are used up still says that it
// was aborted.
func TestWhatWasAbortedIsNotReadHoweverSmallTheFetch(t *testing.T) {
	t.Parallel()
	topic := stacktest.Prefix(t) + "log"
	writer, err := kgo.NewClient(kgo.SeedBrokers(stacktest.Kafka(t)...), kgo.TransactionalID(topic), kgo.DefaultProduceTopic(topic), kgo.ProducerBatchCompression(kgo.NoCompression()))
	require.NoError(t, err)
	defer writer.Close()
	_, err = kadm.NewClient(writer).CreateTopic(t.Context(), 1, 1, nil, topic)
	require.NoError(t, err)
	const size = 10_000
	for _, how := range []kgo.TransactionEndTry{kgo.TryCommit, kgo.TryAbort, kgo.TryCommit, kgo.TryCommit} {
		require.NoError(t, writer.BeginTransaction())
		word := map[kgo.TransactionEndTry]string{kgo.TryCommit: "committed", kgo.TryAbort: "aborted"}[how]
		require.NoError(t, writer.ProduceSync(t.Context(), &kgo.Record{Key: []byte(word), Value: make([]byte, size)}).FirstErr())
		require.NoError(t, writer.EndTransaction(t.Context(), how))
	}
	for limit := int32(size); limit < 5*size; limit += size / 2 {
		reader, err := kgo.NewClient(kgo.SeedBrokers(stacktest.Kafka(t)...), kgo.ConsumeTopics(topic), kgo.FetchIsolationLevel(kgo.ReadCommitted()), kgo.FetchMaxBytes(limit))
		require.NoError(t, err)
		for n := 0; n < 3; {
			fetches := reader.PollFetches(t.Context())
			require.NoError(t, fetches.Err())
			for _, r := range fetches.Records() {
				require.Equal(t, "committed", string(r.Key), "offset %d, read %d bytes at a time", r.Offset, limit)
				n++
			}
		}
		reader.Close()
	}
}
