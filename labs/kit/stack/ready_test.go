package stack_test

import (
	"testing"
	"time"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
)

// TestReadyInAboutASecond starts all four parts from nothing, and says how long that took. It fails
// only at what no busy machine explains.
func TestReadyInAboutASecond(t *testing.T) {
	dir := stacktest.Dir(t)
	var lines []string
	s := stack.Embedded(stack.EmbeddedOptions{Dir: dir, Log: func(l string) { lines = append(lines, l) }})
	began := time.Now()
	startAll(t, s)
	took := time.Since(began)
	t.Logf("ready in %s", took)
	require.Less(t, took, time.Minute, "%v", lines)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "closing twice is fine")
}

func startAll(t *testing.T, s stack.Stack) {
	t.Helper()
	_, err := s.Kafka(t.Context())
	require.NoError(t, err)
	_, err = s.Postgres(t.Context())
	require.NoError(t, err)
	_, err = s.S3(t.Context())
	require.NoError(t, err)
	_, err = s.Registry(t.Context())
	require.NoError(t, err)
}
