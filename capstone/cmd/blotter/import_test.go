package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestAReadThatWaitsEndsWhenItIsInterrupted(t *testing.T) {
	t.Parallel()
	silent, _ := io.Pipe() // nobody writes to it
	stopped := errors.New("interrupt")
	ctx, stop := context.WithCancelCause(t.Context())
	input := interruptible(ctx, silent)
	stop(stopped)
	_, err := input.Read(make([]byte, 1))
	require.ErrorIs(t, err, stopped)
}

func TestNothingIsAnEmptyList(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(totals(nil))
	require.NoError(t, err)
	require.Equal(t, "[]", string(text))
}
