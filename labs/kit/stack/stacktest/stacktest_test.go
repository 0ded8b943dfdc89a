package stacktest_test

import (
	"net/url"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack"
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

// Two stacks that copy the same cluster are two clusters. Each has an application's password of its
// own, and neither changes the template.
func TestStacksFromATemplateAreApart(t *testing.T) {
	t.Parallel()
	dsns := map[string]bool{}
	for range 2 {
		s := stack.Embedded(stack.EmbeddedOptions{Dir: stacktest.Dir(t)})
		defer func() { require.NoError(t, s.Close()) }()
		at, err := s.Postgres(t.Context())
		require.NoError(t, err)
		conn, err := pgx.Connect(t.Context(), at.MigrationDSN)
		require.NoError(t, err)
		defer conn.Close(t.Context())
		_, err = conn.Exec(t.Context(), "CREATE TABLE once (n int)")
		require.NoError(t, err)
		var fsync string
		require.NoError(t, conn.QueryRow(t.Context(), "SHOW fsync").Scan(&fsync))
		require.Equal(t, "off", fsync)
		password, err := url.Parse(at.DSN)
		require.NoError(t, err)
		dsns[password.User.String()] = true
	}
	require.Len(t, dsns, 2)
	left, err := filepath.Glob(filepath.Join(stacktest.UseTemplates(), "*", "data", "postmaster.*"))
	require.NoError(t, err)
	require.Empty(t, left, "files of a running server")
}

func TestNamesDiffer(t *testing.T) {
	t.Parallel()
	require.NotEqual(t, stacktest.Prefix(t), stacktest.Prefix(t))
	require.NotEqual(t, stacktest.Bucket(t), stacktest.Bucket(t))
	require.Regexp(t, `^[a-z0-9-]+-$`, stacktest.Prefix(t))
	require.LessOrEqual(t, len(stacktest.Bucket(t)), 63)
}
