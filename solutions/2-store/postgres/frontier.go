package postgres

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How Frontier finds the appends in flight, of this process and of others.
//
// Every append first announces itself: it takes a shared advisory lock whose key is the present
// second of its clock, and holds it until its transaction ends. AFTER that it reads its clock
// again. This second reading is its recorded_at; if the clock was set back in between, recorded_at
// is the announced time.
//
// Frontier reads the clock first and the locks AFTER that. An append whose lock is visible gets the
// second of the lock or a later time. An append whose lock is not visible yet reads its clock after
// Frontier did. Nothing waits: the locks are shared, and Frontier only lists them.
//
// A clock that is set back does not break an announced frontier. Frontier promises its answer
// BEFORE it lists the locks, and every recorded_at is after the promise. An append whose lock was
// not visible reads its clock after the promise, so it keeps to it. This holds within one process.
// The clock of another process must be right within Options.Skew, also after it was set.
//
// CommitFrontier announces a frontier that holds for every process, whatever its clock says later.
// It commits the frontier to a row BEFORE it lists the locks. An append reads the row AFTER its
// lock is visible, and gets a later time. So an append that did not see the row has a visible lock,
// and holds the frontier back.
//
// The frontier is bounded: an append in flight holds it back to the second in which the append
// began, and the server ends a session that stalls inside a transaction after idleLimit. With no
// append in flight, the frontier follows the clock.

const (
	announce = `select pg_advisory_xact_lock_shared(hashtext('blotter/append/' || $1), $2)`
	inFlight = `select min(objid::bigint) from pg_locks where locktype = 'advisory' and objsubid = 2
		and classid = hashtext('blotter/append/' || $1)::oid
		and database = (select oid from pg_database where datname = current_database())`
	unsequenced  = `select min(earliest) from pending`
	lastRecorded = `select latest from counter`

	selectFrontier = `select until from frontier`
	commitFrontier = `select commit_frontier($1)`
)

// A promise is the time up to which this process will record nothing more.
type promise struct {
	mu    sync.Mutex
	until time.Time
}

func (p *promise) extend(until time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until = until
	}
}

// keep returns the clock's time, or the first time after the promise if that is later.
func (p *promise) keep(clock time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.until.Add(time.Microsecond); !p.until.IsZero() && clock.Before(first) {
		return first
	}
	return clock
}

// now returns the time of the clock, but no time before the first one after the promise. It returns
// the zero time if the clock returns the zero time.
func (s *Store) now(ctx context.Context) time.Time {
	if clock := s.clock(ctx); !clock.IsZero() {
		return s.promised.keep(clock)
	}
	return time.Time{}
}

// earliest returns the second that a group announces: the seconds since 1970 as the unsigned 32
// bits of a lock's key.
func (s *Store) earliest(group []*appendCall) int32 {
	first := int64(math.MaxUint32)
	for _, a := range group {
		a.announced = s.now(a.ctx)
		first = min(first, a.announced.Unix())
	}
	return int32(uint32(max(first, 0)))
}

// stamp returns the recorded_at of an announced append: the time of the clock, but not before the
// announced time. Both are zero if the clock gives no time.
func (s *Store) stamp(a *appendCall) time.Time {
	if clock := s.now(a.ctx); clock.After(a.announced) {
		return clock
	}
	return a.announced
}

// Frontier implements contract.Reader. It is the time of the clock minus Options.Skew, or earlier
// if an append is in flight. An event that is committed and not in the feed yet counts as in
// flight. If the clock gives no time (contract.SimulatedClock outside an import), the frontier is
// the latest recorded_at in the feed.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	next := s.earliestNext(ctx)
	s.promised.extend(next.Add(-time.Microsecond))
	return s.frontier(ctx, next)
}

// CommitFrontier implements contract.SealableLog. A crash after the commit leaves a frontier that
// every later append keeps. A read-only store returns the frontier on record. The frontier of a
// simulated log is zero, which no append keeps.
func (s *Store) CommitFrontier(ctx context.Context) (time.Time, error) {
	query, args := selectFrontier, []any(nil)
	switch {
	case s.readOnly:
	case s.timeline.Simulated:
		query, args = commitFrontier, []any{time.Time{}}
	default:
		next := s.earliestNext(ctx)
		s.promised.extend(next.Add(-time.Microsecond))
		query, args = commitFrontier, []any{next.Add(-time.Microsecond)}
	}
	var until *time.Time
	err := s.pool.QueryRow(ctx, query, args...).Scan(&until)
	if err != nil || value(until).IsZero() || s.readOnly {
		return value(until), err
	}
	return s.frontier(ctx, until.Add(time.Microsecond))
}

// Committed returns the frontier on record, without committing one, and reports whether there is
// one. In a simulated log it is zero.
func (s *Store) Committed(ctx context.Context) (at time.Time, begun bool, err error) {
	var until *time.Time
	err = s.pool.QueryRow(ctx, selectFrontier).Scan(&until)
	return value(until), until != nil, err
}

// value returns the time, or zero for none.
func value(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return t.UTC()
}

// frontier returns the time before next, or an earlier time if an append is in flight.
func (s *Store) frontier(ctx context.Context, next time.Time) (time.Time, error) {
	if !s.readOnly {
		if _, err := s.sequence(ctx); err != nil {
			return time.Time{}, fmt.Errorf("frontier: %w", err)
		}
	}
	// The locks are read BEFORE pending: an append that commits in between is in at least one of
	// them.
	var second *int64
	var waiting, latest *time.Time
	var batch pgx.Batch
	batch.Queue(inFlight, s.schema).QueryRow(func(row pgx.Row) error { return row.Scan(&second) })
	batch.Queue(unsequenced).QueryRow(func(row pgx.Row) error { return row.Scan(&waiting) })
	batch.Queue(lastRecorded).QueryRow(func(row pgx.Row) error { return row.Scan(&latest) })
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return time.Time{}, fmt.Errorf("frontier: %w", err)
	}
	return s.frontierBefore(next, second, waiting, latest), nil
}

// earliestNext returns the earliest time that an append can get which has not announced itself yet,
// in any process. The skew is subtracted from the clock only: a promise has it subtracted already.
func (s *Store) earliestNext(ctx context.Context) time.Time {
	if clock := s.clock(ctx); !clock.IsZero() {
		return s.promised.keep(clock.Add(-s.skew))
	}
	return time.Time{}
}

// frontierBefore returns the last microsecond before any event that may still become visible. next
// is the earliest time of appends that have not announced themselves, second that of announced
// appends, waiting that of pending events, and latest the last recorded_at in the feed.
func (s *Store) frontierBefore(
	next time.Time, second *int64, waiting, latest *time.Time,
) time.Time {
	if next.IsZero() && latest != nil {
		next = latest.Add(time.Microsecond)
	}
	if second != nil {
		if begun := time.Unix(*second, 0).Add(-s.skew); begun.Before(next) {
			next = begun
		}
	}
	if waiting != nil && waiting.Before(next) {
		next = *waiting
	}
	return next.Add(-time.Microsecond).UTC().Truncate(time.Microsecond)
}
