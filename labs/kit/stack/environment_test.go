package stack_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestAnotherProcessFindsAStackByItsEnvironment(t *testing.T) {
	t.Parallel()
	env, err := stack.Environment(t.Context(), stacktest.Shared(t))
	require.NoError(t, err)
	values := map[string]string{}
	for _, line := range env {
		name, value, _ := strings.Cut(line, "=")
		values[name] = value
	}
	found := stack.External(func(name string) string { return values[name] })
	for _, h := range stack.Check(t.Context(), found) {
		require.NoError(t, h.Err, h.Component)
	}
	dsn, err := found.Postgres(t.Context())
	require.NoError(t, err)
	require.Equal(t, values["BLOTTER_POSTGRES_DSN"], dsn)
}
