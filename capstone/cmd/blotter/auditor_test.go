package main

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
)

// strict is an auditor that keeps its contract, and does nothing else.
type strict struct{ contract.Auditor }

func TestWhatAnAuditorDoesNotDoIsNamed(t *testing.T) {
	t.Parallel()
	_, err := beyond[extract.Sealed](strict{}, "show its archive")
	require.EqualError(t, err, "an auditor of type main.strict does not show its archive")
	_, err = (&verifyCmd{Since: "auditor_test.go"}).verify(t.Context(), strict{})
	require.EqualError(t, err, "an auditor of type main.strict does not verify since a checkpoint that was kept")
	last, err := published(t.Context(), strict{})
	require.NoError(t, err)
	require.Zero(t, last.Size, "status says nothing of what it is not told")
}
