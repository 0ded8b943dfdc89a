package codectest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// Each published version of an event type needs a fact: golden bytes and their body (history.go).
// Without a fact no check would fail if a codec could no longer read the version. A head is not an
// event: headBytes has its golden bytes.
func TestEveryVersionHasAFact(t *testing.T) {
	t.Parallel()
	for _, s := range schemas.All() {
		if s.Type == "store.head" {
			require.Equal(t, 1, s.Version, "the next version of %s needs golden bytes", s.Type)
			continue
		}
		require.NotEmpty(t, factsOf(s.Type, s.Version), "facts of %s version %d", s.Type, s.Version)
	}
	for _, kind := range trade.Kinds() {
		require.IsType(t, kind.Zero, latestFact(kind.Type).body, "facts of %s", kind.Type)
	}
}

func TestAllWaitSeesRunningGoroutine(t *testing.T) {
	t.Parallel()
	stacks := make([]byte, stacksSize)
	require.True(t, allWait(stacks, "a function without goroutines"))
	require.False(t, allWait(stacks, "TestAllWaitSeesRunningGoroutine"))
}

// An unknown topic must not count as empty. Otherwise a check that nothing was parked would pass
// for the wrong reason.
func TestCountFailsForUnknownTopic(t *testing.T) {
	t.Parallel()
	answer := Fixture{Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t)}
	counted := false
	try := func(t *trial) {
		k := newKafka(t)
		require.Zero(t, k.count(t, k.parked))
		k.count(t, k.parked+"-elsewhere")
		counted = true
	}
	s := spec{Check: check.Check{ID: "L1.0"}, try: try}
	v := check.Judge(t.Context(), check.Suite{}, s.bind(answer))
	require.False(t, counted)
	require.Contains(t, v.Text, "UNKNOWN_TOPIC_OR_PARTITION")
}
