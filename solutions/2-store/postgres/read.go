package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
)

// pageSize is the number of events that a reader holds in memory. A reader holds no connection
// while the caller handles them, so a loop over events may append.
const pageSize = 1000

// ErrDamaged is wrapped by the error of a stream whose versions have a hole, or that has an event
// without a place in the feed. Constraints and triggers of the database prevent both, so a
// superuser must have removed or added events. A hole in the feed is *contract.DamagedError.
var ErrDamaged = errors.New("the log is damaged")

// noPosition is the offset of an event that is committed and not in the feed yet.
const noPosition = -1

const (
	selectByID = `select coalesce(f.position, -1), ` + eventColumns + `
		from events e left join feed f using (stream, version) where e.id = $1`

	selectStream = `select coalesce(f.position, -1), ` + eventColumns + `
		from events e left join feed f using (stream, version)
		where e.stream = $1 and e.version > $2 order by e.version limit $3`

	// One index lookup in events for each position, in the order of positions. The lateral limit
	// keeps the planner from reversing the join and reading the whole table for one page.
	selectFeed = `select f.position, ` + eventColumns + `
		from feed f cross join lateral (
			select * from events
			where events.stream = f.stream and events.version = f.version limit 1) as e
		where f.position >= $1 and f.position < $2 order by f.position limit $3`
)

// Find implements contract.Store.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	page, err := s.readPlaced(ctx, selectByID, id)
	if err == nil && len(page) == 0 {
		err = contract.ErrNotFound
	}
	if err != nil {
		return contract.Recorded{}, fmt.Errorf("find %s: %w", id, err)
	}
	return page[0], nil
}

// Stream implements contract.Store.
func (s *Store) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return s.StreamFrom(ctx, stream, 1)
}

// StreamFrom implements contract.Resumer.
func (s *Store) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		last := max(0, version-1)
		for full := true; full; {
			page, err := s.readPlaced(ctx, selectStream, stream, last, pageSize)
			if err != nil {
				yield(contract.Recorded{},
					fmt.Errorf("stream %s after version %d: %w", stream, last, err))
				return
			}
			for _, r := range page {
				if r.Version != last+1 {
					yield(
						contract.Recorded{},
						fmt.Errorf("stream %s: %w: version %d follows %d", stream, ErrDamaged,
							r.Version, last),
					)
					return
				}
				if !yield(r, nil) {
					return
				}
				last = r.Version
			}
			full = len(page) == pageSize
		}
	}
}

// readPlaced returns a page of events that have a position. The sequencer places the versions of a
// stream in order, so only the last events of a page can be without a position. readPlaced then
// sequences and reads again. Events that still have no position were committed after the call, and
// are left out. A read-only store does not sequence, and leaves them out at once. An event that
// will never have a position is an error that wraps ErrDamaged: see Strays.
func (s *Store) readPlaced(
	ctx context.Context, query string, args ...any,
) ([]contract.Recorded, error) {
	page, err := s.readPage(ctx, query, args...)
	if err != nil || placed(page) == len(page) {
		return page, err
	}
	if !s.readOnly {
		sequence := func() (int64, error) { return s.sequence(ctx) }
		if _, err := retry(ctx, s, "sequence", sequence); err != nil {
			return nil, err
		}
		if page, err = s.readPage(ctx, query, args...); err != nil {
			return nil, err
		}
	}
	n := placed(page)
	if n == len(page) {
		return page, nil
	}
	// This query has a later snapshot, in which an event that was pending may be placed.
	strays, err := s.strays(ctx, selectStraysOf, page[n].Stream, page[n].Version)
	if err == nil && len(strays) > 0 {
		err = fmt.Errorf("%w: %s", ErrDamaged, strays[0])
	}
	return page[:n], err
}

// placed returns the number of events before the first one without a position.
func placed(page []contract.Recorded) int {
	n := slices.IndexFunc(page, func(r contract.Recorded) bool {
		return r.Position.Offset == noPosition
	})
	if n < 0 {
		return len(page)
	}
	return n
}

// The queries for strays have no false answers: the sequencer moves events from pending to feed in
// one transaction, so in every snapshot an event of ours is in one of the two.
//
// The second query examines one stream from a version on. It is a text of its own, so that its plan
// reads only that part of the table.
const (
	selectStrays   = beginStrays + `true` + endStrays
	selectStraysOf = beginStrays + `e.stream = $1 and e.version >= $2` + endStrays

	beginStrays = `select 'event ' || e.id || ', version ' || e.version || ' of ' || e.stream ||
		', was put into the table of events without a place in the feed'
	from events e where `
	endStrays = `
	  and not exists (select from feed f where (f.stream, f.version) = (e.stream, e.version))
	  and not exists (
	      select from pending p, unnest(p.streams, p.lows, p.highs) as run (stream, low, high)
	      where run.stream = e.stream and e.version between low and high)
	order by e.stream, e.version limit 10`
)

// Strays describes the first events that no append of a Store can have written: they are in the
// table of events, and will never be in the feed. No reader of the feed sees them, and no append to
// their streams succeeds.
func (s *Store) Strays(ctx context.Context) ([]string, error) {
	return s.strays(ctx, selectStrays)
}

func (s *Store) strays(ctx context.Context, query string, args ...any) ([]string, error) {
	return retry(ctx, s, "look for strays", func() ([]string, error) {
		rows, err := s.pool.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, pgx.RowTo[string])
	})
}

func (s *Store) readPage(
	ctx context.Context, query string, args ...any,
) ([]contract.Recorded, error) {
	return retry(ctx, s, "read", func() ([]contract.Recorded, error) {
		rows, err := s.pool.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows,
			func(row pgx.CollectableRow) (contract.Recorded, error) { return scan(row) })
	})
}

// End implements contract.Reader. It first sequences the pending events, so that the feed up to the
// end has every event that was committed before the call. A read-only store does not sequence: its
// end is the present end of the feed.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	end := s.sequence
	if s.readOnly {
		end = s.feedEnd
	}
	next, err := retry(ctx, s, "read the end of the feed",
		func() (int64, error) { return end(ctx) })
	if err != nil {
		return nil, fmt.Errorf("end of feed: %w", err)
	}
	return contract.Cursor{next}, nil
}

const selectEnd = "select next from counter"

// feedEnd returns the position that the next event gets.
func (s *Store) feedEnd(ctx context.Context) (next int64, err error) {
	err = s.pool.QueryRow(ctx, selectEnd).Scan(&next)
	return next, err
}

// Read implements contract.Reader. Positions are dense: a missing position, or a position without
// its event, is *contract.DamagedError. A range that extends past the end of the feed ends there.
func (s *Store) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		next, err := s.readPages(ctx, from.At(0), to.At(0),
			func(r contract.Recorded) bool { return yield(r, nil) })
		if err == nil && next < to.At(0) {
			err = s.checkEnd(ctx, next)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(contract.Recorded{}, fmt.Errorf("read feed at %d: %w", next, err))
		}
	}
}

// errStopped means that the consumer of a feed stopped the iteration.
var errStopped = errors.New("stopped by the reader")

// readPages yields the events of [next, end) up to the end of the feed. It returns the position
// after the last event.
func (s *Store) readPages(ctx context.Context, next, end int64, yield func(
	contract.Recorded,
) bool) (int64, error) {
	for next < end {
		page, err := s.readPage(ctx, selectFeed, next, end, pageSize)
		if err != nil {
			return next, err
		}
		for _, r := range page {
			if r.Position.Offset != next {
				return next, missingEvent(next)
			}
			if !yield(r) {
				return next, errStopped
			}
			next++
		}
		if len(page) < pageSize {
			break
		}
	}
	return next, nil
}

// checkEnd returns an error if the feed goes on at position next: then the event there is missing.
func (s *Store) checkEnd(ctx context.Context, next int64) error {
	end, err := s.feedEnd(ctx)
	if err == nil && next < end {
		err = missingEvent(next)
	}
	return err
}

// missingEvent returns the error for a position whose event is gone.
func missingEvent(position int64) error {
	return &contract.DamagedError{
		Position: contract.Position{Offset: position},
		What:     "its event is missing",
	}
}
