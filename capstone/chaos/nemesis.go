package chaos

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A nemesis applies the faults of the seed to the writers.
type nemesis struct {
	crew      *crew
	board     *board
	number    int // its client number, for the appends to stalled processes
	seed      uint64
	plain     bool          // its appends are one event each, at any version
	hold      time.Duration // the least time that a stalled process is stopped
	interrupt func(context.Context) error
	onFault   func()
	made      int            // the number of events sent
	pending   sync.WaitGroup // restarts, and stalled processes
}

const (
	// stuck is how long no append may be acknowledged before the run is given up.
	stuck = 4 * time.Minute
	// answerTime is how long a woken process has to answer the requests that waited for it.
	answerTime = time.Minute
	// enough is the number of appends by others after which a stalled process counts as succeeded.
	enough = 20
)

// work applies the faults, and returns after all restarts and stalls have ended. After an error it
// cancels them: a writer that does not start must not hold up the report of a run that is stuck.
func (n *nemesis) work(ctx context.Context, steps []Fault) error {
	defer n.pending.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for i, f := range steps {
		if err := n.progress(ctx, f.After); err != nil {
			return fmt.Errorf("before fault %d of %d (%s): %w", i+1, len(steps), f.Blow, err)
		}
		if err := n.strike(ctx, f); err != nil {
			return fmt.Errorf("fault %d of %d: %w", i+1, len(steps), err)
		}
		n.onFault()
	}
	n.pending.Wait()
	return n.progress(ctx, enough) // the writers must survive the last fault, too
}

// progress waits until more further appends are acknowledged.
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
		n.crew.history.add(Entry{Fault: &AppliedFault{Blow: Away}})
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
	n.sendLate(w)
	n.begin(func() error {
		if f.Blow == Replace {
			return n.replace(ctx, m, w)
		}
		return n.outlast(ctx, w)
	})
	return nil
}

// begin runs task beside the next faults.
func (n *nemesis) begin(task func() error) {
	n.pending.Go(func() {
		if err := task(); err != nil {
			n.crew.fail(err)
		}
	})
}

// sendLate sends appends to a stalled process, which finds them when it wakes: one to each stream,
// half of them at any version.
func (n *nemesis) sendLate(w *writer) {
	for slot := range slots {
		stream, version := n.board.stream(slot)
		r := Request{Kind: Append, Stream: stream, Expected: version}
		if slot%2 == 0 || n.plain {
			r.Expected = contract.Any
		}
		r.IDs = []uuid.UUID{idOf(n.seed, n.number, n.made), idOf(n.seed, n.number, n.made+1)}
		if n.plain {
			r.IDs = r.IDs[:1]
		}
		n.made += len(r.IDs)
		w.ask(n.number, r)
	}
}

// outlast wakes the process after its transaction has timed out and others have appended without
// it.
func (n *nemesis) outlast(ctx context.Context, w *writer) error {
	from := n.board.acknowledged.Load()
	wait(ctx, n.hold)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	timer := time.NewTimer(2 * n.hold) // all other writers may be stalled, too
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
	return n.awaitAnswers(ctx, w)
}

// replace starts another process at the same address, on another machine, as a supervisor does when
// it believes that the first process is dead. The first process is then woken, answers its
// requests, and is killed: two processes at one address would take the partitions from each other
// for ever.
func (n *nemesis) replace(ctx context.Context, m *member, w *writer) error {
	n.crew.move(m)
	if _, err := n.crew.start(ctx, m); err != nil {
		return err
	}
	if err := w.resume(Replace); err != nil {
		return err
	}
	if err := n.awaitAnswers(ctx, w); err != nil {
		return err
	}
	return w.kill(Kill)
}

// awaitAnswers waits until the process has answered all requests that it got while it was stopped.
func (n *nemesis) awaitAnswers(ctx context.Context, w *writer) error {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for _, answered := range w.open() {
		select {
		case <-answered:
		case <-w.gone:
			return nil // it was killed meanwhile
		case <-ctx.Done():
			return nil // Judge reports the missing answer
		}
	}
	return nil
}
