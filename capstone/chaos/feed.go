package chaos

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// A Log is an open store.
type Log interface {
	contract.Store
	Close() error
}

// A feed follows the log as a projection does: it keeps a cursor, and continues there after an
// interruption.
type feed struct {
	open    func(context.Context) (Log, error)
	history *History
	cursor  contract.Cursor
	events  atomic.Int64
}

// leg is the number of events after which the feed is closed, and opened again at the cursor.
const leg = 500

// follow reads until ctx ends. It waits for a part of the stack that is away. A damaged log is an
// error.
func (f *feed) follow(ctx context.Context) error {
	for ctx.Err() == nil {
		err := f.some(ctx)
		var damaged *contract.DamagedError
		if errors.As(err, &damaged) {
			return err
		}
		wait(ctx, breath)
	}
	return nil
}

func (f *feed) some(ctx context.Context) error {
	log, err := f.open(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	for {
		n := 0
		for e, err := range log.Follow(ctx, f.cursor) {
			if err != nil {
				return err
			}
			s := seen(e)
			f.history.add(Entry{Fed: &s})
			f.cursor = f.cursor.After(e.Position)
			f.events.Add(1)
			if n++; n == leg {
				break
			}
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

// delivered waits until the feed has given a number of events. It gives up when no event has come
// for a while; Judge reports the missing events.
func (f *feed) delivered(ctx context.Context, events int64) {
	const quiet = 30 * time.Second
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	last, moved := int64(-1), time.Now()
	for ctx.Err() == nil {
		now := f.events.Load()
		if now > last {
			last, moved = now, time.Now()
		}
		if now >= events || time.Since(moved) > quiet {
			return
		}
		<-tick.C
	}
}
