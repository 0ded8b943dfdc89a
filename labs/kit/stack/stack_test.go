package stack_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func embedded(dir string) stack.Stack {
	return stack.Embedded(stack.EmbeddedOptions{Dir: dir})
}

// components returns a request for each component, by name.
func components(t *testing.T, s stack.Stack) map[string]func() error {
	return map[string]func() error{
		"kafka":    func() error { _, err := s.Kafka(t.Context()); return err },
		"postgres": func() error { _, err := s.Postgres(t.Context()); return err },
		"s3":       func() error { _, err := s.S3(t.Context()); return err },
		"registry": func() error { _, err := s.Registry(t.Context()); return err },
	}
}

// hintOf returns the hint of an error that must have one.
func hintOf(t *testing.T, err error) string {
	t.Helper()
	var h interface{ Hint() string }
	require.ErrorAs(t, err, &h)
	require.NotEmpty(t, h.Hint())
	return h.Hint()
}

// TestStartTime starts all four components from nothing and logs the time, about one second. The
// limit is so wide that a busy machine passes.
func TestStartTime(t *testing.T) {
	dir := stacktest.Dir(t)
	var lines []string
	log := func(line string) { lines = append(lines, line) }
	s := stack.Embedded(stack.EmbeddedOptions{Dir: dir, Log: log})
	began := time.Now()
	for _, name := range []string{"kafka", "postgres", "s3", "registry"} {
		require.NoError(t, components(t, s)[name](), name)
	}
	took := time.Since(began)
	t.Logf("ready in %s", took)
	require.Less(t, took, time.Minute, "%v", lines)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close(), "the second Close")
}

func TestOpen(t *testing.T) {
	t.Parallel()
	for _, kind := range []string{"", "embedded", "external"} {
		_, err := stack.Open(kind, stack.EmbeddedOptions{})
		require.NoError(t, err)
	}
	for _, kind := range []string{"containers", "clouds"} {
		_, err := stack.Open(kind, stack.EmbeddedOptions{})
		hintOf(t, err)
	}
}

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
	require.NoError(t, err, "a closed stack releases its directory")
	require.NoError(t, second.Close())
	_, err = second.Registry(t.Context())
	require.ErrorContains(t, err, "closed")
}

func TestLock(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "writer")
	release, err := stack.Lock(path)
	require.NoError(t, err)
	_, err = stack.Lock(path)
	var locked *stack.LockedError
	require.ErrorAs(t, err, &locked)
	require.Equal(t, os.Getpid(), locked.PID)
	require.NoError(t, release())
	release, err = stack.Lock(path)
	require.NoError(t, err)
	require.NoError(t, release())
}

// A missing program only disables the component that needs it.
func TestMissingProgram(t *testing.T) {
	t.Parallel()
	s := stack.Embedded(stack.EmbeddedOptions{
		Dir: stacktest.Dir(t), PostgresBin: t.TempDir(), S3Gateway: t.TempDir() + "/versitygw",
	})
	variables := map[string]string{"postgres": "BLOTTER_POSTGRES_BIN", "s3": "BLOTTER_S3_GATEWAY"}
	for name, request := range components(t, s) {
		err := request()
		if variables[name] == "" {
			require.NoError(t, err, name)
			continue
		}
		require.Contains(t, hintOf(t, err), variables[name])
	}
	require.NoError(t, s.Close())
}
