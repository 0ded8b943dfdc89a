package e2e_test

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
)

// A superuser is the intruder at the database.
type superuser struct {
	t     testing.TB
	stack stack.Stack
	conn  *pgx.Conn
}

// signIn starts the stack and signs in.
func signIn(t testing.TB, f *folder) *superuser {
	t.Helper()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: filepath.Join(f.data, "stack")})
	at, err := s.Postgres(context.Background())
	require.NoError(t, err)
	conn, err := pgx.Connect(context.Background(), at.MigrationDSN)
	require.NoError(t, err)
	u := &superuser{t, s, conn}
	u.exec("set search_path to blotter_log")
	return u
}

func (u *superuser) exec(sql string, args ...any) {
	u.t.Helper()
	_, err := u.conn.Exec(context.Background(), sql, args...)
	require.NoError(u.t, err, sql)
}

// commit enables the triggers again, to leave few traces.
func (u *superuser) commit() {
	u.t.Helper()
	for _, table := range []string{"events", "feed"} {
		u.exec("alter table " + table + " enable trigger all")
		u.exec("alter table " + table + " enable always trigger " + table + "_refuse")
	}
}

// leave closes the connection and stops the stack.
func (u *superuser) leave() {
	u.t.Helper()
	require.NoError(u.t, u.conn.Close(context.Background()))
	require.NoError(u.t, u.stack.Close())
}

func (u *superuser) events() []event {
	u.t.Helper()
	rows, err := u.conn.Query(context.Background(),
		"select position, stream from feed order by position")
	require.NoError(u.t, err)
	all, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (e event, err error) {
		return e, row.Scan(&e.at.Offset, &e.stream)
	})
	require.NoError(u.t, err)
	return all
}

const (
	atPosition = `
		where (stream, version) = (select stream, version from feed where position = $1)`
	flipLast = `
		update events
		set data = set_byte(data, length(data)-1, get_byte(data, length(data)-1) # 1)` + atPosition
)

func (u *superuser) flip(at contract.Position) { u.exec(flipLast, at.Offset) }

func (u *superuser) rewrite(at contract.Position) {
	u.exec("update events set approver = 'nobody'"+atPosition, at.Offset)
}

func (u *superuser) remove(at contract.Position) {
	u.exec("delete from events"+atPosition, at.Offset)
}

func (u *superuser) closeUp(at contract.Position) {
	u.exec("delete from events"+atPosition, at.Offset)
	u.exec("delete from feed where position = $1", at.Offset)
	// Through negative positions, because a position is unique after each statement.
	u.exec("update feed set position = -position where position > $1", at.Offset)
	u.exec("update feed set position = -position - 1 where position < 0")
	u.exec("update counter set next = next - 1")
}

func (u *superuser) insert(at contract.Position) {
	u.exec("update feed set position = -position where position > $1", at.Offset)
	u.exec("update feed set position = -position + 1 where position < 0")
	u.exec(`create temporary table copied as
		select e.* from events e join feed f using (stream, version) where f.position = $1`,
		at.Offset)
	u.exec("update copied set id = gen_random_uuid(), version = 999")
	u.exec("insert into events table copied")
	u.exec("insert into feed select $1 + 1, stream, version from copied", at.Offset)
	u.exec("drop table copied")
	u.exec("update counter set next = next + 1")
}

func (u *superuser) swap(a, b contract.Position) {
	u.exec("update feed set position = -1 where position = $1", a.Offset)
	u.exec("update feed set position = $1 where position = $2", a.Offset, b.Offset)
	u.exec("update feed set position = $1 where position = -1", b.Offset)
}

func (u *superuser) exchange(a, b contract.Position) {
	u.exec(`with both_of as (
			select f.position, e.* from feed f join events e using (stream, version)
			where f.position in ($1, $2))
		update events e set data = other.data from both_of mine, both_of other
		where mine.position <> other.position
			and (e.stream, e.version) = (mine.stream, mine.version)`, a.Offset, b.Offset)
}

func (u *superuser) cut(from contract.Position) {
	u.exec(`delete from events where (stream, version) in (
		select stream, version from feed where position >= $1)`, from.Offset)
	u.exec("delete from feed where position >= $1", from.Offset)
	u.exec(`update counter
		set next = $1, latest = (select max(recorded_at) from events)`, from.Offset)
}

// logTables are the tables of a log in the database.
var logTables = []string{"events", "pending", "feed", "counter", "places"}

// keep copies the tables, for restore.
func (u *superuser) keep() {
	u.exec("create schema kept")
	for _, table := range logTables {
		u.exec("create table kept." + table + " as table " + table)
	}
}

// restore disables the triggers first. They refuse every change, even in a session in replica mode.
func (u *superuser) restore() {
	u.exec("set session_replication_role to replica")
	u.exec("alter table events disable trigger all")
	u.exec("alter table feed disable trigger all")
	for _, table := range logTables {
		u.exec("truncate " + table)
		u.exec("insert into " + table + " overriding system value table kept." + table)
	}
}

func (u *superuser) digests() map[string]string {
	u.t.Helper()
	all := map[string]string{}
	for _, table := range logTables {
		var digest string
		query := `select md5(coalesce(string_agg(row::text, E'\n' order by row::text), ''))
			from ` + table + ` as row`
		err := u.conn.QueryRow(context.Background(), query).Scan(&digest)
		require.NoError(u.t, err)
		all[table] = digest
	}
	return all
}
