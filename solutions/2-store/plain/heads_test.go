package store

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// A caller may pass an offset of the wrong topic, such as that of the mark in the topic of events.
// The topic of heads may never have a record there, so readHeads must not wait for it.
func TestReadHeadsRefusesOffsetPastEnd(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	s, err := Open(t.Context(), Options{
		Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
		Prefix:  "log", Heads: noHeads{},
		Clock: func(context.Context) time.Time { return time.Unix(1, 0) },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	_, err = s.owners[0].readHeads(t.Context(), 2) // the mark and its commit record
	require.NoError(t, err)
	_, err = s.owners[0].readHeads(t.Context(), 3)
	require.EqualError(t, err, "read log.heads up to 3: it ends at 2")
}

type noHeads struct{ contract.HeadCodec }
