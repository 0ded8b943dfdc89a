package postgres

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
)

var noon = time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)

func stoppedAtNoon(context.Context) time.Time { return noon }

// event returns a valid event. Its id is derived from its stream and n.
func event(stream string, n int) contract.Event {
	return contract.Event{
		ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, n)),
		Stream: stream, Type: "trade.amended", Schema: 1, EffectiveAt: noon,
		EnteredAt: noon, CommandID: "c-1",
		Actor:  "desk-7",
		Reason: "agreed by phone", Source: "test", Data: []byte{0, 0, 0, 0, 7, byte(n)},
	}
}

// open opens a new log. The returned DSN signs in as its owner.
func open(t *testing.T, change ...func(*Options)) (*Store, string) {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	return openAt(t, Options{DSN: dsn, Schema: schema, Clock: stoppedAtNoon}, change...), dsn
}

func openAt(t *testing.T, opt Options, change ...func(*Options)) *Store {
	t.Helper()
	for _, c := range change {
		c(&opt)
	}
	s, err := Open(t.Context(), opt)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Close()) })
	return s
}

// session opens a connection.
func session(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// insert inserts events by the statement of Append, in a transaction of the test.
func insert(t *testing.T, tx pgx.Tx, version int64, events ...contract.Event) {
	t.Helper()
	_, err := tx.Exec(t.Context(), insertEvents, arrays(rowsAt(version, events...))...)
	require.NoError(t, err)
}

func rowsAt(version int64, events ...contract.Event) []row {
	rows := make([]row, len(events))
	for i, e := range events {
		at := contract.Receipt{
			Version:    version + int64(i),
			RecordedAt: noon.Add(time.Duration(version) * time.Microsecond),
		}
		rows[i] = row{Event: e, Receipt: at, digest: e.ContentDigest()}
	}
	return rows
}

// A poller is a reader that repeatedly asks for the end.
type poller struct {
	*Store
	at contract.Cursor
}

// next returns the events since the last call, as stream@version.
func (p *poller) next(t *testing.T) []string {
	t.Helper()
	end, err := p.End(t.Context())
	require.NoError(t, err)
	var got []string
	for r, err := range p.Read(t.Context(), p.at, end) {
		require.NoError(t, err)
		got = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Version))
	}
	p.at = end
	return got
}

func TestLateCommitIsDeliveredOnce(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	reader := poller{Store: s}
	a, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	insert(t, a, 1, event("trade/A", 1))
	b, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	insert(t, b, 1, event("trade/B", 1))
	require.NoError(t, b.Commit(t.Context()))
	require.Equal(t, []string{"trade/B@1"}, reader.next(t))
	require.Empty(t, reader.next(t))
	require.NoError(t, a.Commit(t.Context()))
	require.Equal(t, []string{"trade/A@1"}, reader.next(t))
	require.Empty(t, reader.next(t))
}

// An older transaction commits the later version of a stream. Transaction ids must not order the
// feed.
func TestOlderTransactionWithLaterVersion(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	older, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	var id int64
	require.NoError(t,
		older.QueryRow(t.Context(), "select pg_current_xact_id()::text::bigint").Scan(&id))
	_, err = s.Append(t.Context(), "trade/A", 0, event("trade/A", 1)) // a younger transaction
	require.NoError(t, err)
	insert(t, older, 2, event("trade/A", 2))
	require.NoError(t, older.Commit(t.Context()))
	reader := poller{Store: s}
	require.Equal(t, []string{"trade/A@1", "trade/A@2"}, reader.next(t))
}

func TestDatabaseRefusesAVersionHole(t *testing.T) {
	t.Parallel()
	_, dsn := open(t)
	conn := session(t, dsn)
	uncommitted, err := conn.Begin(t.Context())
	require.NoError(t, err)
	insert(t, uncommitted, 1, event("trade/A", 1))
	for name, rows := range map[string][]row{
		"after no version":             rowsAt(2, event("trade/B", 2)),
		"after an uncommitted version": rowsAt(2, event("trade/A", 2)),
		"inside a batch": append(
			rowsAt(1, event("trade/C", 1)), rowsAt(3, event("trade/C", 3))...),
	} {
		_, err := session(t, dsn).Exec(t.Context(), insertEvents, arrays(rows)...)
		require.ErrorContains(t, err, "the versions of a stream would have a hole", name)
	}
}

func TestDatabaseRefusesEventsAfterAnEnd(t *testing.T) {
	t.Parallel()
	_, dsn := open(t)
	last := event("trade/A", 2)
	last.Ends = true
	_, err := session(t, dsn).Exec(t.Context(), insertEvents,
		arrays(rowsAt(1, event("trade/A", 1), last))...)
	require.NoError(t, err)
	ends := event("trade/B", 1)
	ends.Ends = true
	for name, rows := range map[string][]row{
		"after the end":  rowsAt(3, event("trade/A", 3)),
		"inside a batch": rowsAt(1, ends, event("trade/B", 2)),
	} {
		_, err := session(t, dsn).Exec(t.Context(), insertEvents, arrays(rows)...)
		require.ErrorContains(t, err, "a stream that has ended would go on", name)
	}
}

// TestOpenTransactionsDelayNoOthers leaves a transaction open in each possible way: idle, prepared,
// and in another database. Other appends and reads must not wait for it.
func TestOpenTransactionsDelayNoOthers(t *testing.T) {
	t.Parallel()
	dsn := cluster(t)
	s := openAt(t, Options{DSN: dsn, Clock: stoppedAtNoon})
	dsn += "&search_path=blotter"

	idle, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	insert(t, idle, 1, event("trade/IDLE", 1))

	prepared, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	insert(t, prepared, 1, event("trade/PREPARED", 1))
	_, err = prepared.Exec(t.Context(), "prepare transaction 'held'")
	require.NoError(t, err)

	elsewhere, err := otherDatabase(t, dsn).BeginTx(t.Context(),
		pgx.TxOptions{IsoLevel: pgx.RepeatableRead})
	require.NoError(t, err)
	_, err = elsewhere.Exec(t.Context(), "create table held as select pg_current_xact_id()::text")
	require.NoError(t, err)

	reader := poller{Store: s}
	for n := range 20 {
		stream := fmt.Sprintf("trade/%02d", n)
		_, err := s.Append(t.Context(), stream, 0, event(stream, 1))
		require.NoError(t, err)
		require.Equal(t, []string{stream + "@1"}, reader.next(t))
	}
	require.NoError(t, idle.Commit(t.Context()))
	require.Equal(t, []string{"trade/IDLE@1"}, reader.next(t))
	_, err = session(t, dsn).Exec(t.Context(), "commit prepared 'held'")
	require.NoError(t, err)
	require.Equal(t, []string{"trade/PREPARED@1"}, reader.next(t))
}

// otherDatabase opens a session in a new database of the same server.
func otherDatabase(t *testing.T, dsn string) *pgx.Conn {
	t.Helper()
	_, err := session(t, dsn).Exec(t.Context(), "create database other")
	require.NoError(t, err)
	config, err := pgx.ParseConfig(dsn)
	require.NoError(t, err)
	config.Database, config.RuntimeParams["search_path"] = "other", "public"
	conn, err := pgx.ConnectConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close(context.Background()) })
	return conn
}

// TestHeldStreamDelaysNoOtherAppend lets members of a group wait for a transaction that does not
// end.
func TestHeldStreamDelaysNoOtherAppend(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	held, err := session(t, dsn).Begin(t.Context())
	require.NoError(t, err)
	insert(t, held, 1, event("trade/HELD", 1))
	const stuck = 2 * maxSingles
	waiting := make(chan error, stuck)
	for n := range stuck {
		go func() {
			_, err := s.Append(context.Background(), "trade/HELD", 0, event("trade/HELD", 2+n))
			waiting <- err
		}()
	}
	var all sync.WaitGroup
	for n := range 32 {
		all.Go(func() {
			stream := fmt.Sprintf("trade/%d", n)
			if _, err := s.Append(t.Context(), stream, 0, event(stream, 1)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	require.Empty(t, waiting, "appends to the held stream")
	require.NoError(t, held.Commit(t.Context()))
	for range stuck {
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, <-waiting, &conflict)
		require.Equal(t, contract.ConflictError{Stream: "trade/HELD", Expected: 0, Actual: 1},
			*conflict)
	}
}

// TestFeedUnderOpenTransactions runs 64 writers beside a follower, a poller and the sequencer of a
// second process, until 100,000 events are committed. Each writer holds its transactions open for 0
// to 50 ms and rolls 1 % of them back. It inserts by the statement of Append. The test is not
// parallel: its writers take most of the connections that the server allows.
func TestFeedUnderOpenTransactions(t *testing.T) {
	const writers = 64
	events := 100_000
	if testing.Short() {
		events = 6_400
	}
	each := (events + writers - 1) / writers
	s, dsn := open(t)
	openAt(t, Options{DSN: dsn, Schema: s.schema, Clock: stoppedAtNoon})
	writing, stop := context.WithCancel(t.Context())
	defer stop()
	followed := make(chan []string, 1)
	go func() { followed <- follow(writing, s) }()
	var polled []string
	var readers, all sync.WaitGroup
	readers.Go(func() {
		for reader := (poller{Store: s}); ; {
			done := writing.Err() != nil
			polled = append(polled, reader.next(t)...)
			if done {
				return
			}
		}
	})
	var committed sync.Map
	for w := range writers {
		all.Go(func() { holdOpen(t, dsn, w, each, &committed) })
	}
	all.Wait()
	stop()
	readers.Wait()

	versions, seen := map[string]int64{}, 0
	for _, name := range polled {
		_, ok := committed.LoadAndDelete(name)
		require.True(t, ok, "%s came twice, or was never committed", name)
		stream, version := split(t, name)
		require.Equal(t, versions[stream]+1, version, "the next version of %s", stream)
		versions[stream] = version
		seen++
	}
	committed.Range(func(name, _ any) bool { t.Errorf("%s is missing", name); return true })
	require.GreaterOrEqual(t, seen, events)
	t.Logf("%d events, each seen once and in stream order", seen)

	require.Equal(t, polled, <-followed, "follower and poller must see the same order")
}

// follow returns the events that a follower sees until its context ends, and after them those of a
// poll.
func follow(ctx context.Context, s *Store) []string {
	var got []string
	var at contract.Cursor
	for r, err := range s.Follow(ctx, nil) {
		if err != nil {
			break
		}
		got, at = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Version)), at.After(r.Position)
	}
	end, _ := s.End(context.Background())
	for r := range s.Read(context.Background(), at, end) {
		got = append(got, fmt.Sprintf("%s@%d", r.Stream, r.Version))
	}
	return got
}

// TestRefusedValueFailsOnlyItsAppend appends values that the table refuses in a group with others.
func TestRefusedValueFailsOnlyItsAppend(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	// A division by zero is an error of class 22.
	_, err := session(t, dsn).Exec(t.Context(),
		"alter table events add check (reason <> 'odd' or 1 / (length(reason) - 3) > 0)")
	require.NoError(t, err)
	var all sync.WaitGroup
	for n := range 16 {
		all.Go(func() {
			stream := fmt.Sprintf("trade/%d", n)
			e := event(stream, 1)
			if n%4 == 0 {
				e.Reason = "odd"
			}
			_, err := s.Append(t.Context(), stream, 0, e)
			if n%4 == 0 {
				assert.ErrorIs(t, err, contract.ErrInvalid)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	all.Wait()
}

func split(t *testing.T, name string) (stream string, version int64) {
	t.Helper()
	_, err := fmt.Sscanf(name, "%9s@%d", &stream, &version)
	require.NoError(t, err, name)
	return stream, version
}

// holdOpen appends the given number of events to a stream of its own, a few in each transaction.
func holdOpen(t *testing.T, dsn string, writer, events int, committed *sync.Map) {
	ctx := t.Context()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Error(err)
		return
	}
	defer conn.Close(context.Background())
	random := rand.New(rand.NewPCG(1, uint64(writer)))
	stream := fmt.Sprintf("trade/%03d", writer)
	for version, n := int64(0), 0; version < int64(events); {
		batch := make([]contract.Event, 1+random.IntN(7))
		for i := range batch {
			n++ // no retry of an event that was rolled back
			batch[i] = event(stream, n)
		}
		done, err := holdOpenOnce(ctx, conn, random, rowsAt(version+1, batch...), committed)
		if err != nil {
			t.Errorf("writer %d: %v", writer, err)
			return
		}
		if done {
			version += int64(len(batch))
		}
	}
}

// holdOpenOnce inserts rows in one transaction, and reports whether it committed.
func holdOpenOnce(
	ctx context.Context, conn *pgx.Conn, random *rand.Rand, rows []row, committed *sync.Map,
) (bool, error) {
	tx, err := conn.Begin(ctx)
	if err != nil {
		return false, err
	}
	if _, err = tx.Exec(ctx, insertEvents, arrays(rows)...); err != nil {
		return false, err
	}
	pause(ctx, time.Duration(random.Int64N(int64(50*time.Millisecond))))
	if random.IntN(100) == 0 {
		return false, tx.Rollback(ctx)
	}
	for _, r := range rows {
		committed.Store(fmt.Sprintf("%s@%d", r.Stream, r.Version), true)
	}
	return true, tx.Commit(ctx)
}

// The end of the log is known before the pending events have their positions.
func TestReachedCountsPendingEvents(t *testing.T) {
	t.Parallel()
	s, dsn := open(t)
	owner := session(t, dsn)
	_, err := owner.Exec(t.Context(), "set search_path to "+s.schema)
	require.NoError(t, err)
	require.NoError(t, pgx.BeginFunc(t.Context(), owner, func(tx pgx.Tx) error {
		insert(t, tx, 1, event("trade/A", 1), event("trade/A", 2))
		return nil
	}))
	reached := s.Reached()
	end, err := s.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, contract.Cursor{2}, end)
	require.Equal(t, end, reached)
	s.cancel()
	require.Equal(t, end, s.Reached(), "without a server")
}
