package containers_test

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
	"example.com/blotter/labs/kit/stack/stacktest"
)

// real skips a test unless the real parts are asked for: what is tested here needs a stack of its
// own, whose parts it may stop.
func real(t *testing.T) {
	t.Helper()
	if !stacktest.HasEngine() {
		t.Skip("needs a container engine: STACK=containers make test")
	}
}

// open is a stack of the test's own.
func open(t *testing.T) *containers.Stack {
	t.Helper()
	real(t)
	s := containers.New(containers.Options{Dir: filepath.Join(stacktest.Dir(t), "stack"), Temporary: true, Log: func(line string) { t.Log(line) }})
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

func TestEveryPartAnswers(t *testing.T) {
	t.Parallel()
	for _, h := range stack.Check(t.Context(), open(t)) {
		require.NoError(t, h.Err, h.Component)
		require.Contains(t, h.Address, "127.0.0.1", h.Component)
	}
}

func TestWhatWasStoredIsThereForTheNextStackOfTheDirectory(t *testing.T) {
	t.Parallel()
	real(t)
	dir := stacktest.Dir(t)
	for _, temporary := range []bool{false, true} {
		s := containers.New(containers.Options{Dir: dir, Temporary: temporary})
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		for _, h := range stack.Check(t.Context(), s) {
			require.NoError(t, h.Err, h.Component)
		}
		require.NoError(t, s.Close())
	}
}
