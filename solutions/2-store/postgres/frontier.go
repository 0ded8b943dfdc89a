package postgres

import (
	"context"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
)

// How Frontier knows what is under way in other processes.
//
// Every append first announces itself: it takes a shared advisory lock whose key is the second that its clock then showed,
// and keeps it until its transaction ends, however it ends. It reads its clock again after that, and stamps with that
// reading; or with the announced time, where the clock was set back in between. Whoever asks for the frontier reads the
// clock first and looks at the locks after. An append whose lock is to be seen is stamped at its second or later; one whose
// lock is not yet to be seen reads its clock later than we did. Nobody waits for anybody: the locks are shared, and are
// only looked at.
//
// A clock that is set back does not unsay it: what Frontier may tell is promised BEFORE the locks are looked at, and stamps stay
// behind what was promised. So an append whose lock was not to be seen reads its clock after the promise, and stays behind it. That
// holds within one process. Another's clock must be right within Options.Skew, also after it was set.
//
// The bound: an append under way holds the frontier back to the second in which it began; a process that stalls inside a
// transaction is cut off by the server after idleLimit. Nothing at all under way, the frontier is the clock.

const (
	announce     = `select pg_advisory_xact_lock_shared(hashtext('blotter/append/' || $1), $2)`
	underWay     = `select min(objid::bigint) from pg_locks where locktype = 'advisory' and objsubid = 2 and classid = hashtext('blotter/append/' || $1)::oid and database = (select oid from pg_database where datname = current_database())`
	unsequenced  = `select min(earliest) from pending`
	lastRecorded = `select latest from counter`
)

// A promise is up to when this process said that it will record nothing more.
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

// keep is the time that counts where the clock gives that one: never at or before what was promised.
func (p *promise) keep(clock time.Time) time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	if first := p.until.Add(time.Microsecond); !p.until.IsZero() && clock.Before(first) {
		return first
	}
	return clock
}

// now is the clock, held to what was promised. Where the clock gives nothing, nothing is promised.
func (s *Store) now(ctx context.Context) time.Time {
	if clock := s.clock(ctx); !clock.IsZero() {
		return s.promised.keep(clock)
	}
	return time.Time{}
}

// earliest is the second that a group announces: since 1970, unsigned, as the 32 bits of a lock's key.
func (s *Store) earliest(group []*appending) int32 {
	first := int64(math.MaxUint32)
	for _, a := range group {
		a.announced = s.now(a.ctx)
		first = min(first, a.announced.Unix())
	}
	return int32(uint32(max(first, 0)))
}

// stamp is the time to record an append with that is announced: the clock, but never before what was announced. Where the clock gives
// nothing, both are nothing.
func (s *Store) stamp(a *appending) time.Time {
	if clock := s.now(a.ctx); clock.After(a.announced) {
		return clock
	}
	return a.announced
}

// Frontier implements contract.Reader: by the clock, less Options.Skew, less what is under way. What is committed but not
// in the feed yet counts as under way. Where the clock gives nothing (contract.SimulatedClock outside an
// import) it is the latest recorded_at in the feed.
func (s *Store) Frontier(ctx context.Context) (time.Time, error) {
	next := s.next(ctx)
	s.promised.extend(next.Add(-time.Microsecond))
	if !s.readOnly {
		if _, err := s.sequence(ctx); err != nil {
			return time.Time{}, fmt.Errorf("frontier: %w", err)
		}
	}
	// The locks are looked at before pending: an append that ends in between is seen at least once.
	var second *int64
	var waiting, latest *time.Time
	var batch pgx.Batch
	batch.Queue(underWay, s.schema).QueryRow(func(row pgx.Row) error { return row.Scan(&second) })
	batch.Queue(unsequenced).QueryRow(func(row pgx.Row) error { return row.Scan(&waiting) })
	batch.Queue(lastRecorded).QueryRow(func(row pgx.Row) error { return row.Scan(&latest) })
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return time.Time{}, fmt.Errorf("frontier: %w", err)
	}
	return s.settled(next, second, waiting, latest), nil
}

// next is the earliest that an append which has yet to announce itself may be stamped with, in any process. Skew comes off the clock
// alone: in a promise it is off already.
func (s *Store) next(ctx context.Context) time.Time {
	if clock := s.clock(ctx); !clock.IsZero() {
		return s.promised.keep(clock.Add(-s.skew))
	}
	return time.Time{}
}

// settled is the last microsecond before anything that may still come, where next is the earliest that has yet to begin.
func (s *Store) settled(next time.Time, second *int64, waiting, latest *time.Time) time.Time {
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
