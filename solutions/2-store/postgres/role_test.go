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

// login makes a login that is a member of the log's application role and nothing else, and its string.
func login(t *testing.T, dsn, schema string) string {
	t.Helper()
	_, err := session(t, dsn).Exec(t.Context(), fmt.Sprintf("create role %s_login login password 'secret' in role %s", schema, roleOf(schema)))
	require.NoError(t, err)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	return fmt.Sprintf("postgres://%s_login:secret@%s:%d/%s?sslmode=disable", schema, config.Host, config.Port, config.Database)
}

func TestTheApplicationsRoleIsRefused(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1), event("trade/A", 2))
	require.NoError(t, err)
	before, err := s.End(t.Context())
	require.NoError(t, err)
	history := whole(t, s, nil, before)
	// The login itself, so that "set role none" leads nowhere either.
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
		"create or replace function refuse() returns trigger language plpgsql as 'begin return new; end'",
		"create or replace function sequence_pending() returns bigint language sql as 'select 1::bigint'",
		"drop function sequence_pending()",
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
	require.Equal(t, history, whole(t, s, nil, end))
}

// TestTheOwnerIsRefusedToo is the second line: an accident at a prompt, and a session that puts triggers aside.
func TestTheOwnerIsRefusedToo(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	owner := session(t, dsn)
	for _, mode := range []string{"origin", "replica"} {
		_, err := owner.Exec(t.Context(), "set session_replication_role = "+mode)
		require.NoError(t, err)
		for _, table := range []string{"events", "feed"} {
			for _, statement := range []string{"update %s set version = 7", "delete from %s", "truncate %s"} {
				_, err := owner.Exec(t.Context(), fmt.Sprintf(statement, table))
				require.ErrorContains(t, err, "what is recorded is never changed", "%s, in mode %s", fmt.Sprintf(statement, table), mode)
			}
		}
	}
}

func TestAnApplicationWithALoginOfItsOwnNeedsNoOwner(t *testing.T) {
	t.Parallel()
	made, dsn := open(t)
	s := openAt(t, Options{AppDSN: login(t, dsn, made.schema), Schema: made.schema, Clock: stoppedAtNoon})
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	reader := poller{Store: s}
	require.Equal(t, []string{"trade/A@1"}, reader.next(t))
	_, err = Open(t.Context(), Options{AppDSN: dsn, Schema: "never_made", Clock: stoppedAtNoon})
	require.ErrorIs(t, err, ErrNoLog)
}

func TestAStoreOpenedReadOnlyChangesNothing(t *testing.T) {
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

	r := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: func(context.Context) time.Time { return noon.Add(time.Hour) }, ReadOnly: true})
	_, err = r.Append(t.Context(), "trade/A", 1, event("trade/A", 3))
	require.ErrorIs(t, err, ErrReadOnly)
	seen, err := r.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, seen, "the end of the feed as it stands")
	require.Len(t, whole(t, r, nil, seen), 1)
	n := 0
	for _, err := range r.Stream(t.Context(), "trade/A") {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 1, n, "events of the stream that have a place")
	frontier, err := r.Frontier(t.Context())
	require.NoError(t, err)
	require.True(t, frontier.Before(noon.Add(time.Second)), "the frontier %s is not past what is pending", frontier)
	var pending int
	require.NoError(t, conn.QueryRow(t.Context(), "select count(*) from pending").Scan(&pending))
	require.Equal(t, 1, pending)
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	for want, opt := range map[string]Options{
		"neither DSN nor AppDSN":  {Clock: stoppedAtNoon},
		"no clock":                {DSN: "postgres://127.0.0.1:1/x"},
		"too long":                {DSN: "postgres://127.0.0.1:1/x", Clock: stoppedAtNoon, Schema: fmt.Sprintf("%060d", 1)},
		"has a quote":             {DSN: "postgres://127.0.0.1:1/x", Clock: stoppedAtNoon, Schema: `a"b`},
		"connect as owner":        {DSN: "postgres://127.0.0.1:1/x?sslmode=disable", Clock: stoppedAtNoon},
		"open postgres store: ca": {DSN: "nonsense:", Clock: stoppedAtNoon},
	} {
		_, err := Open(t.Context(), opt)
		require.ErrorContains(t, err, want)
	}
}
