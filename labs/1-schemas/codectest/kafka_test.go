package codectest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// A topic of which the broker cannot tell has not no records: a check that nothing was parked would pass for the wrong reason.
func TestATopicThatCannotBeCountedIsNotEmpty(t *testing.T) {
	t.Parallel()
	answer := Fixture{Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t)}
	counted := false
	v := check.Judge(t.Context(), check.Suite{}, spec{Check: check.Check{ID: "L1.0"}, try: func(t *trial) {
		k := newKafka(t)
		require.Zero(t, k.count(t, k.parked))
		k.count(t, k.parked+"-elsewhere")
		counted = true
	}}.bind(answer))
	require.False(t, counted)
	require.Contains(t, v.Text, "UNKNOWN_TOPIC_OR_PARTITION")
}
