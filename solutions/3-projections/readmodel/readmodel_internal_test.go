package readmodel

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

// A fold continues only after its own transaction. A restored server may give the number of a lost
// transaction again: here two moves of the cursor have one number, and are told apart.
func TestNumberGivenAgain(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := OpenAs(t.Context(), dsn, dsn, schema, Kind{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	require.NoError(t, pgx.BeginFunc(t.Context(), m.pool, func(tx pgx.Tx) error {
		writers := map[string]bool{}
		for _, cursor := range []string{"[1]", "[2]"} {
			const move = "UPDATE checkpoint SET cursor = $1 RETURNING " + lastWriter
			var writer string
			if err := tx.QueryRow(t.Context(), move, cursor).Scan(&writer); err != nil {
				return err
			}
			writers[writer] = true
		}
		require.Len(t, writers, 2)
		return nil
	}))
}
