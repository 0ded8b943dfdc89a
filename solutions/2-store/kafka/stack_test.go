package kafka_test

import (
	"fmt"
	"os"
	"sync/atomic"
	"testing"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

func TestMain(m *testing.M) {
	if os.Getenv(ownerEnv) != "" {
		os.Exit(beAnOwner())
	}
	stacktest.Main(m)
}

// TestStoreOnTheStack is the suite on the broker of the tests' stack, which may be a real one. The tests beside it have brokers of their
// own, whose answers they bend.
func TestStoreOnTheStack(t *testing.T) {
	t.Parallel()
	for _, partitions := range []int32{1, 3} {
		t.Run(fmt.Sprintf("%d partitions", partitions), func(t *testing.T) {
			t.Parallel()
			brokers, prefix, dir := stacktest.Kafka(t), stacktest.Prefix(t), t.TempDir()
			var logs atomic.Int32
			onStack := storetest.Fixture{
				Owned: true,
				Open: func(t check.T, clock contract.Clock) storetest.Log {
					return fixture(t, kafka.Options{
						Brokers: brokers, Prefix: fmt.Sprintf("%slog%d", prefix, logs.Add(1)), Partitions: partitions,
						Clock: clock, Heads: jsonHeads{}, Address: "127.0.0.1:7000", Dir: dir, Unwritten: 2,
					})
				},
			}
			check.Run(t, storetest.Suite(onStack))
			check.Run(t, storetest.Offload(onStack, offloads))
		})
	}
}
