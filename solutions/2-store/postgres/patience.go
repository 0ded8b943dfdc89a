package postgres

import (
	"context"
	"errors"
	"io"
	"net"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// defaultPatience is how long a call waits for a database that is away: long enough for a restart or a fail-over, and not for ever,
// since whoever called may have something better to do.
const defaultPatience = time.Minute

// Between two questions to a database that is away, twice as long each time.
const (
	firstWait = 20 * time.Millisecond
	maxWait   = 500 * time.Millisecond
)

// away says that the database was not there to be asked: no connection, a connection that broke, or a server that starts or stops
// (see lost for the codes). A value that cannot be read is not that.
func away(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return lost(err)
	}
	var dialing *pgconn.ConnectError
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &dialing) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed)
}

// patiently asks what may be asked twice, as often as it takes for the database to be there.
func patiently[T any](ctx context.Context, s *Store, what string, ask func() (T, error)) (T, error) {
	w := s.waiter(ctx)
	for {
		answer, err := ask()
		if err == nil {
			w.done()
		}
		if err == nil || !away(err) || !w.wait(what, err) {
			return answer, err
		}
	}
}

// A waiter is the patience of one call.
type waiter struct {
	s    *Store
	ctx  context.Context
	left time.Duration
	next time.Duration
}

func (s *Store) waiter(ctx context.Context) *waiter {
	return &waiter{s: s, ctx: ctx, left: s.patience, next: firstWait}
}

// wait pauses; false means that patience has run out, or that nobody waits any longer. Of all the calls that wait, the first says for
// what, and why.
func (w *waiter) wait(what string, err error) bool {
	if w.left <= 0 || w.ctx.Err() != nil || w.s.isClosing() {
		return false
	}
	if w.s.waiting.CompareAndSwap(false, true) {
		w.s.log.Warn("waiting for the database", "to", what, "error", err)
	}
	pause(w.ctx, w.next)
	w.left -= w.next
	w.next = min(2*w.next, maxWait)
	return w.ctx.Err() == nil
}

// done says that the wait is over, be it that of another which gave up before.
func (w *waiter) done() {
	if w.s.waiting.CompareAndSwap(true, false) {
		w.s.log.Warn("the database answers again")
	}
}
