package stack_test

import (
	"os"
	"testing"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
)

func TestOneStackPerDirectory(t *testing.T) {
	t.Parallel()
	dir := stacktest.Dir(t)
	first, second := embedded(dir), embedded(dir)
	_, err := first.Kafka(t.Context())
	require.NoError(t, err)

	_, err = second.Registry(t.Context())
	var inUse *stack.InUseError
	require.ErrorAs(t, err, &inUse)
	require.Equal(t, dir, inUse.Dir)
	require.Equal(t, os.Getpid(), inUse.PID)
	require.Contains(t, inUse.Hint(), "process")

	require.NoError(t, first.Close())
	_, err = second.Registry(t.Context())
	require.NoError(t, err, "a closed stack gives its directory back")
	require.NoError(t, second.Close())
	_, err = second.Registry(t.Context())
	require.ErrorContains(t, err, "closed")
}

func TestKindsOfStack(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "embedded", "external"} {
		_, err := stack.Open(kind, stack.EmbeddedOptions{})
		require.NoError(t, err)
	}
	for _, kind := range []string{"containers", "clouds"} {
		_, err := stack.Open(kind, stack.EmbeddedOptions{})
		var h interface{ Hint() string }
		require.ErrorAs(t, err, &h)
		require.NotEmpty(t, h.Hint())
	}
}
