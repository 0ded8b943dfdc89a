package store_test

import (
	"context"
	"testing"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	store "example.com/blotter/solutions/2-store/plain"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func answer(t testing.TB) kafkatest.Fixture {
	return kafkatest.Fixture{
		Open: func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			return store.Open(ctx, optionsOf(o))
		},
		Decide: store.Decide,
		Transact: func(ctx context.Context, o kafkatest.Options, records ...*kgo.Record) error {
			return store.Transact(ctx, optionsOf(o), records...)
		},
		Unconfirmed: store.ErrUnconfirmed,
		Offload: func(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
			return store.NewOffloadingStore(log, blobs, limit)
		},
		Brokers: stacktest.Kafka(t),
		Prefix:  stacktest.Prefix(t),
	}
}

func optionsOf(o kafkatest.Options) store.Options {
	return store.Options{
		Brokers: o.Brokers, Prefix: o.Prefix, Partitions: o.Partitions, Clock: o.Clock,
		Heads: o.Heads, Address: o.Address, Timeout: o.Timeout,
	}
}
