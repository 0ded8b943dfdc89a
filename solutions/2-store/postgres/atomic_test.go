package postgres

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	store "example.com/blotter/solutions/2-store"
)

// posting returns an append of the n-th event of each stream, at any version.
func posting(n int, streams ...string) (appends []contract.StreamAppend) {
	for _, stream := range streams {
		appends = append(appends, contract.StreamAppend{
			Stream: stream, Expected: contract.Any, Events: []contract.Event{event(stream, n)},
		})
	}
	return appends
}

const (
	cash   = "account/main/cash"
	fees   = "account/main/fees"
	period = "period/main/2025-03"
)

// L2.I15: a guard holds against the appends of other processes, which share nothing but the
// database. The closing is in the feed after every append that guarded the period.
func TestGuardsHoldAcrossProcesses(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	other := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	const rounds, writers = 12, 16
	for round := range rounds {
		period := fmt.Sprint(period, "-", round)
		_, err := s.Append(t.Context(), period, 0, event(period, 1))
		require.NoError(t, err)
		var all sync.WaitGroup
		errs := make([]error, writers+1)
		for w := range writers {
			to, n := []*Store{s, other}[w%2], round*writers+w
			all.Go(func() {
				_, errs[w] = to.AppendAll(t.Context(),
					posting(n, fmt.Sprintf("journal/main/%d/%d", round, w)),
					contract.Guard{Stream: period, Version: 1})
			})
			if w == writers/2 {
				all.Go(func() {
					_, errs[writers] = other.Append(t.Context(), period, 1, event(period, 2))
				})
			}
		}
		all.Wait()
		for _, err := range errs {
			if conflict := new(contract.ConflictError); !errors.As(err, &conflict) {
				require.NoError(t, err)
			}
		}
	}
	end, err := s.End(t.Context())
	require.NoError(t, err)
	closed := map[string]bool{}
	for _, r := range readRange(t, s, nil, end) {
		if strings.HasPrefix(r.Stream, period) && r.Version == 2 {
			closed["journal/main/"+strings.TrimPrefix(r.Stream, period+"-")] = true
		}
		require.False(t, closed[path.Dir(r.Stream)], "%s is after its closing", r.Stream)
	}
	require.Len(t, closed, rounds)
}

// L2.I17: one pass of the sequencer places the appends of two processes, which came one after the
// other in the same streams, and of one transaction, in which single events are between them.
func TestAppendsAreTogetherInTheFeed(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	other := openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	held, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "select from counter for update")
	require.NoError(t, err)
	for n, to := range []*Store{s, other, s} {
		_, err := to.AppendAll(t.Context(), posting(n, "journal/main/1", cash, fees))
		require.NoError(t, err)
	}
	var group []*appendCall
	for n, streams := range [][]string{{cash}, {fees, cash}, {cash}, {"trade/A"}, {cash, fees}} {
		parts := posting(10+n, streams...)
		if len(parts) > 1 {
			parts = store.Grouped(parts)
		}
		group = append(group, &appendCall{ctx: t.Context(), parts: parts, atomic: len(parts) > 1})
	}
	_, err = s.attempt(group, false)
	require.NoError(t, err)
	require.NoError(t, held.Rollback(t.Context()))

	end, err := s.End(t.Context())
	require.NoError(t, err)
	var got []string
	for _, r := range readRange(t, s, nil, end) {
		got = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Version))
	}
	var want []string
	for n := range 3 {
		want = append(want, fmt.Sprint(cash, "@", n+1), fmt.Sprint(fees, "@", n+1),
			fmt.Sprint("journal/main/1@", n+1))
	}
	want = append(want, cash+"@4", cash+"@5", fees+"@4", cash+"@6", cash+"@7", fees+"@5")
	got = slices.DeleteFunc(got, func(at string) bool { return at == "trade/A@1" })
	require.Equal(t, want, got)
}

// L2.I15: one transaction writes an append that guards a stream between two versions of the stream.
// In the feed, too, the append is between them. Without append groups the order is the same: times
// of one place rise in the feed, so that the log can be restored.
func TestFeedKeepsTheOrderOfAPlace(t *testing.T) {
	t.Parallel()
	s, _ := open(t)
	single := func(n int, stream string) *appendCall {
		return &appendCall{ctx: t.Context(), parts: posting(n, stream)}
	}
	for _, group := range [][]*appendCall{{
		single(1, period),
		{ctx: t.Context(), parts: store.Grouped(posting(1, cash, fees)), atomic: true,
			guards: []contract.Guard{{Stream: period, Version: 1}}},
		single(2, period),
	}, {
		single(3, period), single(3, cash), single(3, fees), single(4, period), single(4, cash),
	}} {
		outcomes, err := s.attempt(group, false)
		require.NoError(t, err)
		for _, o := range outcomes {
			require.NoError(t, o.err)
		}
		_, err = s.End(t.Context())
		require.NoError(t, err)
	}
	require.Equal(t, []string{
		period + "@1", cash + "@1", fees + "@1", period + "@2",
		period + "@3", cash + "@2", fees + "@2", period + "@4", cash + "@3",
	}, (&poller{Store: s}).next(t))
}

// A place has the time of its last event, whatever the application role asks for, after an INSERT
// and after a COPY.
func TestNobodyChoosesTheTimeOfAPlace(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	var many []string
	for n := range fewRows + 1 {
		many = append(many, fmt.Sprint("account/main/", n))
	}
	app := session(t, login(t, dsn, s.schema)+"&search_path="+s.schema)
	for n, streams := range [][]string{{cash, fees}, many, {"journal/main/1"}} {
		for _, statement := range []string{"select note_places('{main}', '{infinity}')",
			"select note_places('{main,main}', '{9999-01-01,account/main/cash}')",
			"select from hold_places('{main}')"} {
			_, err := app.Exec(t.Context(), statement)
			require.NoError(t, err, statement)
		}
		receipts, err := s.AppendAll(t.Context(), posting(n, streams...))
		require.NoError(t, err)
		want := noon.Add(time.Duration(n) * time.Microsecond)
		require.Equal(t, want, receipts[0][0].RecordedAt)
		var latest time.Time
		require.NoError(t, app.QueryRow(t.Context(), "select latest from places").Scan(&latest))
		require.Equal(t, want, latest.UTC())
	}
}

// While a transaction holds a place, the appends without it get their outcomes, and those of one
// group still share a transaction.
func TestStuckPlaceStopsNoOthers(t *testing.T) {
	t.Parallel()
	sizes := make(chan int, 100)
	s, dsn := open(t, func(o *Options) { o.Grouped = func(events int) { sizes <- events } })
	_, err := s.AppendAll(t.Context(), posting(0, cash, fees))
	require.NoError(t, err)
	require.Equal(t, 2, <-sizes)
	held, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	_, err = held.Exec(t.Context(), "select from places where place = 'main' for update")
	require.NoError(t, err)

	var group, stuck, free []*appendCall
	add := func(to *[]*appendCall, parts []contract.StreamAppend) {
		a := &appendCall{ctx: t.Context(), parts: parts, done: make(chan outcome, 1)}
		if a.atomic = len(parts) > 1; a.atomic {
			a.parts = store.Grouped(parts)
		}
		group, *to = append(group, a), append(*to, a)
	}
	for n := range 3 {
		add(&stuck, posting(n+1, cash, fees))
		add(&free, posting(n, "account/other/cash", "account/other/fees"))
		add(&free, posting(0, fmt.Sprint("trade/", n)))
	}
	s.commit(group)
	for _, a := range free {
		require.NoError(t, (<-a.done).err)
	}
	require.ElementsMatch(t, []int{6, 3}, []int{<-sizes, <-sizes})
	for _, a := range stuck {
		require.Empty(t, a.done)
	}
	require.NoError(t, held.Rollback(t.Context()))
	for _, a := range stuck {
		require.NoError(t, (<-a.done).err)
	}
}

// A migration waits for the appends in flight of a process that has not stopped.
func TestPlacesMigrateWhileOthersWrite(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	writer := session(t, dsn)
	_, err = writer.Exec(t.Context(), fmt.Sprintf("create schema if not exists %s; "+
		"set search_path to %[1]s, pg_temp", schema))
	require.NoError(t, err)
	steps, done, err := stepsOf(config, schema)
	require.NoError(t, err)
	defer done()
	_, err = steps.UpTo(t.Context(), 5)
	require.NoError(t, err)
	_, err = writer.Exec(t.Context(), "begin")
	require.NoError(t, err)
	_, err = writer.Exec(t.Context(), insertEvents, arrays(rowsAt(1, event("trade/A", 1)))...)
	require.NoError(t, err)

	migrated := make(chan error, 1)
	go func() {
		_, err := steps.Up(t.Context())
		migrated <- err
	}()
	waits := "select exists (select from pg_locks where not granted and relation = any (" +
		"array['events', 'pending']::regclass[]::oid[]))"
	require.Eventually(t, func() (waiting bool) {
		return writer.QueryRow(t.Context(), waits).Scan(&waiting) == nil && waiting
	}, time.Minute, 5*time.Millisecond)
	_, err = writer.Exec(t.Context(), "commit")
	require.NoError(t, err)
	require.NoError(t, <-migrated)
	s := openAt(t, Options{DSN: dsn, Schema: schema, Clock: stoppedAtNoon})
	require.Equal(t, []string{"trade/A@1"}, (&poller{Store: s}).next(t))
}

// L2.I14 and L2.I18: the connection breaks at the commit, before and after it landed. A crash of
// the process at the same moment leaves the same log.
func TestLostAnswerOfSeveralStreams(t *testing.T) {
	t.Parallel()
	for _, where := range []string{beforeSending, afterLanding} {
		for _, accounts := range []int{1, fewRows + 1} {
			t.Run(fmt.Sprintf("%s, %d accounts", where, accounts), func(t *testing.T) {
				t.Parallel()
				b := new(breaker)
				s, _ := open(t, func(opt *Options) { opt.connected = b.wrap })
				streams := []string{"journal/main/1"}
				for n := range accounts {
					streams = append(streams, fmt.Sprint("account/main/", n))
				}
				for n := range 3 {
					b.armed.Store(&where)
					receipts, err := s.AppendAll(t.Context(), posting(n, streams...),
						contract.Guard{Stream: period})
					require.NoError(t, err)
					for _, r := range receipts {
						require.EqualValues(t, n+1, r[0].Version)
						require.Equal(t, receipts[0][0].RecordedAt, r[0].RecordedAt)
					}
					require.EqualValues(t, n+1, b.broke.Load(), "connections that broke")
				}
				end, err := s.End(t.Context())
				require.NoError(t, err)
				require.Len(t, readRange(t, s, nil, end), 3*len(streams))
			})
		}
	}
}
