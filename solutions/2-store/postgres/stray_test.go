package postgres

import (
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// An event that was put into the table of events past the triggers is named: it never becomes part
// of a history, and no append waits for it. An event that is only pending is no stray.
func TestStrayEventIsNamed(t *testing.T) {
	t.Parallel()
	made, dsn := open(t)
	s := openAt(t,
		Options{AppDSN: login(t, dsn, made.schema), Schema: made.schema, Clock: stoppedAtNoon})
	reader := openAt(t, Options{DSN: dsn, Schema: made.schema, Clock: stoppedAtNoon},
		func(o *Options) { o.ReadOnly = true })
	_, err := s.Append(t.Context(), "trade/A", 0, event("trade/A", 1))
	require.NoError(t, err)
	_, err = s.Append(t.Context(), "trade/B", 0, event("trade/B", 1))
	require.NoError(t, err)
	strays, err := s.Strays(t.Context())
	require.NoError(t, err)
	require.Empty(t, strays)

	owner := session(t, dsn)
	stray := event("trade/A", 2)
	exec := func(statement string) {
		_, err := owner.Exec(t.Context(), strings.ReplaceAll(statement, "$", made.schema))
		require.NoError(t, err, statement)
	}
	exec("set search_path to $")
	exec("alter table events disable trigger events_enqueue")
	require.NoError(t, pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
		insert(t, tx, 2, stray)
		return nil
	}))
	exec("alter table events enable trigger events_enqueue")

	want := "event " + stray.ID.String() + ", version 2 of trade/A, was put into the table of " +
		"events without a place in the feed"
	for name, from := range map[string]*Store{"store": s, "read-only": reader} {
		strays, err = from.Strays(t.Context())
		require.NoError(t, err)
		require.Equal(t, []string{want}, strays, name)
		_, err = from.Find(t.Context(), stray.ID)
		require.ErrorIs(t, err, ErrDamaged, name)
		require.ErrorContains(t, err, want, name)
		require.Zero(t, yielded(t, from, "trade/A", want), name)
		require.Equal(t, 1, yielded(t, from, "trade/B", ""), name)
	}
	// The stray has its version: an append there fails.
	_, err = s.Append(t.Context(), "trade/A", 1, event("trade/A", 4))
	var conflict *contract.ConflictError
	require.ErrorAs(t, err, &conflict)
	// After it, too: the feed would have the later version without the one before. Other streams
	// go on.
	for _, expected := range []int64{2, contract.Any} {
		_, err = s.Append(t.Context(), "trade/A", expected, event("trade/A", 3))
		require.ErrorIs(t, err, ErrDamaged)
		require.ErrorContains(t, err, "append to trade/A")
	}
	_, err = s.Append(t.Context(), "trade/B", contract.Any, event("trade/B", 2))
	require.NoError(t, err)
	require.Zero(t, yielded(t, s, "trade/A", want))
	end, err := s.End(t.Context())
	require.NoError(t, err)
	var versions []int64
	for e, err := range s.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		if e.Stream == "trade/A" {
			versions = append(versions, e.Version)
		}
	}
	require.Equal(t, []int64{1}, versions)
}

// yielded returns the number of events of a stream before its error, or its end.
func yielded(t *testing.T, s *Store, stream, fails string) (n int) {
	t.Helper()
	var failed error
	for _, err := range s.Stream(t.Context(), stream) {
		if failed = err; err == nil {
			n++
		}
	}
	if fails == "" {
		require.NoError(t, failed)
		return n
	}
	require.ErrorIs(t, failed, ErrDamaged)
	require.ErrorContains(t, failed, fails)
	return n
}

// The look for strays of one stream finds its events in the index, however long the table is: Find
// and Stream wait for it.
func TestStraysOfAStreamAreIndexed(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	conn, err := s.pool.Acquire(t.Context()) // it plans as for a Store
	require.NoError(t, err)
	defer conn.Release()
	_, err = conn.Exec(t.Context(), "prepare strays as "+selectStraysOf)
	require.NoError(t, err)
	rows, err := conn.Query(t.Context(), "explain execute strays ('trade/A', 1)",
		pgx.QueryExecModeSimpleProtocol)
	require.NoError(t, err)
	plan, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(t, err)
	require.Contains(t, strings.Join(plan, "\n"),
		"Index Cond: ((stream = $1) AND (version >= $2))")
	_, err = conn.Exec(t.Context(), "deallocate strays")
	require.NoError(t, err)
}
