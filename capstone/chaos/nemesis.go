package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A nemesis does to the writers what the seed says.
type nemesis struct {
	crew      *crew
	board     *board
	number    int // as a client, of the late appends
	seed      uint64
	hold      time.Duration // how long a stalled process stands still, at the least
	interrupt func(context.Context) error
	struck    func()
	made      int
	underway  sync.WaitGroup // restarts, and processes that stand still
}

const (
	// stuck is how long nothing may be acknowledged before the run is given up.
	stuck = 4 * time.Minute
	// settling is how long a process that was woken has to answer what it was asked meanwhile.
	settling = time.Minute
	// enough is how many appends others have to get through before a stalled process is taken to have been succeeded.
	enough = 20
)

func (n *nemesis) work(ctx context.Context, steps []Fault) error {
	defer n.underway.Wait()
	for i, f := range steps {
		if err := n.progress(ctx, f.After); err != nil {
			return fmt.Errorf("before fault %d of %d (%s): %w", i+1, len(steps), f.Blow, err)
		}
		if err := n.strike(ctx, f); err != nil {
			return fmt.Errorf("fault %d of %d: %w", i+1, len(steps), err)
		}
		n.struck()
	}
	n.underway.Wait()
	return n.progress(ctx, enough) // the last blow is survived too
}

// progress waits until that many more appends are acknowledged.
func (n *nemesis) progress(ctx context.Context, more int64) error {
	want := n.board.acknowledged.Load() + more
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	last, moved := int64(-1), time.Now()
	for {
		now := n.board.acknowledged.Load()
		if now >= want {
			return nil
		}
		if now > last {
			last, moved = now, time.Now()
		}
		if time.Since(moved) > stuck {
			return fmt.Errorf("%w for %v", errStuck, stuck)
		}
		if _, _, _, err := n.crew.look(true); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func (n *nemesis) strike(ctx context.Context, f Fault) error {
	if f.Blow == Away {
		n.crew.history.add(Entry{Fault: &Struck{Blow: Away}})
		return n.interrupt(ctx)
	}
	m, w, err := n.crew.some(ctx, "", f.Victim)
	if err != nil {
		return err
	}
	if f.Blow == Kill {
		n.crew.place(m, nil)
		if err := w.kill(Kill); err != nil {
			return err
		}
		n.begin(func() error { _, err := n.crew.start(ctx, m); return err })
		return nil
	}
	if err := w.pause(f.Blow); err != nil {
		return err
	}
	n.late(w)
	n.begin(func() error {
		if f.Blow == Replace {
			return n.replace(ctx, m, w)
		}
		return n.outlast(ctx, w)
	})
	return nil
}

// begin does something beside the next faults.
func (n *nemesis) begin(something func() error) {
	n.underway.Go(func() {
		if err := something(); err != nil {
			n.crew.fail(err)
		}
	})
}

// late sends a process that stands still what it will find when it wakes: an append to each stream, half of them wherever that is.
func (n *nemesis) late(w *writer) {
	for slot := range slots {
		stream, version := n.board.stream(slot)
		r := Request{Kind: Append, Stream: stream, Expected: version}
		if slot%2 == 0 {
			r.Expected = contract.Any
		}
		r.IDs = []uuid.UUID{idOf(n.seed, n.number, n.made), idOf(n.seed, n.number, n.made+1)}
		n.made += len(r.IDs)
		w.ask(n.number, r)
	}
}

// outlast wakes the process when its transaction has timed out and others have gone on without it.
func (n *nemesis) outlast(ctx context.Context, w *writer) error {
	from := n.board.acknowledged.Load()
	wait(ctx, n.hold)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timer := time.NewTimer(2 * n.hold) // all others may stand still too
	defer timer.Stop()
	for over := false; !over && n.board.acknowledged.Load() < from+enough; {
		select {
		case <-tick.C:
		case <-timer.C:
			over = true
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if err := w.resume(Stall); err != nil {
		return err
	}
	return n.settled(ctx, w)
}

// replace starts another process at the same address, on another machine, as a supervisor does that takes the first for dead. That one is woken, answers
// what it can, and is killed: two under one address would take the place from each other without end.
func (n *nemesis) replace(ctx context.Context, m *member, w *writer) error {
	n.crew.move(m)
	if _, err := n.crew.start(ctx, m); err != nil {
		return err
	}
	if err := w.resume(Replace); err != nil {
		return err
	}
	if err := n.settled(ctx, w); err != nil {
		return err
	}
	return w.kill(Kill)
}

// settled waits until the process has answered all that it was asked while it stood still.
func (n *nemesis) settled(ctx context.Context, w *writer) error {
	ctx, cancel := context.WithTimeout(ctx, settling)
	defer cancel()
	open := w.open()
	for _, answered := range open {
		select {
		case <-answered:
		case <-w.gone:
			return nil // it was killed meanwhile
		case <-ctx.Done():
			return nil // Judge says so
		}
	}
	return nil
}
