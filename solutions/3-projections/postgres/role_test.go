package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/stack/stacktest"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// The application reads, applies and owns nothing: not the model, and not a rebuilt one. A model
// that its owner created beforehand is enough.
func TestApplicationOwnsNoModel(t *testing.T) {
	t.Parallel()
	owner, schema := stacktest.Schema(t)
	at, err := stacktest.Shared(t).Postgres(t.Context())
	require.NoError(t, err)
	_, err = OpenAs(t.Context(), at.DSN, "", schema+"_none", projectiontest.Codec{})
	require.ErrorIs(t, err, readmodel.ErrNoModel)
	created, err := OpenAs(t.Context(), at.DSN, owner, schema, nil)
	require.NoError(t, err)
	created.Close()
	p, err := OpenAs(t.Context(), at.DSN, "", schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	log := projectiontest.History(5, 60, 2)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 16))
	requireState(t, p, log, end(t, log))
	require.ErrorContains(t, p.Rebuild(t.Context(), log, 16), "the role that owns")

	both, err := OpenAs(t.Context(), at.DSN, owner, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(both.Close)
	require.NoError(t, both.Rebuild(t.Context(), log, 16))
	requireState(t, both, log, end(t, log))

	conn, err := pgx.Connect(t.Context(), at.DSN)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	for _, statement := range []string{
		"CREATE TABLE $.mine (n int)", "DROP TABLE $.trades", "ALTER TABLE $.trades ADD n int",
		"TRUNCATE $.trades", "DROP SCHEMA $ CASCADE",
		"COMMENT ON TABLE $.checkpoint IS 'mine'", "COMMENT ON SCHEMA $ IS 'mine'",
	} {
		statement = strings.ReplaceAll(statement, "$", pgx.Identifier{schema}.Sanitize())
		_, err := conn.Exec(t.Context(), statement)
		var refused *pgconn.PgError
		require.ErrorAs(t, err, &refused, statement)
		require.Equal(t, "42501", refused.Code, "%s: %s", statement, refused.Message)
	}
}
