package postgres

import (
	"context"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
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

// A SQL reader reads the views of its role: risk without people, a trader its own contracts, an
// auditor everything but payloads. It reads nothing else and writes nothing, before a rebuild and
// after it.
func TestReadersReadTheirViews(t *testing.T) {
	t.Parallel()
	owner, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), owner, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(p.Close)
	log := projectiontest.History(5, 60, 2)
	require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 60))
	conn, err := pgx.Connect(t.Context(), owner)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	var trader string
	var own, all int
	require.NoError(t, conn.QueryRow(t.Context(), "SELECT state ->> 'trader', count(*), "+
		"(SELECT count(*) FROM trades) FROM trades GROUP BY 1 ORDER BY 2 LIMIT 1").
		Scan(&trader, &own, &all))
	logins := map[string]*pgx.Conn{}
	for _, role := range []string{"risk", "trader", "auditor"} {
		logins[role] = signIn(t, conn, owner, schema, role, trader)
	}
	for range 2 {
		for role, login := range logins {
			for _, relation := range relations(t, conn, schema) {
				_, err := login.Exec(t.Context(), "SELECT * FROM "+schema+"."+relation)
				if strings.HasPrefix(relation, role+"_") {
					require.NoError(t, err, "%s %s", role, relation)
					_, err = login.Exec(t.Context(), "DELETE FROM "+schema+"."+relation)
				}
				var refused *pgconn.PgError
				require.ErrorAs(t, err, &refused, "%s %s", role, relation)
				require.Equal(t, "42501", refused.Code, "%s %s", role, relation)
			}
		}
		count := func(role, sql string) (n int) {
			sql = strings.ReplaceAll(sql, "$", schema+"."+role)
			require.NoError(t, logins[role].QueryRow(t.Context(), sql).Scan(&n))
			return n
		}
		require.Equal(t, all, count("risk", "SELECT count(*) FROM $_trades"))
		require.Zero(t, count("risk", "SELECT count(*) FROM $_trades "+
			"WHERE state ? 'trader' OR state ? 'counterparty'"))
		require.Equal(t, own, count("trader", "SELECT count(*) FROM $_trades"))
		require.Equal(t, all, count("auditor", "SELECT count(*) FROM $_trades "+
			"WHERE state ? 'trader' AND state ? 'counterparty'"))
		require.NoError(t, p.Rebuild(t.Context(), log, 60))
	}
}

// An owner that may not create roles creates a model for roles that exist. Without them the error
// says how to create them.
func TestOwnerWithoutCreateRole(t *testing.T) {
	t.Parallel()
	admin, taken := stacktest.Schema(t)
	conn, err := pgx.Connect(t.Context(), admin)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.WithoutCancel(t.Context())) })
	schema, name := taken+"_m", taken+"_owner"
	execute := func(sql string) {
		_, err := conn.Exec(context.WithoutCancel(t.Context()),
			strings.NewReplacer("$owner", name, "$schema", schema).Replace(sql))
		require.NoError(t, err)
	}
	execute("CREATE ROLE $owner LOGIN PASSWORD 'secret'")
	execute(`DO $$ BEGIN
EXECUTE format('GRANT CREATE ON DATABASE %I TO $owner', current_database());
END $$`)
	t.Cleanup(func() {
		execute("DROP OWNED BY $owner CASCADE")
		execute("DROP ROLE IF EXISTS $owner, $schema_risk, $schema_trader, $schema_auditor")
	})
	owner, err := pgxpool.ParseConfig(admin)
	require.NoError(t, err)
	owner.ConnConfig.User, owner.ConnConfig.Password = name, "secret"
	for _, role := range []string{"risk", "trader", "auditor"} {
		_, err = open(t.Context(), owner, owner, schema, projectiontest.Codec{})
		require.ErrorContains(t, err, `CREATE ROLE "`+schema+"_"+role+`" NOLOGIN`)
		execute("CREATE ROLE $schema_" + role)
	}
	p, err := open(t.Context(), owner, owner, schema, projectiontest.Codec{})
	require.NoError(t, err)
	p.Close()
}

// signIn returns a connection of a new login with one role of readers. The trader's login has the
// name of a trader.
func signIn(t *testing.T, conn *pgx.Conn, owner, schema, role, trader string) *pgx.Conn {
	name := schema + "_" + role + "_login"
	if role == "trader" {
		name = trader
	}
	as := pgx.Identifier{name}.Sanitize()
	_, err := conn.Exec(t.Context(), "CREATE ROLE "+as+" LOGIN PASSWORD 'secret' IN ROLE "+
		pgx.Identifier{schema + "_" + role}.Sanitize())
	require.NoError(t, err)
	t.Cleanup(func() { // roles are of the whole cluster
		_, err := conn.Exec(context.WithoutCancel(t.Context()), "DROP ROLE "+as)
		require.NoError(t, err)
	})
	config, err := pgx.ParseConfig(owner)
	require.NoError(t, err)
	config.User, config.Password = name, "secret"
	login, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { login.Close(context.WithoutCancel(t.Context())) })
	return login
}

// relations returns the names of all tables and views of a schema.
func relations(t *testing.T, conn *pgx.Conn, schema string) []string {
	rows, err := conn.Query(t.Context(), "SELECT relname FROM pg_class c JOIN pg_namespace n "+
		"ON n.oid = relnamespace WHERE nspname = $1 AND relkind IN ('r', 'v')", schema)
	require.NoError(t, err)
	all, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Greater(t, len(all), 15)
	return all
}
