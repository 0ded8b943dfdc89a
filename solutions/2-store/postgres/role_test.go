package postgres

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/stretchr/testify/require"
)

const insufficientPrivilege = "42501"

// login creates a login whose only role is the application role of the log. It returns its DSN.
func login(t *testing.T, dsn, schema string) string {
	t.Helper()
	statement := "create role %s_login login password 'secret' in role %s"
	_, err := session(t, dsn).Exec(t.Context(), fmt.Sprintf(statement, schema, roleOf(schema)))
	require.NoError(t, err)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	return fmt.Sprintf("postgres://%s_login:secret@%s:%d/%s?sslmode=disable",
		schema, config.Host, config.Port, config.Database)
}

func TestDatabaseRefusesTheApplicationRole(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1), event("trade/A", 2))
	require.NoError(t, err)
	before, err := s.End(t.Context())
	require.NoError(t, err)
	history := readRange(t, s, nil, before)
	// The login itself, so that "set role none" gives no more privileges.
	app := session(t, login(t, dsn, s.schema)+"&search_path="+s.schema)
	for _, statement := range []string{
		"update events set reason = 'another'",
		"delete from events",
		"truncate events",
		"alter table events add column more text",
		"alter table events disable trigger all",
		"alter table events disable trigger events_refuse",
		"alter table events drop constraint events_id",
		"drop table events",
		"drop trigger events_refuse on events",
		"drop trigger events_enqueue on events",
		"create trigger mine before insert on events for each row execute function refuse()",
		"create rule mine as on insert to events do instead nothing",
		"create index on events (type)",
		"select from events for update",
		"do $$ begin lock table events in share mode; end $$",
		"update feed set position = -position",
		"delete from feed",
		"truncate feed",
		"insert into feed values (1000000, 'trade/A', 1)",
		"alter table feed disable trigger all",
		"drop table feed",
		"insert into pending values ('{trade/A}', '{1}', '{9}', now(), now())",
		"update pending set lows = highs",
		"delete from pending",
		"truncate pending",
		"update counter set next = 0",
		"delete from counter",
		"select from counter for update",
		"create or replace function refuse() returns trigger language plpgsql as " +
			"'begin return new; end'",
		"create or replace function sequence_pending() returns bigint language sql as " +
			"'select 1::bigint'",
		"drop function sequence_pending()",
		"update timeline set simulated = true",
		"delete from timeline",
		"insert into timeline values (true, true)",
		"truncate timeline",
		"alter table timeline disable trigger all",
		"update frontier set until = 'infinity'",
		"update places set latest = 'infinity'",
		"delete from places",
		"delete from frontier",
		"create table mine (x int)",
		"drop schema " + s.schema + " cascade",
		"alter role " + roleOf(s.schema) + " superuser",
		"set session_replication_role = replica",
		"set role blotter",
		"set session authorization blotter",
		"update goose_db_version set version_id = 0",
	} {
		_, err := app.Exec(t.Context(), statement)
		refused := new(pgconn.PgError)
		require.ErrorAs(t, err, &refused, statement)
		require.Equal(t, insufficientPrivilege, refused.Code, "%s: %s", statement, refused.Message)
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, before, end)
	require.Equal(t, history, readRange(t, s, nil, end))
}

// TestDatabaseRefusesTheOwner tests the second line of defence: against an accident at a prompt,
// and against a session that disables triggers.
func TestDatabaseRefusesTheOwner(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	owner := session(t, dsn)
	for _, mode := range []string{"origin", "replica"} {
		_, err := owner.Exec(t.Context(), "set session_replication_role = "+mode)
		require.NoError(t, err)
		changes := []string{"update %s set version = 7", "delete from %s", "truncate %s"}
		for _, table := range []string{"events", "feed"} {
			for _, statement := range changes {
				_, err := owner.Exec(t.Context(), fmt.Sprintf(statement, table))
				require.ErrorContains(t, err, "recorded events never change", "%s, in mode %s",
					fmt.Sprintf(statement, table), mode)
			}
		}
		for _, statement := range []string{"update timeline set simulated = true",
			"delete from timeline", "truncate timeline"} {
			_, err := owner.Exec(t.Context(), statement)
			require.ErrorContains(t, err, "never change", "%s, in mode %s", statement, mode)
		}
	}
}

func TestApplicationLoginNeedsNoOwner(t *testing.T) {
	t.Parallel()
	made, dsn := open(t)
	s := openAt(t,
		Options{AppDSN: login(t, dsn, made.schema), Schema: made.schema, Clock: stoppedAtNoon})
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	reader := poller{Store: s}
	require.Equal(t, []string{"trade/A@1"}, reader.next(t))
	_, err = Open(t.Context(), Options{AppDSN: dsn, Schema: "never_made", Clock: stoppedAtNoon})
	require.ErrorIs(t, err, ErrNoLog)
}

func TestReadOnlyStoreChangesNothing(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	end, err := s.End(t.Context())
	require.NoError(t, err)
	require.NoError(t, s.Close())
	conn := session(t, dsn)
	_, err = conn.Exec(t.Context(), insertEvents, arrays(rowsAt(2, event("trade/A", 2)))...)
	require.NoError(t, err)

	later := func(context.Context) time.Time { return noon.Add(time.Hour) }
	r := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: later, ReadOnly: true})
	_, err = r.Append(t.Context(), "trade/A", 1, event("trade/A", 3))
	require.ErrorIs(t, err, ErrReadOnly)
	seen, err := r.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, seen, "the end of the feed: unchanged")
	require.Len(t, readRange(t, r, nil, seen), 1)
	n := 0
	for _, err := range r.Stream(t.Context(), "trade/A") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n, "events of the stream that have a position")
	frontier, err := r.Frontier(t.Context())
	require.NoError(t, err)
	require.True(t, frontier.Before(noon.Add(time.Second)),
		"the frontier %s is after a pending event", frontier)
	var pending int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pending").Scan(&pending))
	require.Equal(t, 1, pending)
}

func TestOpenNamesTheWrongOption(t *testing.T) {
	t.Parallel()
	const dsn = "postgres://127.0.0.1:1/x"
	tooLong := fmt.Sprintf("%060d", 1)
	for want, opt := range map[string]Options{
		"neither DSN nor AppDSN":  {Clock: stoppedAtNoon},
		"no clock":                {DSN: dsn},
		"too long":                {DSN: dsn, Clock: stoppedAtNoon, Schema: tooLong},
		"contains a quote":        {DSN: dsn, Clock: stoppedAtNoon, Schema: `a"b`},
		"connect as owner":        {DSN: dsn + "?sslmode=disable", Clock: stoppedAtNoon},
		"open postgres store: ca": {DSN: "nonsense:", Clock: stoppedAtNoon},
	} {
		_, err := Open(t.Context(), opt)
		require.ErrorContains(t, err, want)
	}
}
