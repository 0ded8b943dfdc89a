package store_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	store "example.com/blotter/solutions/2-store/plain"
)

// A commit waits until the client has stored the partitions of its records: awaitStored says why.
func TestProduceAwaitsStoredPartitions(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.SeedTopics(1, "trades"))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	client, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.RecordPartitioner(kgo.ManualPartitioner()))
	require.NoError(t, err)
	t.Cleanup(client.Close)
	record := &kgo.Record{Topic: "trades"}
	ended, end := context.WithCancel(t.Context())
	end()
	require.ErrorIs(t, store.AwaitStored(ended, client, record), context.Canceled)
	require.NoError(t, client.ProduceSync(t.Context(), record).FirstErr())
	require.NoError(t, store.AwaitStored(t.Context(), client, record))
}
