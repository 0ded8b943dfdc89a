// Package readmodeltest brings read models up to date for tests.
package readmodeltest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	projection "example.com/blotter/solutions/3-projections"
)

// Shared returns a model that two processes have brought to the end of a log at once, in batches.
// open opens the model for one of them.
func Shared[M interface {
	contract.Sharer
	Close()
}](t *testing.T, log contract.Reader, batch int, open func() (M, error)) M {
	t.Helper()
	end, err := log.End(t.Context())
	require.NoError(t, err)
	var models [2]M
	done := make(chan error, len(models))
	for i := range models {
		m, err := open()
		require.NoError(t, err)
		t.Cleanup(m.Close)
		models[i] = m
	}
	for _, m := range models {
		go func() { done <- projection.Project(t.Context(), log, m, end, batch) }()
	}
	for range models {
		require.NoError(t, <-done)
	}
	return models[0]
}
