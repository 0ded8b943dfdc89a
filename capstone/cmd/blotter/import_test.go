package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNothingIsAnEmptyList(t *testing.T) {
	t.Parallel()
	text, err := json.Marshal(totals(nil))
	require.NoError(t, err)
	require.Equal(t, "[]", string(text))
}
