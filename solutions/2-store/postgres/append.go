package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"runtime"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// appending is one call of Append that waits for its outcome.
type appending struct {
	ctx       context.Context // the caller's: its deadline, and the time that a simulated clock reads
	stream    string
	expected  int64
	events    []contract.Event
	digests   [][sha256.Size]byte // of the events; see prepare
	announced time.Time           // by the latest attempt; see Frontier
	done      chan outcome        // takes one
}

// prepare computes what an attempt needs of the events alone. An attempt does it while it waits for the server, the first that gets to it.
func (a *appending) prepare() {
	for _, e := range a.events[len(a.digests):] {
		a.digests = append(a.digests, e.ContentDigest())
	}
}

type outcome struct {
	receipts []contract.Receipt
	err      error
}

// Append implements contract.Store. A caller whose context ends while its append is under way gets the context's error:
// the append may still go in, and the same call again tells.
func (s *Store) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.readOnly {
		return nil, fmt.Errorf("append to %s: %w", stream, ErrReadOnly)
	}
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	a := &appending{ctx: ctx, stream: stream, expected: expected, events: owned(events), done: make(chan outcome, 1)}
	select {
	case s.queue <- a:
	case <-ctx.Done():
		return nil, fmt.Errorf("append to %s: %w", stream, ctx.Err())
	case <-s.closing:
		return nil, fmt.Errorf("append to %s: %w", stream, ErrClosed)
	}
	select {
	case o := <-a.done:
		return o.receipts, o.err
	case <-ctx.Done():
		return nil, fmt.Errorf("append to %s, outcome unknown: %w", stream, ctx.Err())
	}
}

// owned is a copy that stays as it is when a caller that did not wait for the outcome reuses its buffers.
func owned(events []contract.Event) []contract.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Data = bytes.Clone(events[i].Data)
	}
	return events
}

// Group commit. One goroutine takes the appends that wait and writes them in one transaction, so that many callers share one
// flush of the server's log. While it writes, the next group gathers; nobody waits for a timer.

const (
	// maxGroup is how many bytes one group takes before it is closed, with perEvent for the attributes of each event. A
	// larger batch is a group of its own.
	maxGroup = 1 << 20
	perEvent = 512
	// patience is how many times in a row the group lets other goroutines run and nobody comes before it is closed. Those
	// who were just given their outcome are often about to come again: a few microseconds for fuller groups.
	patience = 20
)

func (s *Store) commitGroups() {
	for {
		select {
		case first := <-s.queue:
			s.commit(s.gather(first))
		case <-s.closing:
			s.alone.Wait()
			close(s.groupsDone)
			return
		}
	}
}

func (s *Store) gather(first *appending) []*appending {
	group, size := []*appending{first}, first.size()
	for idle := 0; size < maxGroup && idle < patience; {
		select {
		case next := <-s.queue:
			group, size, idle = append(group, next), size+next.size(), 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

func (a *appending) size() int {
	size := 0
	for _, e := range a.events {
		size += perEvent + len(e.Data)
	}
	return size
}

// commit gives each member of a group its outcome. Where one of them was on record already, the group is decided once more, with all that is. Where the
// group as a whole fails, its members are tried one by one beside the next groups, so that what stops one of them (another process that was faster, a transaction that holds its stream,
// a value that does not fit) stops that one alone.
func (s *Store) commit(group []*appending) {
	outcomes, err := s.attempt(group, false)
	if isUnique(err) {
		outcomes, err = s.attempt(group, true)
	}
	if err != nil {
		for _, a := range group {
			s.alone.Go(func() { a.done <- s.commitAlone(a) })
		}
		return
	}
	for i, a := range group {
		a.done <- outcomes[i]
	}
	s.wakeSequencer()
}

// commitAlone tries one append until the log has given its outcome.
//
// This is also how an unknown outcome is resolved. Where the answer to a commit was lost, the next attempt begins by looking
// the ids up. If the commit took place they are there, and their receipts are returned. If it is still under way, the
// insert of the same ids waits for it at the unique index and then fails; the attempt after finds them.
func (s *Store) commitAlone(a *appending) outcome {
	waiter := s.waiter(a.ctx)
	for {
		o, err := s.attemptAlone(a)
		switch {
		case err == nil:
			waiter.done()
			return o
		case a.ctx.Err() != nil:
			return outcome{err: fmt.Errorf("append to %s, outcome unknown: %w", a.stream, a.ctx.Err())}
		case s.isClosing():
			return outcome{err: fmt.Errorf("append to %s, outcome unknown: %w", a.stream, ErrClosed)}
		case unacceptable(err):
			return outcome{err: fmt.Errorf("append to %s: %w: %w", a.stream, contract.ErrInvalid, err)}
		case overtaken(err):
			continue // each time means that another writer went ahead, or still holds the stream
		case lost(err) && waiter.wait("append to "+a.stream, err):
			continue
		case lost(err):
			return outcome{err: fmt.Errorf("append to %s, outcome unknown, the same append again tells: %w", a.stream, err)}
		default:
			return outcome{err: fmt.Errorf("append to %s: %w", a.stream, err)}
		}
	}
}

// attemptAlone takes one of few slots for one attempt only: appends that are stuck behind a transaction take turns with those
// that are not.
func (s *Store) attemptAlone(a *appending) (outcome, error) {
	if err := s.aloneSlots.acquire(a.ctx); err != nil {
		return outcome{}, err
	}
	defer s.aloneSlots.release()
	outcomes, err := s.attempt([]*appending{a}, true)
	if err != nil {
		return outcome{}, err
	}
	s.wakeSequencer()
	return outcomes[0], nil
}
