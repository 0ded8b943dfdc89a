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

// pollInterval is the safety net of followers: a wake-up that got lost costs this much delay and nothing else.
const pollInterval = time.Second

// Follow implements contract.Reader. It also ends, with ErrClosed, when the store is closed.
func (s *Store) Follow(ctx context.Context, from contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		s.listening.Do(func() { s.running.Go(s.listen) })
		next := from.At(0)
		err := s.follow(ctx, &next, func(r contract.Recorded) bool { return yield(r, nil) })
		if !errors.Is(err, errStopped) {
			yield(contract.Recorded{}, fmt.Errorf("follow feed at %d: %w", next, err))
		}
	}
}

// follow never returns without an error.
func (s *Store) follow(ctx context.Context, next *int64, yield func(contract.Recorded) bool) error {
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	for {
		moved := s.moved.wait() // taken before reading, so that what comes in between wakes us
		var err error
		*next, err = s.pages(ctx, *next, math.MaxInt64, yield)
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

// listen turns the sequencer's notifications, whichever process it runs in, into wake-ups. They only wake: what there is
// to read is in the feed, so one that is lost with a connection is made up for by the poll.
func (s *Store) listen() {
	ctx, cancel := s.untilClosing()
	defer cancel()
	for ctx.Err() == nil {
		if err := s.listenOnce(ctx); err != nil && ctx.Err() == nil {
			s.log.Warn("feed: listening again after a pause", "error", err)
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
		s.moved.broadcast()
	}
}

// A bell wakes all who wait for it at once.
type bell struct {
	mu   sync.Mutex
	rung chan struct{}
}

// wait is closed at the next broadcast.
func (b *bell) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung == nil {
		b.rung = make(chan struct{})
	}
	return b.rung
}

func (b *bell) broadcast() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.rung != nil {
		close(b.rung)
		b.rung = nil
	}
}
