package main

import (
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"
)

// full is a disk without room.
type full struct{}

func (full) Write([]byte) (int, error) {
	return 0, &os.PathError{Op: "write", Path: "/dev/stdout", Err: syscall.ENOSPC}
}

func TestAnAnswerThatIsCutShortFails(t *testing.T) {
	t.Parallel()
	for name, command := range map[string]func(*app) error{
		"table": func(a *app) error {
			return a.answer(nil, func(w io.Writer) { showPositions(w, nil) })
		},
		"json": func(a *app) error { a.cli.JSON = true; return a.answer("anything", nil) },
		"line": func(a *app) error { return a.showDown("the stack of %s is down", a.cli.Data) },
	} {
		a := newApp(&cli{}, full{}, io.Discard)
		err := a.finish(t.Context(), command(a))
		require.ErrorIs(t, err, syscall.ENOSPC, name)
		require.Contains(t, hintOf(err), "make room", name)
	}
	require.Equal(t, failed, run([]string{"--stack", "embedded", "--data", t.TempDir(), "down"}, full{}, io.Discard))
}
