// Package postgres is the store on Postgres.
//
// A log is one schema of four tables (migrations), owned by a role that nobody works as:
//
//	events   what was recorded, insert-only; unique (stream, version) and unique id decide every race; a trigger holds
//	         versions dense, and lets nothing in behind an event that ends its stream
//	pending  what is recorded and has no position yet
//	feed     position, stream, version: the order in which every reader sees the events
//	counter  one row: the next position; its lock is the sequencer's
//
// Words used here with one meaning each. Appended: in events and pending, committed, acknowledged. Sequenced (or placed): moved
// from pending to feed, by one transaction at a time. An event is appended BEFORE it is sequenced, and readers see it only
// after.
//
// Why two steps. A number drawn inside the appending transaction becomes visible in another order than it was drawn, and a
// reader that polls "number > n" skips the ones that commit late. Here a number is drawn for what is committed
// already, under a lock, so positions become visible in order. And no transaction id is compared with any other, so an old
// transaction elsewhere holds nothing up, and a dump that is restored into another cluster keeps its positions.
//
// What a failure leaves, for each write:
//
//	append, did not land      nothing; the caller gets an error, or its retry writes
//	append, landed, not told  the events; the ids are looked up again, and the caller gets its receipts
//	append, landed, then dies the events, pending; any other process sequences them within orphanInterval, else the next start
//	sequencing, did not land  the events stay pending; the next pass takes them
//	sequencing, landed        their places, for ever; nobody has to be told
//
// The application works as a role that owns nothing: SELECT on all of it, INSERT into events, and the right to ask for
// sequencing (a function of the owner's without arguments). Everything else the database refuses it.
package postgres

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
)

// Errors of a Store beyond those of the contract.
var (
	ErrReadOnly = errors.New("the store was opened read-only")
	ErrClosed   = errors.New("the store is closed")
)

// Options say which log to open, and how.
type Options struct {
	// DSN signs in as the owner of the log, who makes and migrates it. The store itself then works as the application's
	// role, which these sessions take on.
	DSN string
	// AppDSN, if given, is what the store itself signs in with: a login that is a member of the application's role (its
	// name is the schema's with _app behind it) and so cannot become the owner. Without DSN nothing is migrated.
	AppDSN string
	// Schema holds the log and nothing else; "blotter" if empty. At most 59 bytes.
	Schema string
	// Clock gives the time to record; required.
	Clock contract.Clock
	// Skew is how far the clocks of the processes that write this log may differ, also when one is set. The frontier stays behind by
	// it.
	Skew time.Duration
	// ReadOnly opens a log as it stands and changes nothing in it: no migration, no append, no sequencing. What is appended
	// and not sequenced is not seen.
	ReadOnly bool
	// Patience is how long a call waits for a database that is away, saying so in Log; 0 means a minute.
	Patience time.Duration
	// Log takes what happens in the background; nil for nowhere.
	Log *slog.Logger

	dial pgconn.DialFunc // for tests that break connections
}

// Store is a log in Postgres. It is safe for concurrent use, by any number of processes.
type Store struct {
	schema   string
	clock    contract.Clock
	skew     time.Duration
	promised promise
	readOnly bool
	patience time.Duration
	waiting  atomic.Bool // some call waits for the database, and has said so
	log      *slog.Logger
	pool     *pgxpool.Pool // works as the application's role

	queue      chan *appending // to the group commit
	alone      sync.WaitGroup  // appends that are tried outside their group
	aloneSlots slots           // how many of those at once

	appended   chan struct{} // wakes the sequencer
	moved      bell          // rings when the feed has grown
	listening  sync.Once     // a Follow has started listen
	groupsDone chan struct{} // closed when no append is under way any more

	ctx     context.Context // ends when the store is closed and nothing runs any more
	cancel  context.CancelFunc
	closing chan struct{}
	close   sync.Once
	running sync.WaitGroup
}

var _ contract.Store = (*Store)(nil)

// maxAlone leaves other connections of the pool free however many appends are stuck behind a transaction that does not end.
const (
	maxAlone = 4
	minConns = 8
)

// Open opens the log, and makes or migrates it first if DSN is given and ReadOnly is not. Close it.
func Open(ctx context.Context, opt Options) (*Store, error) {
	if opt.Schema == "" {
		opt.Schema = "blotter"
	}
	if opt.Log == nil {
		opt.Log = slog.New(slog.DiscardHandler)
	}
	if opt.Patience == 0 {
		opt.Patience = defaultPatience
	}
	if err := opt.check(); err != nil {
		return nil, fmt.Errorf("open postgres store: %w", err)
	}
	if opt.DSN != "" && !opt.ReadOnly {
		owner, err := pgxpool.ParseConfig(opt.DSN) // and not pgx.ParseConfig: it may carry settings of a pool
		if err != nil {
			return nil, fmt.Errorf("open postgres store: %w", err)
		}
		if err := migrate(ctx, owner.ConnConfig, opt.Schema); err != nil {
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
		return errors.New("neither DSN nor AppDSN is given")
	case opt.Clock == nil:
		return errors.New("no clock is given")
	case len(roleOf(opt.Schema)) > 63: // PostgreSQL documentation, 4.1.1
		return fmt.Errorf("schema name %q is too long", opt.Schema)
	case strings.ContainsAny(opt.Schema, "'\"\x00"):
		return fmt.Errorf("schema name %q has a quote in it", opt.Schema)
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
		schema: opt.Schema, clock: opt.Clock, skew: opt.Skew, readOnly: opt.ReadOnly, patience: opt.Patience, log: opt.Log, pool: pool,
		queue: make(chan *appending), aloneSlots: make(slots, maxAlone),
		appended: make(chan struct{}, 1), groupsDone: make(chan struct{}), closing: make(chan struct{}),
	}
	if err := s.migrated(ctx); err != nil {
		pool.Close()
		return nil, err
	}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	if !s.readOnly {
		s.running.Go(s.commitGroups)
		s.running.Go(s.runSequencer)
	}
	return s, nil
}

const (
	// idleLimit is when the server ends a session of ours that stays silent inside a transaction, as that of a
	// stopped process does. Until then such a session may hold one stream and the frontier.
	idleLimit = 10 * time.Second
	// lockLimit is when an append stops waiting for another transaction, to see whether its group can go on without it.
	lockLimit = 200 * time.Millisecond
)

// pool is how the store's sessions are set up. What correctness rests on is stated here, so that no default of the server, the
// database or the role can weaken it.
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
	if opt.dial != nil {
		config.ConnConfig.DialFunc = opt.dial
	}
	settings := config.ConnConfig.RuntimeParams
	settings["role"] = roleOf(opt.Schema)
	settings["search_path"] = quoted(opt.Schema) + ", pg_temp"
	settings["synchronous_commit"] = "on"
	settings["default_transaction_isolation"] = "read committed"
	settings["lock_timeout"] = fmt.Sprint(lockLimit.Milliseconds())
	settings["idle_in_transaction_session_timeout"] = fmt.Sprint(idleLimit.Milliseconds())
	settings["application_name"] = "blotter"
	// Every query here is a few looks by index, however many rows there are, and one plan is right for all. A plan made while
	// the tables were small would read them whole, and a session keeps its plans.
	settings["enable_seqscan"], settings["enable_hashjoin"], settings["enable_mergejoin"] = "off", "off", "off"
	settings["jit"] = "off" // nothing here runs long enough to earn the compilation
	settings["plan_cache_mode"] = "force_generic_plan"
	if opt.ReadOnly {
		settings["default_transaction_read_only"] = "on"
	}
	return config, nil
}

// Close waits for the appends under way, has them sequenced, and releases everything. It is safe to call twice.
func (s *Store) Close() error {
	s.close.Do(func() {
		close(s.closing)
		s.running.Wait()
		s.cancel()
		s.pool.Close()
	})
	return nil
}

func (s *Store) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// untilClosing is a context that ends as soon as Close is called.
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

// slots limits how many do something at once.
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
