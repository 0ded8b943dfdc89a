package index

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A Partition is the index of one partition. Only the owner of the partition changes it; any number
// of goroutines read it.
type Partition struct {
	opts   Options
	broken chan struct{} // has room for one: the index was found to be unusable

	mu         sync.RWMutex
	file       *file   // not nil
	unusable   error   // why the index has to be rebuilt
	served     bool    // once it had all events of the log
	rebuilding bool    // it was served, and lacks events again
	reached    int64   // the offset after the last event that the log is known to have
	inFlight   *commit // nil if no group is being committed
}

func newPartition(o Options) *Partition {
	return &Partition{opts: o, broken: make(chan struct{}, 1), file: newFile(o)}
}

// Load prepares the index to take events. It continues from the file. If that is unusable it starts
// with no events, and says why.
func (p *Partition) Load() (why, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if why = p.unusable; why != nil {
		return why, p.reset()
	}
	if p.opts.Dir == "" || p.file.disk != nil {
		return nil, nil
	}
	f, err := openFile(p.opts)
	if errors.Is(err, errInUse) {
		p.use(newFile(p.opts))
		p.rebuilding = p.served
		return fmt.Errorf("%w; it is kept in memory", err), nil
	}
	if err != nil {
		return nil, err
	}
	p.use(f)
	if why = f.load(); why != nil {
		return why, p.reset()
	}
	if err = f.cut(); err != nil {
		p.use(newFile(p.opts))
	}
	return nil, err
}

// use continues from the file f. The lock is held.
func (p *Partition) use(f *file) {
	p.file.close()
	p.file, p.unusable = f, nil
}

// reset removes all events. The lock is held.
func (p *Partition) reset() error {
	p.unusable, p.rebuilding = nil, p.served
	err := p.file.reset()
	if err != nil {
		p.unusable = fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	return err
}

// Reset removes all events, because they come from another log.
func (p *Partition) Reset() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reset()
}

// Close writes the events in memory to the file, and forgets all events. An unusable index is not
// written.
func (p *Partition) Close() (err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file.disk != nil && p.unusable == nil {
		err = p.file.write()
	}
	p.use(newFile(p.opts))
	p.served, p.rebuilding = false, false
	p.endCommit()
	return err
}

// Serve states that the index has all events of the log.
func (p *Partition) Serve() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served, p.rebuilding = true, false
	p.reached = max(p.reached, p.next())
	p.endCommit()
}

// next returns the first offset that is not in the index. The lock is held.
func (p *Partition) next() int64 {
	if p.file.last == nil {
		return 0
	}
	return p.file.last.Position.Offset + 1
}

// Apply takes events that were read from the log, in the order of their offsets. Events that the
// index has already are skipped. The error of an event that is not the next of its stream is
// *contract.DamagedError: a writer that is not the owner wrote to the log, and no version that we
// give would be right.
func (p *Partition) Apply(events []contract.Recorded) error {
	ends := map[string]End{}
	next := make([]*Entry, 0, len(events))
	last := p.Last()
	var err error
	for _, e := range events {
		if last != nil && e.Position.Offset <= last.Position.Offset {
			continue
		}
		end, known := ends[e.Stream]
		if !known {
			end, err = p.End(e.Stream)
		}
		if err == nil {
			err = CheckNext(e, end.Version, end.Ended)
		}
		if err != nil {
			break
		}
		entry := NewEntry(end.Digest, e, p.opts.Codec)
		ends[e.Stream] = entry.End()
		next = append(next, entry)
	}
	p.Add(next)
	return err
}

// Add takes entries that were committed. A reader sees all of them or none (L2.I2).
func (p *Partition) Add(entries []*Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.file.add(entries)
	p.reached = max(p.reached, p.next())
}

// Reached returns the offset after the last event that this process has seen in the log. It never
// decreases, also when the index is closed or rebuilt.
func (p *Partition) Reached() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.reached
}

// Check compares the index with the heads of all streams of the log, BEFORE the index is believed.
// The error of an index file that has other events is ErrUnusable and ErrDiffers. ErrBehind means
// that heads are later than the index: if more events can be read, Check has to be asked again.
func (p *Partition) Check(heads map[string]End) (behind error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.file.disk == nil {
		return nil // all events were read from the log
	}
	for stream, end := range p.file.ends {
		head, known := heads[stream]
		if known && head == end.End {
			continue
		}
		had, onDisk, err := p.file.had(stream, head)
		switch {
		case err != nil:
			return err
		case onDisk > 0 && (!known || !had && head.Version <= onDisk):
			return fmt.Errorf("%w: %w: the head of %s is another one", ErrUnusable, ErrDiffers,
				stream)
		case known && !had:
			behind = fmt.Errorf("%w: %s has version %d", ErrBehind, stream, head.Version)
		}
	}
	for stream, head := range heads {
		if _, known := p.file.ends[stream]; !known {
			return fmt.Errorf("%w: %s has version %d", ErrBehind, stream, head.Version)
		}
	}
	return behind
}

// FlushIfFull writes the events in memory to the file if there are enough of them. After an error
// the next try comes after as many events again: a full disk then costs memory, not the log. Only
// the owner calls it.
func (p *Partition) FlushIfFull() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unusable != nil || !p.file.isFull() {
		return nil
	}
	return p.file.write()
}

// Last returns the latest event, or nil before the first.
func (p *Partition) Last() *contract.Recorded {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.file.last
}

// End returns the end of a stream.
func (p *Partition) End(stream string) (End, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.file.ends[stream].End, p.unusable
}

// Stream returns the events of a stream in version order.
func (p *Partition) Stream(name string, from int64) (events []contract.Recorded, err error) {
	p.mu.RLock()
	if err = p.cannotAnswer(); err == nil {
		events, err = p.file.stream(name, from)
	}
	if err == nil && !p.served {
		err = errNotServed
	}
	p.mu.RUnlock()
	if err != nil {
		return nil, p.condemn(err)
	}
	return events, nil
}

// Find returns the event with an id. It may find an event before the partition is served. It
// reports that no event has the id only after the partition is served.
func (p *Partition) Find(id uuid.UUID) (found contract.Recorded, ok bool, err error) {
	p.mu.RLock()
	if err = p.cannotAnswer(); err == nil {
		found, ok, err = p.file.find(id)
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

// lacks reports whether the index can tell that no event has the id. Of an append each partition is
// asked, and most lack its ids.
func (p *Partition) lacks(id uuid.UUID) bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.served && p.cannotAnswer() == nil && !p.file.has(id)
}

// Ends returns the end of every stream.
func (p *Partition) Ends() map[string]End {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ends := make(map[string]End, len(p.file.ends))
	for stream, end := range p.file.ends {
		ends[stream] = end.End
	}
	return ends
}

// LastOf returns the last event of a stream that exists.
func (p *Partition) LastOf(stream string) (contract.Recorded, error) {
	p.mu.RLock()
	last, err := p.file.lastOf(stream)
	p.mu.RUnlock()
	if err != nil {
		return last, p.condemn(err)
	}
	return last, nil
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
	ids  map[uuid.UUID]*Entry
	ends map[string]*Entry
	over chan struct{} // closed when the index knows
}

// BeginCommit states that a group is being sent. ids are its events, ends the last event of each
// of its streams.
func (p *Partition) BeginCommit(ids map[uuid.UUID]*Entry, ends map[string]*Entry) {
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
