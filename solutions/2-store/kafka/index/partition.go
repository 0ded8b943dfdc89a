package index

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A Partition is the index of one partition: the files and, in memory, the events that came since
// the last write. Events are written many at a time, because changing the files costs about the
// same for one event as for a thousand.
type Partition struct {
	opts   Options
	broken chan struct{} // has room for one: the index was found to be unusable

	mu         sync.RWMutex
	file       *file  // nil: everything is in memory
	isCopy     bool   // see Copy
	onFile     filter // the ids in the files; empty in a copy
	unusable   error  // why the index has to be rebuilt
	served     bool   // once it had all events of the log
	rebuilding bool   // it was served, and lacks events again
	fresh      []*contract.Recorded
	ids        map[uuid.UUID]*contract.Recorded
	streams    map[string][]*contract.Recorded
	next       int64              // the first offset that is not in the index
	last       *contract.Recorded // the latest event; nil before the first
	heads      int64              // see progress
	inFlight   *commit            // nil if no group is being committed
	writeAt    int                // number of fresh events at which they are written
}

func newPartition(o Options) *Partition {
	p := &Partition{opts: o, broken: make(chan struct{}, 1)}
	p.clearFresh()
	return p
}

// Load prepares the index to take events. It continues from the files. If these are unusable it
// starts with no events, and says why.
func (p *Partition) Load() (why, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.opts.Dir == "" || (p.file != nil && p.unusable == nil) {
		return nil, nil
	}
	why = p.unusable
	if why == nil {
		why = p.open()
	}
	switch {
	case errors.Is(why, ErrUnusable):
		return why, p.reset()
	case errors.Is(why, errInUse):
		p.clear()
		p.rebuilding = p.served
		return fmt.Errorf("%w; it is kept in memory", why), nil
	default:
		return nil, why
	}
}

// open continues from the files. The lock is held.
func (p *Partition) open() error {
	f, err := openFile(p.opts)
	if err != nil {
		return err
	}
	last, err := f.last()
	if err != nil {
		f.close()
		return err
	}
	p.clear()
	p.file, p.next, p.heads, p.last = f, f.progress.Next, f.progress.Heads, last
	f.ids(p.onFile.add)
	return nil
}

// reset removes all events from memory and from the files. The lock is held.
func (p *Partition) reset() (err error) {
	p.clear()
	p.rebuilding = p.served
	if p.opts.Dir != "" {
		p.file, err = createFile(p.opts)
	}
	return err
}

// clear closes the files and forgets all events. The lock is held.
func (p *Partition) clear() {
	if p.file != nil {
		p.file.close()
	}
	p.file, p.onFile, p.unusable, p.next, p.last, p.heads = nil, nil, nil, 0, nil, 0
	p.clearFresh()
}

// clearFresh forgets the events in memory. The lock is held.
func (p *Partition) clearFresh() {
	p.fresh, p.writeAt = nil, p.opts.Unwritten
	p.ids, p.streams = map[uuid.UUID]*contract.Recorded{}, map[string][]*contract.Recorded{}
}

// Reset removes all events, because they come from another log.
func (p *Partition) Reset() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reset()
}

// Close writes the events in memory to the files, and forgets all events. An unusable index is not
// written.
func (p *Partition) Close() error {
	err := p.flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.clear()
	p.served, p.rebuilding = false, false
	p.endCommit()
	return err
}

// Serve states that the index has all events of the log.
func (p *Partition) Serve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served, p.rebuilding = true, false
	p.endCommit()
}

// Apply takes events, in the order of their offsets. Events that the index has already are
// skipped. The error of an event that is not the next of its stream is *contract.DamagedError: a
// writer that is not the owner wrote to the log, and no version that we give would be right.
func (p *Partition) Apply(events []contract.Recorded) error {
	ends := map[string]streamEnd{}
	next := make([]*contract.Recorded, 0, len(events))
	var err error
	for _, e := range events {
		if e.Position.Offset < p.next { // without the lock: only the caller of Apply changes next
			continue
		}
		end, known := ends[e.Stream]
		if !known {
			end.version, end.ended, err = p.Version(e.Stream)
		}
		if err == nil {
			err = CheckNext(e, end.version, end.ended)
		}
		if err != nil {
			break
		}
		ends[e.Stream] = streamEnd{version: e.Version, ended: e.Ends}
		next = append(next, &e)
	}
	p.add(next)
	return err
}

// add takes all events at once: a reader sees the whole batch or nothing of it (L2.I2).
func (p *Partition) add(events []*contract.Recorded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range events {
		p.fresh = append(p.fresh, e)
		p.ids[e.ID] = e
		p.streams[e.Stream] = append(p.streams[e.Stream], e)
		p.next, p.last = e.Position.Offset+1, e
	}
}

// FlushIfFull writes the events in memory to the files if there are enough of them. After an error
// the next try comes after as many events again: a full disk then costs memory, not the log.
func (p *Partition) FlushIfFull() error {
	p.mu.RLock()
	due := p.file != nil && len(p.fresh) >= p.writeAt
	p.mu.RUnlock()
	if !due {
		return nil
	}
	err := p.flush()
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.writeAt = len(p.fresh) + p.opts.Unwritten
	}
	return err
}

// flush writes the events in memory to the files. Readers go on meanwhile, and find an event in
// memory, in the files, or in both.
func (p *Partition) flush() error {
	p.mu.RLock()
	f, fresh, next, heads, unusable := p.file, p.fresh, p.next, p.heads, p.unusable
	p.mu.RUnlock()
	if f == nil || unusable != nil ||
		(len(fresh) == 0 && f.progress.Next == next && f.progress.Heads == heads) {
		return nil
	}
	if err := f.add(fresh, next, heads); err != nil {
		return fmt.Errorf("write index %s: %w", f.base, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range fresh {
		p.onFile.add(e.ID)
	}
	p.clearFresh()
	return nil
}

// Last returns the latest event, or nil before the first.
func (p *Partition) Last() *contract.Recorded {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last
}

// HeadsAgree returns the offset in the topic of heads before which all heads agree with the index.
func (p *Partition) HeadsAgree() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.heads
}

// SetHeadsAgree sets the offset that HeadsAgree returns.
func (p *Partition) SetHeadsAgree(heads int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heads = heads
}

// Version returns the version of a stream, 0 if it does not exist, and whether it has ended.
func (p *Partition) Version(stream string) (version int64, ended bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.unusable != nil {
		return 0, false, p.unusable
	}
	if fresh := p.streams[stream]; len(fresh) > 0 {
		last := fresh[len(fresh)-1]
		return last.Version, last.Ends, nil
	}
	if p.file == nil {
		return 0, false, nil
	}
	end := p.file.end(stream)
	return end.version, end.ended, nil
}

// Stream returns the events of a stream in version order.
func (p *Partition) Stream(name string) ([]contract.Recorded, error) {
	p.mu.RLock()
	f, fresh, err := p.file, p.streams[name], p.cannotAnswer()
	var events []contract.Recorded
	if err == nil && f != nil {
		events, err = f.stream(name)
	}
	if err == nil && !p.served {
		err = errNotServed
	}
	p.mu.RUnlock()
	if err != nil {
		return nil, p.condemn(err)
	}
	for _, e := range fresh {
		if e.Version > int64(len(events)) { // the others are in the files, too
			events = append(events, clone(e))
		}
	}
	return events, nil
}

// Find returns the event with an id. It may find an event before the partition is served. It
// reports that no event has the id only after the partition is served.
func (p *Partition) Find(id uuid.UUID) (contract.Recorded, bool, error) {
	p.mu.RLock()
	e, ok := p.ids[id]
	f, err := p.file, p.cannotAnswer()
	var found contract.Recorded
	switch {
	case ok:
		found = clone(e)
	case err == nil && f != nil && (p.isCopy || p.onFile.mayHave(id)):
		found, ok, err = f.find(id)
	}
	if err == nil && !ok && !p.served {
		err = errNotServed
	}
	p.mu.RUnlock()
	if err != nil {
		return found, false, p.condemn(err)
	}
	return found, ok, nil
}

// EachLast calls visit with the last event of every stream.
func (p *Partition) EachLast(visit func(contract.Recorded) error) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	for _, events := range p.streams {
		if err := visit(*events[len(events)-1]); err != nil {
			return err
		}
	}
	if p.file == nil {
		return nil
	}
	return p.file.eachLast(func(e contract.Recorded) error {
		if len(p.streams[e.Stream]) > 0 {
			return nil // memory has a later one
		}
		return visit(e)
	})
}

// LastOf returns the last event of a stream. ok is false if the stream does not exist.
func (p *Partition) LastOf(stream string) (e contract.Recorded, ok bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if fresh := p.streams[stream]; len(fresh) > 0 {
		return *fresh[len(fresh)-1], true, nil
	}
	if p.file == nil {
		return e, false, nil
	}
	end := p.file.end(stream)
	if end.version == 0 {
		return e, false, nil
	}
	e, _, err = p.file.event(end.last)
	return e, err == nil, err
}

// cannotAnswer returns the reason why the index cannot answer, or nil. The lock is held.
func (p *Partition) cannotAnswer() error {
	if p.unusable == nil && p.rebuilding {
		return errRebuilding
	}
	return p.unusable
}

// condemn marks the index as unusable because of err, and wakes the owner to rebuild it. It
// returns err.
func (p *Partition) condemn(err error) error {
	if err == errRebuilding || err == errNotServed {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unusable == nil {
		p.unusable = err
	}
	select {
	case p.broken <- struct{}{}:
	default: // the owner has been told
	}
	return err
}

// Broken returns a channel that receives after the index was found to be unusable.
func (p *Partition) Broken() <-chan struct{} { return p.broken }

// Err returns the reason why the index has to be rebuilt, or nil.
func (p *Partition) Err() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.unusable
}

// A commit is a group of appends from the moment when it is sent until the index knows whether it
// landed. Other processes may read its events in the log before the index has them. So a question
// about these events waits until the index knows. Otherwise the owner would deny an event that
// another process has read.
type commit struct {
	ids  map[uuid.UUID]contract.Recorded
	ends map[string]contract.Recorded
	over chan struct{} // closed when the index knows
}

// BeginCommit states that a group is being sent. ids are its events, ends the last event of each
// of its streams.
func (p *Partition) BeginCommit(
	ids map[uuid.UUID]contract.Recorded, ends map[string]contract.Recorded,
) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.inFlight = &commit{ids, ends, make(chan struct{})}
}

// EndCommit states that the index has all of the group, or that the log will never have any of it.
func (p *Partition) EndCommit() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endCommit()
}

func (p *Partition) endCommit() {
	if p.inFlight != nil {
		close(p.inFlight.over)
		p.inFlight = nil
	}
}

// AwaitID waits for the group in flight if it has an event with the id.
func (p *Partition) AwaitID(ctx context.Context, id uuid.UUID) error {
	return p.await(ctx, func(c *commit) bool { _, in := c.ids[id]; return in })
}

// AwaitStream waits for the group in flight if it has an event of the stream.
func (p *Partition) AwaitStream(ctx context.Context, name string) error {
	return p.await(ctx, func(c *commit) bool { _, in := c.ends[name]; return in })
}

func (p *Partition) await(ctx context.Context, touches func(*commit) bool) error {
	p.mu.RLock()
	c := p.inFlight
	p.mu.RUnlock()
	if c == nil || !touches(c) {
		return nil
	}
	select {
	case <-c.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
