package ledger_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/kafka"
)

// onKafka returns a log on the brokers of the tests' stack.
func onKafka(t testing.TB) contract.Atomic {
	log, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Place: kafka.ByPlace,
		Heads: codec.Offline(), Address: "127.0.0.1:7000",
		Clock: func(context.Context) time.Time { return time.Now() },
	})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

// On Kafka the desks conflict at the owner of the ledger's partition, which commits many appends in
// one transaction.
func TestOverdraftRaceOnKafka(t *testing.T) {
	t.Parallel()
	raceForOverdraft(t, onKafka(t))
}
