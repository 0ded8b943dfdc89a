package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// SQLSTATE codes that this package tests for (PostgreSQL documentation, appendix A).
const (
	uniqueViolation  = "23505"
	lockNotAvailable = "55P03"
	deadlockDetected = "40P01"
	undefinedTable   = "42P01"
	invalidParameter = "22023" // also for a session whose role does not exist
	diskFull         = "53100"
)

// isUnique reports whether a version of a stream, or an id, is recorded already.
func isUnique(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == uniqueViolation
}

// overtaken reports whether another writer was first, or is still writing: the state that the
// decision was based on no longer holds. Nothing was written.
func overtaken(err error) bool {
	var e *pgconn.PgError
	return isUnique(err) || isLocked(err) || errors.As(err, &e) && e.Code == deadlockDetected
}

// isLocked reports whether another transaction still holds a stream or its place (lockLimit).
func isLocked(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.Code == lockNotAvailable
}

// afterStray reports whether the event before an append has no place in the feed: see Strays.
func afterStray(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && e.ConstraintName == "events_placed"
}

// invalidValue reports whether the database refuses a value (class 22), such as text that its
// encoding cannot represent (22P05).
func invalidValue(err error) bool {
	var e *pgconn.PgError
	return errors.As(err, &e) && strings.HasPrefix(e.Code, "22")
}

// noAnswer reports whether the server could not answer: the connection broke (no answer, or class
// 08), the server is shutting down (57P), or it is out of connections or memory (53). Such an error
// does not tell whether a commit took place. A full disk is excluded: the server did answer,
// nothing was written, and an operator must make room.
func noAnswer(err error) bool {
	var e *pgconn.PgError
	if !errors.As(err, &e) {
		return err != nil
	}
	return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P") ||
		strings.HasPrefix(e.Code, "53") && e.Code != diskFull
}

// defaultRetryFor is the time that a call waits for an unavailable database: long enough for a
// restart or a fail-over.
const defaultRetryFor = time.Minute

// The waits between two attempts: the first, doubled each time up to the maximum.
const (
	firstWait = 20 * time.Millisecond
	maxWait   = 500 * time.Millisecond
)

// unavailable reports whether the database could not be reached: no connection, a broken
// connection, or a server that starts or stops (noAnswer has the codes). A value that cannot be
// decoded is another error.
func unavailable(err error) bool {
	var answer *pgconn.PgError
	if errors.As(err, &answer) {
		return noAnswer(err)
	}
	var certificate *tls.CertificateVerificationError
	if errors.As(err, &certificate) {
		return false // nobody repairs it within a minute
	}
	var dialing *pgconn.ConnectError
	var network net.Error
	return pgconn.SafeToRetry(err) || errors.As(err, &dialing) || errors.As(err, &network) ||
		errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err,
		net.ErrClosed)
}

// retry repeats an idempotent query until the database answers, or until the time is up.
func retry[T any](
	ctx context.Context, s *Store, purpose string, query func() (T, error),
) (T, error) {
	w := s.waiter(ctx)
	for {
		answer, err := query()
		if err == nil {
			w.answered()
		}
		if err == nil || !unavailable(err) || !w.wait(purpose, err) {
			return answer, err
		}
	}
}

// A waiter counts the time that one call may still wait.
type waiter struct {
	s    *Store
	ctx  context.Context
	left time.Duration
	next time.Duration
}

func (s *Store) waiter(ctx context.Context) *waiter {
	return &waiter{s: s, ctx: ctx, left: s.retryFor, next: firstWait}
}

// wait pauses, and reports whether to try again: not after the time is up, or after the caller's
// context has ended. Of several waiting calls only the first logs its purpose and error.
func (w *waiter) wait(purpose string, err error) bool {
	if w.left <= 0 || w.ctx.Err() != nil || w.s.isClosing() {
		return false
	}
	if w.s.waiting.CompareAndSwap(false, true) {
		w.s.log.Warn("waiting for the database", "to", purpose, "error", err)
	}
	pause(w.ctx, w.next)
	w.left -= w.next
	w.next = min(2*w.next, maxWait)
	return w.ctx.Err() == nil
}

// answered logs that the database answers again, if any call has logged that it waits.
func (w *waiter) answered() {
	if w.s.waiting.CompareAndSwap(true, false) {
		w.s.log.Warn("the database answers again")
	}
}
