// Package postgres is the store on Postgres.
//
// A log is one schema with seven tables (migrations). Their owner is a role that no process works
// as:
//
//	events   the recorded events, insert-only. Unique (stream, version) and unique id decide every
//	         race. A trigger keeps versions dense, and refuses events after the end of a stream or
//	         after a stray
//	pending  the recorded events that have no position yet
//	feed     position, stream, version: the order in which every reader sees the events
//	counter  one row: the next position. The sequencer holds its lock
//	timeline one row, written before the first event: whether recorded_at is simulated
//	frontier one row: the time at or before which nothing more is recorded
//	places   one row for each place that streams share (contract.PlaceOf): the latest time there.
//	         An append to such streams holds its lock
//
// Two words have one meaning here. An event is appended when it is committed in events and pending,
// and acknowledged. It is sequenced (or placed) when it is moved from pending to feed, which one
// transaction at a time does. An event is appended BEFORE it is sequenced, and visible to readers
// only AFTER that.
//
// Why two steps? Numbers that are drawn inside the appending transactions become visible in another
// order than they were drawn in, and a reader that polls "number > n" skips events that commit
// late. Here a position is drawn for committed events only, under a lock, so positions become
// visible in order. No transaction ids are compared. So an old transaction of another program
// delays nothing, and a dump that is restored into another cluster keeps its positions.
//
// A failure of each write means:
//
//	append, not landed         nothing is recorded; the caller gets an error, or its retry writes
//	append, landed, no answer  the events are recorded; the store looks up their ids again, and
//	                           the caller gets its receipts
//	append, landed, crash      the events are pending; another process sequences them within
//	                           orphanInterval, or the next process that starts
//	sequencing, not landed     the events stay pending; the next pass takes them
//	sequencing, landed         the positions are final; no caller waits for an answer
//
// The application works as a role that owns nothing. It may SELECT from all tables, INSERT into
// events, and call four functions: the one that sequences, which takes no arguments, the one that
// moves the frontier on, and those that lock places and note their times. The database refuses
// everything else.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
)

// Errors of a Store beyond those of the contract.
var (
	ErrReadOnly = errors.New("the store was opened read-only")
	ErrClosed   = errors.New("the store is closed")
)

// Options name a log and how it is opened.
type Options struct {
	// DSN signs in as the owner of the log, and creates and migrates it. The store then assumes the
	// application role.
	DSN string
	// AppDSN, if set, signs in for the store itself: with a login that is a member of the
	// application role (named after the schema, with the suffix _app), and so cannot become the
	// owner. A migration makes it a member. Without DSN nothing is migrated.
	AppDSN string
	// Schema holds the log and nothing else; "blotter" if empty. At most 59 bytes.
	Schema string
	// Clock gives the time to record; required.
	Clock contract.Clock
	// Simulated is the choice for a log that is created now: see contract.Timeline.
	Simulated bool
	// Skew bounds the difference between the clocks of all processes that write this log, also
	// after a clock is set. The frontier lags behind the clock by Skew.
	Skew time.Duration
	// ReadOnly opens a log and changes nothing in it: no migration, no append, no sequencing.
	// Events that are not sequenced are not visible.
	ReadOnly bool
	// RetryFor is the time that a call waits for an unavailable database. Log says that it waits. 0
	// means a minute.
	RetryFor time.Duration
	// Log logs background work; nil logs nothing.
	Log *slog.Logger
	// Tracer is told of each query; nil: nobody is.
	Tracer pgx.QueryTracer
	// Grouped is told the size of each committed group, in events; nil: nobody is.
	Grouped func(events int)

	// For tests that break connections: it sees the bytes before TLS encrypts them.
	connected func(context.Context, *pgconn.Config, net.Conn) (net.Conn, error)
}

// Store is a log in Postgres. It is safe for concurrent use. Any number of processes may write one
// log.
type Store struct {
	schema   string
	clock    contract.Clock
	timeline contract.Timeline
	skew     time.Duration
	promised promise
	readOnly bool
	retryFor time.Duration
	grouped  func(events int)
	waiting  atomic.Bool // a call waits for the database, and has logged it
	log      *slog.Logger
	pool     *pgxpool.Pool // with the application role

	queues      [committers]chan *appendCall // to the group commits
	singles     sync.WaitGroup               // appends that are tried outside their group
	singleSlots slots                        // limit how many of them run at once

	appended   chan struct{} // wakes the sequencer
	placed     atomic.Int64  // the end of the feed at the last pass of the sequencer
	moved      signal        // sent when the feed has grown
	listening  sync.Once     // a Follow has started listen
	groupsDone chan struct{} // closed when no append is in flight

	ctx     context.Context // ends when the store is closed and all goroutines have ended
	cancel  context.CancelFunc
	closing chan struct{}
	retire  sync.Once
	close   sync.Once
	running sync.WaitGroup
}

var (
	_ contract.Atomic  = (*Store)(nil)
	_ contract.Resumer = (*Store)(nil)
)

// However many appends wait for an open transaction, the pool has connections left for readers: the
// singles hold at most maxSingles, the committers one each, and the sequencer one.
const (
	maxSingles  = 4
	readerConns = 3
	minConns    = maxSingles + committers + 1 + readerConns
)

// Open opens a log. With DSN, and without ReadOnly, it creates or migrates the log first. The
// caller must call Close.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Schema == "" {
		opt.Schema = "blotter"
	}
	if opt.Grouped == nil {
		opt.Grouped = func(int) {}
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.RetryFor == 0 {
		opt.RetryFor = defaultRetryFor
	}
	if err := opt.check(); err != nil {
		return nil, fmt.Errorf("open postgres store: %w", err)
	}
	if opt.DSN != "" && !opt.ReadOnly {
		if err := opt.migrate(ctx); err != nil {
			return nil, fmt.Errorf("open postgres store: %w", err)
		}
	}
	s, err := newStore(ctx, opt)
	if err != nil {
		return nil, fmt.Errorf("open postgres store: %w", err)
	}
	return s, nil
}

func (opt Options) check() error {
	switch {
	case opt.DSN == "" && opt.AppDSN == "":
		return errors.New("neither DSN nor AppDSN is set")
	case opt.Clock == nil:
		return errors.New("no clock is set")
	case len(roleOf(opt.Schema)) > 63: // PostgreSQL documentation, 4.1.1
		return fmt.Errorf("schema name %q is too long", opt.Schema)
	case strings.ContainsAny(opt.Schema, "'\"\x00"):
		return fmt.Errorf("schema name %q contains a quote", opt.Schema)
	}
	return nil
}

func newStore(ctx context.Context, opt Options) (*Store, error) {
	config, err := opt.pool()
	if err != nil {
		return nil, err
	}
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	s := &Store{
		schema: opt.Schema, clock: opt.Clock, skew: opt.Skew, readOnly: opt.ReadOnly,
		retryFor: opt.RetryFor, grouped: opt.Grouped, log: opt.Log, pool: pool,
		singleSlots: make(slots, maxSingles),
		appended:    make(chan struct{}, 1), groupsDone: make(chan struct{}),
		closing: make(chan struct{}),
	}
	for i := range s.queues {
		s.queues[i] = make(chan *appendCall)
	}
	err = s.checkVersion(ctx)
	if err == nil {
		err = s.readTimeline(ctx)
	}
	if err != nil {
		pool.Close()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if !s.readOnly {
		s.running.Go(s.runCommitters)
		s.running.Go(s.runSequencer)
	}
	return s, nil
}

const (
	// idleLimit is the time after which the server ends a session that is idle inside a
	// transaction, such as that of a suspended process. Until then the session may block one stream
	// and the frontier.
	idleLimit = 10 * time.Second
	// lockLimit is the time that an append waits for another transaction. After that the group is
	// split, so that its other members can go on.
	lockLimit = 200 * time.Millisecond
)

// pool returns the configuration of the store's sessions. It sets everything that correctness
// depends on, so that no default of the server, the database or the role can weaken it.
func (opt Options) pool() (*pgxpool.Config, error) {
	dsn := opt.AppDSN
	if dsn == "" {
		dsn = opt.DSN
	}
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, err
	}
	config.MaxConns = max(config.MaxConns, minConns)
	config.ConnConfig.AfterNetConnect = opt.connected
	config.ConnConfig.Tracer = opt.Tracer
	settings := config.ConnConfig.RuntimeParams
	settings["role"] = roleOf(opt.Schema)
	settings["search_path"] = quoted(opt.Schema) + ", pg_temp"
	settings["synchronous_commit"] = "on"
	settings["default_transaction_isolation"] = "read committed"
	settings["lock_timeout"] = fmt.Sprint(lockLimit.Milliseconds())
	settings["idle_in_transaction_session_timeout"] = fmt.Sprint(idleLimit.Milliseconds())
	settings["application_name"] = "blotter"
	// Plan every query for index look-ups: they are fast for a table of any size. A session makes a
	// plan once and keeps it. A plan made for small tables would scan a table even after it grew.
	settings["enable_seqscan"] = "off"
	settings["enable_hashjoin"] = "off"
	settings["enable_mergejoin"] = "off"
	settings["jit"] = "off" // no query runs long enough for compilation to pay
	settings["plan_cache_mode"] = "force_generic_plan"
	if opt.ReadOnly {
		settings["default_transaction_read_only"] = "on"
	}
	return config, nil
}

// Close waits for the appends in flight, sequences them, and releases all resources. It may be
// called twice.
func (s *Store) Close() error {
	s.Retire()
	s.close.Do(func() {
		s.cancel()
		s.pool.Close()
	})
	return nil
}

// Retire finishes the transactions in flight, also those of callers that gave up. After that End
// and Read go on, and Append returns ErrClosed.
func (s *Store) Retire() {
	s.retire.Do(func() {
		close(s.closing)
		s.running.Wait()
	})
}

// selectReached is the end that the feed will have once the pending events are sequenced.
const selectReached = `select next + (select coalesce(sum(high - low + 1), 0)::bigint
	from pending, unnest(lows, highs) as run (low, high)) from counter`

// Reached returns the end of the feed with all pending events. A full disk prevents their
// sequencing, but not this query. If the server does not answer within a second, it returns the end
// when this process last sequenced: events that were acknowledged after that are not in it.
func (s *Store) Reached() contract.Cursor {
	ctx, cancel := context.WithTimeout(s.ctx, time.Second)
	defer cancel()
	end := s.placed.Load()
	_ = s.pool.QueryRow(ctx, selectReached).Scan(&end) // without an answer, end keeps its value
	return contract.Cursor{end}
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// untilClosing returns a context that ends when Close is called.
func (s *Store) untilClosing() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(s.ctx)
	go func() {
		select {
		case <-s.closing:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// slots limits the number of goroutines that do something at the same time.
type slots chan struct{}

func (s slots) acquire(ctx context.Context) error {
	select {
	case s <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s slots) release() { <-s }

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
