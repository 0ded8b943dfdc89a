package store_test

import (
	"context"
	"encoding/json"
	"fmt"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	store "example.com/blotter/solutions/2-store/plain"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

type jsonHeads struct{}

func (jsonHeads) EncodeHead(_ context.Context, h contract.Head) ([]byte, error) {
	return json.Marshal(h)
}

func (jsonHeads) DecodeHead(_ context.Context, data []byte) (h contract.Head, err error) {
	return h, json.Unmarshal(data, &h)
}

func TestStore(t *testing.T) {
	t.Parallel()
	brokers, prefix := stacktest.Kafka(t), stacktest.Prefix(t)
	var logs atomic.Int32
	check.Run(t, storetest.Suite(storetest.Fixture{Owned: true, Open: func(t check.T, clock contract.Clock) storetest.Log {
		opts := store.Options{Brokers: brokers, Prefix: fmt.Sprintf("%slog%d", prefix, logs.Add(1)), Partitions: 3, Clock: clock, Heads: jsonHeads{}, Address: "127.0.0.1:7000"}
		open := func(t check.T) contract.Store {
			s, err := store.Open(t.Context(), opts)
			require.NoError(t, err)
			t.Cleanup(func() { s.Close() })
			return s
		}
		return storetest.Log{Store: open(t), Reopen: open, Usurp: func(t check.T) {
			for p := range 3 {
				rival, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.TransactionalID(fmt.Sprintf("%s.%d", opts.Prefix, p)))
				require.NoError(t, err)
				defer rival.Close()
				_, _, err = rival.ProducerID(t.Context())
				require.NoError(t, err)
			}
		}}
	}}))
}
