package stacktest_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

func TestSchemaIsTheSearchPath(t *testing.T) {
	t.Parallel()
	dsn, name := stacktest.Schema(t)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	var current string
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT current_schema()").Scan(&current))
	require.Equal(t, name, current)
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, stacktest.Prefix(t), stacktest.Prefix(t))
	require.NotEqual(t, stacktest.Bucket(t), stacktest.Bucket(t))
	require.Regexp(t, `^[a-z0-9-]+-$`, stacktest.Prefix(t))
	require.LessOrEqual(t, len(stacktest.Bucket(t)), 63)
}
