package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
)

// orphanInterval is how often a process looks for events that were committed by one that died before it had them
// sequenced. It bounds how late such events come; its own appends a process has sequenced at once.
const orphanInterval = 500 * time.Millisecond

// passInterval is how long a process waits from one pass to the next. The first event after a silence is sequenced at
// once; under load, one pass takes what has come since the last.
const passInterval = 20 * time.Millisecond

// runSequencer has pending events put into the feed. Every process runs one; the lock of the counter row lets one at a time
// pass, and whoever comes second finds nothing left to do.
func (s *Store) runSequencer() {
	tick := time.NewTicker(orphanInterval)
	defer tick.Stop()
	failing := false
	for {
		select {
		case <-s.appended:
		case <-tick.C:
		case <-s.groupsDone:
			// The last pass of a store that closes; if it fails, another process or the next start does it.
			s.trySequence(failing)
			return
		}
		failing = !s.trySequence(failing)
		pause(s.ctx, passInterval)
	}
}

// trySequence says whether it worked. Of failures in a row the first is told.
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

// sequence gives every pending event that is committed now its position, and returns the end of the feed. See the
// function in the first migration. Both statements are one transaction.
func (s *Store) sequence(ctx context.Context) (next int64, err error) {
	var placed int64
	var batch pgx.Batch
	batch.Queue("select sequence_pending()").QueryRow(func(row pgx.Row) error { return row.Scan(&placed) })
	batch.Queue(selectEnd).QueryRow(func(row pgx.Row) error { return row.Scan(&next) })
	if err := s.pool.SendBatch(ctx, &batch).Close(); err != nil {
		return 0, fmt.Errorf("sequence: %w", err)
	}
	if placed > 0 {
		s.moved.broadcast()
	}
	return next, nil
}

func (s *Store) wakeSequencer() {
	select {
	case s.appended <- struct{}{}:
	default: // it is awake, and will look again
	}
}
