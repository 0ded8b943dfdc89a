package postgres

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"hash/maphash"
	"runtime"
	"slices"
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// An appendCall is one call of Append or AppendAll that waits for its outcome.
type appendCall struct {
	ctx       context.Context         // the caller's; a simulated clock reads its time there
	parts     []contract.StreamAppend // one for Append
	guards    []contract.Guard
	atomic    bool                // a call of AppendAll
	digests   [][sha256.Size]byte // of the events of all parts; see prepare
	announced time.Time           // by the latest attempt; see frontier.go
	done      chan outcome        // has room for the outcome
}

// prepare computes the digests of the events. The first attempt calls it while it waits for the
// server.
func (a *appendCall) prepare() {
	if a.digests != nil {
		return
	}
	for _, part := range a.parts {
		for _, e := range part.Events {
			a.digests = append(a.digests, e.ContentDigest())
		}
	}
}

// failed wraps the error of the append.
func (a *appendCall) failed(format string, args ...any) error {
	return fmt.Errorf("append to "+store.Named(a.parts)+format, args...)
}

type outcome struct {
	receipts [][]contract.Receipt // of each part
	err      error
}

// Append implements contract.Store. If the caller's context ends while its append is in flight,
// Append returns the context's error. The append may still be recorded; the same call again returns
// the outcome.
func (s *Store) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.readOnly {
		return nil, fmt.Errorf("append to %s: %w", stream, ErrReadOnly)
	}
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	part := contract.StreamAppend{Stream: stream, Expected: expected, Events: cloneAll(events)}
	receipts, err := s.submit(&appendCall{ctx: ctx, parts: []contract.StreamAppend{part}})
	if err != nil {
		return nil, err
	}
	return receipts[0], nil
}

// AppendAll implements contract.Atomic: all events are rows of one transaction, which holds the
// place of the streams.
func (s *Store) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if s.readOnly {
		return nil, fmt.Errorf("append to %s: %w", store.Named(appends), ErrReadOnly)
	}
	if err := store.ValidateAll(appends, guards); err != nil {
		return nil, err
	}
	parts := store.Grouped(appends)
	for i := range parts {
		parts[i].Events = cloneAll(parts[i].Events)
	}
	return s.submit(&appendCall{
		ctx: ctx, parts: parts, guards: slices.Clone(guards), atomic: true,
	})
}

// Together implements contract.Atomic.
func (s *Store) Together(streams ...string) bool { return contract.Apart(streams...) == nil }

// submit queues a, and waits for its outcome.
func (s *Store) submit(a *appendCall) ([][]contract.Receipt, error) {
	a.done = make(chan outcome, 1)
	select {
	case s.queueOf(a) <- a:
	case <-a.ctx.Done():
		return nil, a.failed(": %w", a.ctx.Err())
	case <-s.closing:
		return nil, a.failed(": %w", ErrClosed)
	}
	select {
	case o := <-a.done:
		return o.receipts, o.err
	case <-a.ctx.Done():
		return nil, a.failed(", outcome unknown: %w", a.ctx.Err())
	}
}

// cloneAll returns a deep copy: a caller that did not wait for the outcome may reuse its buffers.
func cloneAll(events []contract.Event) []contract.Event {
	events = slices.Clone(events)
	for i := range events {
		events[i].Data = bytes.Clone(events[i].Data)
	}
	return events
}

// Group commit: a committer takes the waiting appends and writes them in one transaction, so that
// many callers share one flush of the server's log. While it writes, the next group gathers. No
// append waits for a timer.
//
// Batches are shared out by stream among several committers, because the server works on one
// transaction with one processor. Single events gain more from large groups: all of them go to the
// first committer. All appends to a place (contract.PlaceOf) go to one committer, so that the two
// do not wait for each other. If two committers compete for a version or an id, the unique
// constraints decide, as between two processes.

const (
	// committers is the number of groups in flight.
	committers = 2
	// maxGroup closes a group at this number of bytes. Each event counts perEvent for its
	// attributes. A larger batch is a group of its own.
	maxGroup = 1 << 20
	perEvent = 512
	// maxIdle closes a group after it has yielded this many times to other goroutines and no append
	// came. Callers that just got their outcome often append again at once, so a few microseconds
	// give fuller groups.
	maxIdle = 20
)

// streamSeed is the seed of the hash that gives each stream its committer in this process.
var streamSeed = maphash.MakeSeed()

func (s *Store) queueOf(a *appendCall) chan *appendCall {
	first := a.parts[0]
	if !contract.Grouped(first.Stream) && len(first.Events) == 1 {
		return s.queues[0]
	}
	return s.queues[maphash.String(streamSeed, contract.PlaceOf(first.Stream))%committers]
}

// runCommitters returns after the last append in flight has its outcome.
func (s *Store) runCommitters() {
	var all sync.WaitGroup
	for _, queue := range s.queues {
		all.Go(func() { s.commitGroups(queue) })
	}
	all.Wait()
	s.singles.Wait()
	close(s.groupsDone)
}

func (s *Store) commitGroups(queue <-chan *appendCall) {
	for {
		select {
		case first := <-queue:
			s.commit(gather(queue, first))
		case <-s.closing:
			return
		}
	}
}

func gather(queue <-chan *appendCall, first *appendCall) []*appendCall {
	group, size := []*appendCall{first}, first.size()
	for idle := 0; size < maxGroup && idle < maxIdle; {
		select {
		case next := <-queue:
			group, size, idle = append(group, next), size+next.size(), 0
		default:
			runtime.Gosched()
			idle++
		}
	}
	return group
}

func (a *appendCall) size() int {
	size := 0
	for _, part := range a.parts {
		for i := range part.Events {
			size += perEvent + len(part.Events[i].Data)
		}
	}
	return size
}

// commit gives each member of a group its outcome. If a member was recorded already, the group is
// decided again with all recorded ids. If the group fails, its members are tried one by one, beside
// the next groups. So the reason for the failure (another process was faster, a transaction holds
// the stream, the table refuses a value) stops only the member that it concerns.
//
// If the group waited too long for a lock, a transaction may hold a place. Then the group is parted
// by place first, so that the members without that place still share a transaction.
func (s *Store) commit(group []*appendCall) {
	outcomes, err := s.attempt(group, false)
	if isUnique(err) {
		outcomes, err = s.attempt(group, true)
	}
	if parts := byPlace(group); isLocked(err) && len(parts) > 1 {
		for _, part := range parts {
			s.singles.Go(func() { s.commit(part) })
		}
		return
	}
	if err != nil {
		for _, a := range group {
			s.singles.Go(func() { a.done <- s.commitSingle(a) })
		}
		return
	}
	for i, a := range group {
		a.done <- outcomes[i]
	}
	s.wakeSequencer()
}

// byPlace parts a group: the members of each place that streams share, and all the others together.
func byPlace(group []*appendCall) map[string][]*appendCall {
	parts := map[string][]*appendCall{}
	for _, a := range group {
		place := "" // no place that streams share has this name
		if first := a.parts[0].Stream; contract.Grouped(first) {
			place = contract.PlaceOf(first)
		}
		parts[place] = append(parts[place], a)
	}
	return parts
}

// commitSingle tries one append until its outcome is known.
//
// It also resolves an unknown outcome. If the answer to a commit was lost, the next attempt first
// looks up the ids. If the commit took place, they are recorded, and their receipts are returned.
// If it is still in flight, the insert of the same ids waits for it at the unique index and then
// fails; the attempt after that finds them.
func (s *Store) commitSingle(a *appendCall) outcome {
	waiter := s.waiter(a.ctx)
	for {
		o, err := s.attemptSingle(a)
		switch {
		case err == nil:
			waiter.answered()
			return o
		case a.ctx.Err() != nil:
			return outcome{err: a.failed(", outcome unknown: %w", a.ctx.Err())}
		case s.isClosing():
			return outcome{err: a.failed(", outcome unknown: %w", ErrClosed)}
		case invalidValue(err):
			return outcome{err: a.failed(": %w: %w", contract.ErrInvalid, err)}
		case afterStray(err):
			return outcome{err: a.failed(": %w: %w", ErrDamaged, err)}
		case overtaken(err):
			continue // another writer was first, or still holds the stream or its place
		case noAnswer(err) && waiter.wait("append to "+store.Named(a.parts), err):
			continue
		case noAnswer(err):
			return outcome{err: a.failed(", outcome unknown, append again to learn it: %w", err)}
		default:
			return outcome{err: a.failed(": %w", err)}
		}
	}
}

// attemptSingle takes one of few slots, and for one attempt only. So appends that wait for a
// transaction of another program take turns with appends that do not.
func (s *Store) attemptSingle(a *appendCall) (outcome, error) {
	if err := s.singleSlots.acquire(a.ctx); err != nil {
		return outcome{}, err
	}
	defer s.singleSlots.release()
	outcomes, err := s.attempt([]*appendCall{a}, true)
	if err != nil {
		return outcome{}, err
	}
	s.wakeSequencer()
	return outcomes[0], nil
}
