package stacktest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

// A stack that cannot start fails the check that asked for it, with its own words.
func TestCheckIsToldOfTheStack(t *testing.T) {
	t.Setenv("STACK", "nonsense")
	v := check.Judge(t.Context(), check.Suite{}, check.Check{
		ID: "L9.1", Func: func(ct check.T) { choose(ct) },
	})
	require.Equal(t, check.Failed, v.Outcome)
	require.Contains(t, v.Text, `STACK is "nonsense": leave it empty`)
	require.NotContains(t, v.Text, "EXIT")
}
