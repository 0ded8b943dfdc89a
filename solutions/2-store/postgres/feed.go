package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
)

// orphanInterval is the interval at which a process looks for pending events of processes that died
// before they sequenced them. It bounds the delay of such events. A process sequences its own
// appends at once.
const orphanInterval = 500 * time.Millisecond

// passInterval is the pause between two passes. The first event after a pause is sequenced at once.
// Under load, one pass takes all events since the last pass.
const passInterval = 20 * time.Millisecond

// runSequencer moves pending events into the feed. Every process runs one. The lock of the counter
// row lets one of them work at a time; the others then find nothing pending.
func (s *Store) runSequencer() {
	tick := time.NewTicker(orphanInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-s.appended:
		case <-tick.C:
		case <-s.groupsDone:
			// The last pass before Close returns. If it fails, another process or the next start
			// sequences.
			s.trySequence(failing)
			return
		}
		failing = !s.trySequence(failing)
		pause(s.ctx, passInterval)
	}
}

// trySequence sequences, and reports whether that succeeded. It logs only the first of several
// failures in a row.
func (s *Store) trySequence(failing bool) bool {
	_, err := s.sequence(s.ctx)
	if err != nil && !failing && s.ctx.Err() == nil {
		s.log.Warn("sequencer: will try again", "error", err)
	}
	if err == nil && failing {
		s.log.Warn("sequencer: works again")
	}
	return err == nil
}

// sequence gives a position to every pending event that is committed now, and returns the end of
// the feed. Both statements are one transaction. See the function in the first migration.
func (s *Store) sequence(ctx context.Context) (next int64, err error) {
	var placed int64
	var batch pgx.Batch
	batch.Queue("select sequence_pending()").
		QueryRow(func(row pgx.Row) error { return row.Scan(&placed) })
	batch.Queue(selectEnd).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return 0, fmt.Errorf("sequence: %w", err)
	}
	for last := s.placed.Load(); last < next; last = s.placed.Load() {
		s.placed.CompareAndSwap(last, next)
	}
	if placed > 0 {
		s.moved.send()
	}
	return next, nil
}

func (s *Store) wakeSequencer() {
	select {
	case s.appended <- struct{}{}:
	default: // it is already due to look
	}
}

// pollInterval is the interval at which followers poll. A lost notification delays them by no more.
const pollInterval = time.Second

// Follow implements contract.Reader. It also ends when the store is closed, with ErrClosed.
func (s *Store) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		s.listening.Do(func() { s.running.Go(s.listen) })
		next := from.At(0)
		err := s.follow(ctx, &next, func(r contract.Recorded) bool { return yield(r, nil) })
		if !errors.Is(err, errStopped) {
			yield(contract.Recorded{}, fmt.Errorf("follow feed at %d: %w", next, err))
		}
	}
}

// follow yields events until it fails. It always returns an error.
func (s *Store) follow(ctx context.Context, next *int64, yield func(contract.Recorded) bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		moved := s.moved.wait() // BEFORE the read: later events wake us
		var err error
		*next, err = s.readPages(ctx, *next, math.MaxInt64, yield)
		switch {
		case errors.Is(err, errStopped):
			return err
		case ctx.Err() != nil:
			return ctx.Err()
		case err != nil:
			return err
		}
		select {
		case <-moved:
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-s.closing:
			return ErrClosed
		}
	}
}

// listen wakes followers on each notification of a sequencer, of any process. A notification
// carries no events, so if one is lost with a connection, the next poll replaces it.
func (s *Store) listen() {
	ctx, cancel := s.untilClosing()
	defer cancel()
	for ctx.Err() == nil {
		if err := s.listenOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("feed: will listen again after a pause", "error", err)
			pause(ctx, pollInterval)
		}
	}
}

func (s *Store) listenOnce(ctx context.Context) error {
	conn, err := pgx.ConnectConfig(ctx, s.pool.Config().ConnConfig)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	if _, err := conn.Exec(ctx, "listen "+quoted(s.schema)); err != nil {
		return err
	}
	for {
		if _, err := conn.WaitForNotification(ctx); err != nil {
			return err
		}
		s.moved.send()
	}
}

// A signal wakes all goroutines that wait for it.
type signal struct {
	mu   sync.Mutex
	next chan struct{}
}

// wait returns a channel that the next send closes.
func (g *signal) wait() <-chan struct{} {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next == nil {
		g.next = make(chan struct{})
	}
	return g.next
}

func (g *signal) send() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.next != nil {
		close(g.next)
		g.next = nil
	}
}
