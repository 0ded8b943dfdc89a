package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
)

// pageSize is how many events a reader holds at once. No connection is held while the caller works on them, so a loop over
// events may append.
const pageSize = 1000

// ErrDamaged is wrapped by the error of a stream whose versions have a hole. The database's rules do not allow one, so somebody
// went around them. In the feed a hole is *contract.DamagedError.
var ErrDamaged = errors.New("the log is damaged")

// unplaced is the offset of an event that is committed and not in the feed yet.
const unplaced = -1

const (
	selectByID = `select coalesce(f.position, -1), ` + eventColumns + `
		from events e left join feed f using (stream, version) where e.id = $1`

	selectStream = `select coalesce(f.position, -1), ` + eventColumns + `
		from events e left join feed f using (stream, version)
		where e.stream = $1 and e.version > $2 order by e.version limit $3`

	// One look into events per place, in the order of places: the lateral limit keeps the planner from turning the join
	// around and reading the whole table for a page.
	selectFeed = `select f.position, ` + eventColumns + `
		from feed f cross join lateral (
			select * from events where events.stream = f.stream and events.version = f.version limit 1) as e
		where f.position >= $1 and f.position < $2 order by f.position limit $3`
)

// Find implements contract.Store.
func (s *Store) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	page, err := s.placed(ctx, selectByID, id)
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
	return func(yield func(contract.Recorded, error) bool) {
		last := int64(0)
		for full := true; full; {
			page, err := s.placed(ctx, selectStream, stream, last, pageSize)
			if err != nil {
				yield(contract.Recorded{}, fmt.Errorf("stream %s after version %d: %w", stream, last, err))
				return
			}
			for _, r := range page {
				if r.Version != last+1 {
					yield(contract.Recorded{}, fmt.Errorf("stream %s: %w: version %d follows %d", stream, ErrDamaged, r.Version, last))
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

// placed is a page of events that have their position. Versions of a stream are placed in order, so only the last ones of
// a page can be without; they are then placed at once, and read again. What is without even then was committed
// after the call, and left out. A store opened read-only leaves them out right away.
func (s *Store) placed(ctx context.Context, query string, args ...any) ([]contract.Recorded, error) {
	page, err := s.page(ctx, query, args...)
	if err != nil || !endsUnplaced(page) {
		return page, err
	}
	if !s.readOnly {
		if _, err := patiently(ctx, s, "sequence", func() (int64, error) { return s.sequence(ctx) }); err != nil {
			return nil, err
		}
		if page, err = s.page(ctx, query, args...); err != nil {
			return nil, err
		}
	}
	for endsUnplaced(page) {
		page = page[:len(page)-1]
	}
	return page, nil
}

func endsUnplaced(page []contract.Recorded) bool {
	return len(page) > 0 && page[len(page)-1].Position.Offset == unplaced
}

func (s *Store) page(ctx context.Context, query string, args ...any) ([]contract.Recorded, error) {
	return patiently(ctx, s, "read", func() ([]contract.Recorded, error) {
		rows, err := s.pool.Query(ctx, query, args...)
		if err != nil {
			return nil, err
		}
		return pgx.CollectRows(rows, func(row pgx.CollectableRow) (contract.Recorded, error) { return scan(row) })
	})
}

// End implements contract.Reader. It has what is pending sequenced first, so that the feed up to here has everything that
// was committed before the call. A store opened read-only changes nothing: its end is that of the feed as it stands.
func (s *Store) End(ctx context.Context) (contract.Cursor, error) {
	end := s.sequence
	if s.readOnly {
		end = s.feedEnd
	}
	next, err := patiently(ctx, s, "read the end of the feed", func() (int64, error) { return end(ctx) })
	if err != nil {
		return nil, fmt.Errorf("end of feed: %w", err)
	}
	return contract.Cursor{next}, nil
}

const selectEnd = "select next from counter"

// feedEnd is the first position that nothing has.
func (s *Store) feedEnd(ctx context.Context) (next int64, err error) {
	err = s.pool.QueryRow(ctx, selectEnd).Scan(&next)
	return next, err
}

// Read implements contract.Reader. Positions are dense: a hole, or a place without its event, is damage and said so. A
// range that reaches beyond the end of the feed ends there.
func (s *Store) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		next, err := s.pages(ctx, from.At(0), to.At(0), func(r contract.Recorded) bool { return yield(r, nil) })
		if err == nil && next < to.At(0) {
			err = s.ended(ctx, next)
		}
		if err != nil && !errors.Is(err, errStopped) {
			yield(contract.Recorded{}, fmt.Errorf("read feed at %d: %w", next, err))
		}
	}
}

// errStopped says that the consumer of a feed wants no more.
var errStopped = errors.New("stopped by the reader")

// pages gives the events of [next, end) as far as there are any, and the position behind the last one.
func (s *Store) pages(ctx context.Context, next, end int64, yield func(contract.Recorded) bool) (int64, error) {
	for next < end {
		page, err := s.page(ctx, selectFeed, next, end, pageSize)
		if err != nil {
			return next, err
		}
		for _, r := range page {
			if r.Position.Offset != next {
				return next, missing(next)
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

// ended says whether the feed rightly has nothing at next.
func (s *Store) ended(ctx context.Context, next int64) error {
	end, err := s.feedEnd(ctx)
	if err == nil && next < end {
		err = missing(next)
	}
	return err
}

// missing is a hole in the feed: a position that was given, and the event is not there.
func missing(position int64) error {
	return &contract.DamagedError{Position: contract.Position{Offset: position}, What: "no event is there any more"}
}
