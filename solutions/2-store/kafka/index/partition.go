package index

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A Partition is the index of one partition: the files and, in memory, the events that came since
// the last write. Events are written many at a time, because changing the files costs about the
// same for one event as for a thousand. They are written while the owner goes on.
type Partition struct {
	opts    Options
	broken  chan struct{} // has room for one: the index was found to be unusable
	flushed chan error    // receives the result of the write in progress; nil if there is none

	mu         sync.RWMutex
	file       *file    // nil: everything is in memory
	onFile     filter   // the ids in the files
	unusable   error    // why the index has to be rebuilt
	served     bool     // once it had all events of the log
	rebuilding bool     // it was served, and lacks events again
	fresh      []*Entry // in memory only, with their ids and streams
	ids        map[uuid.UUID]*Entry
	streams    map[string][]*Entry
	next       int64              // the first offset that is not in the index
	reached    int64              // the offset after the last event that the log is known to have
	last       *contract.Recorded // the latest event; nil before the first
	inFlight   *commit            // nil if no group is being committed
	writing    int                // number of fresh events that are being written
	writeAt    int                // number of the other fresh events at which they are written
}

func newPartition(o Options) *Partition {
	p := &Partition{opts: o, broken: make(chan struct{}, 1)}
	p.clearFresh()
	return p
}

// Load prepares the index to take events. It continues from the files. If these are unusable it
// starts with no events, and says why.
func (p *Partition) Load() (why, err error) {
	if p.opts.Dir == "" || p.isUsable() {
		return nil, nil // a write in progress goes on, and FlushIfFull returns its error
	}
	p.awaitFlush() // an error no longer matters: the files are rebuilt
	p.mu.Lock()
	defer p.mu.Unlock()
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

// isUsable reports whether the files are open and have not been found to be unusable.
func (p *Partition) isUsable() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.file != nil && p.unusable == nil
}

// open continues from the files. The lock is held.
func (p *Partition) open() error {
	f, err := openFile(p.opts)
	if err != nil {
		return err
	}
	return p.use(f)
}

// use continues from the files f. The lock is held.
func (p *Partition) use(f *file) error {
	var ids filter
	err := f.readEnds(ids.add)
	var last *contract.Recorded
	if err == nil {
		last, err = f.last()
	}
	if err != nil {
		f.close()
		return err
	}
	p.clear()
	p.file, p.onFile, p.last = f, ids, last
	if last != nil {
		p.next = last.Position.Offset + 1
	}
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
	p.file, p.onFile, p.unusable, p.next, p.last = nil, nil, nil, 0, nil
	p.clearFresh()
}

// clearFresh forgets the events in memory. The lock is held.
func (p *Partition) clearFresh() {
	p.fresh, p.writing, p.writeAt = nil, 0, p.opts.Unwritten
	p.ids, p.streams = map[uuid.UUID]*Entry{}, map[string][]*Entry{}
}

// keep adds an event to those in memory. The lock is held.
func (p *Partition) keep(e *Entry) {
	p.fresh = append(p.fresh, e)
	p.ids[e.ID] = e
	p.streams[e.Stream] = append(p.streams[e.Stream], e)
}

// Reset removes all events, because they come from another log.
func (p *Partition) Reset() error {
	p.awaitFlush() // an error no longer matters
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.reset()
}

// Close writes the events in memory to the files, and forgets all events. An unusable index is not
// written.
func (p *Partition) Close() error {
	err := p.awaitFlush()
	if f, fresh := p.beginFlush(); len(fresh) > 0 { // also those of a write that failed
		err = p.write(f, fresh)
	}
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
	p.reached = max(p.reached, p.next)
	p.endCommit()
}

// Apply takes events that were read from the log, in the order of their offsets. Events that the
// index has already are skipped. The error of an event that is not the next of its stream is
// *contract.DamagedError: a writer that is not the owner wrote to the log, and no version that we
// give would be right.
func (p *Partition) Apply(events []contract.Recorded) error {
	ends := map[string]End{}
	next := make([]*Entry, 0, len(events))
	var err error
	for _, e := range events {
		if e.Position.Offset < p.next { // without the lock: only the caller of Apply changes next
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
		ends[e.Stream] = End{e.Version, e.Ends, entry.Digest}
		next = append(next, entry)
	}
	p.Add(next)
	return err
}

// Add takes entries that were committed. A reader sees all of them or none (L2.I2).
func (p *Partition) Add(entries []*Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range entries {
		if p.file == nil {
			e.data = nil
		}
		p.keep(e)
		p.next, p.last = e.Position.Offset+1, &e.Recorded
		p.reached = max(p.reached, p.next)
	}
}

// Reached returns the offset after the last event that this process has seen in the log. It never
// decreases, also when the index is closed or rebuilt.
func (p *Partition) Reached() int64 {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.reached
}

// Check compares the index with the heads of all streams of the log, BEFORE the index is believed.
// The error of an index that has other events is ErrUnusable and ErrDiffers. ErrBehind means that
// heads are later than the index: if more events can be read, Check has to be asked again.
func (p *Partition) Check(heads map[string]End) error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.file == nil {
		return nil // all events were read from the log
	}
	for stream, end := range p.file.ends {
		if head, ok := heads[stream]; !ok || !p.had(stream, head) && head.Version <= end.Version {
			return fmt.Errorf("%w: %w: the head of %s is another one", ErrUnusable, ErrDiffers,
				stream)
		}
	}
	for stream, head := range heads {
		if !p.had(stream, head) {
			return fmt.Errorf("%w: %s has version %d", ErrBehind, stream, head.Version)
		}
	}
	return nil
}

// CheckIDs returns an error unless the ids in the files are those of the events.
func (p *Partition) CheckIDs() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.file == nil {
		return nil
	}
	return p.file.checkIDs()
}

// had reports whether a stream has, or had after the files were written, the given end. The lock is
// held.
func (p *Partition) had(stream string, end End) bool {
	if p.file.ends[stream].End == end {
		return true
	}
	return slices.ContainsFunc(p.streams[stream], func(e *Entry) bool { return e.end() == end })
}

// FlushIfFull begins to write the events in memory to the files if there are enough of them. If
// the write before has not ended, it waits for it: the memory for events is bounded. It returns the
// error of that write. After an error the next try comes after as many events again: a full disk
// then costs memory, not the log. Only the owner calls it.
func (p *Partition) FlushIfFull() error {
	if !p.isFull() {
		return nil
	}
	err := p.awaitFlush()
	if !p.isFull() { // after an error
		return err
	}
	f, fresh := p.beginFlush() // BEFORE the goroutine starts: the index is not full from now on
	flushed := make(chan error, 1)
	p.flushed = flushed
	go func() { flushed <- p.write(f, fresh) }()
	return err
}

func (p *Partition) isFull() bool {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.file != nil && p.unusable == nil && len(p.fresh)-p.writing >= p.writeAt
}

// awaitFlush returns the result of the write in progress after it has ended. Until then the files
// stay open.
func (p *Partition) awaitFlush() (err error) {
	if p.flushed != nil {
		err, p.flushed = <-p.flushed, nil
	}
	return err
}

// beginFlush returns the files, and the events that are to be written to them. It returns no events
// if there is nothing to write.
func (p *Partition) beginFlush() (*file, []*Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.file == nil || p.unusable != nil {
		return nil, nil
	}
	p.writing = len(p.fresh)
	return p.file, p.fresh
}

// write writes the events of beginFlush. Readers and the owner go on meanwhile. They find an event
// in memory, in the files, or in both. Events that come meanwhile stay in memory.
//
// All events were committed before, so the files are never ahead of the log. A crash leaves files
// that are behind the log, or files that will be rebuilt.
func (p *Partition) write(f *file, fresh []*Entry) error {
	if len(fresh) == 0 {
		return nil
	}
	ends, err := f.add(fresh)
	if err != nil {
		err = fmt.Errorf("write index %s: %w", f.base, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if ends == nil {
		p.writing, p.writeAt = 0, len(p.fresh)+p.opts.Unwritten
		return err
	}
	maps.Copy(f.ends, ends)
	for _, e := range fresh {
		p.onFile.add(e.ID)
	}
	later := p.fresh[len(fresh):]
	p.clearFresh()
	for _, e := range later {
		p.keep(e)
	}
	return err
}

// Last returns the latest event, or nil before the first.
func (p *Partition) Last() *contract.Recorded {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last
}

// End returns the end of a stream.
func (p *Partition) End(stream string) (End, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.end(stream), p.unusable
}

func (p *Partition) end(stream string) End {
	if fresh := p.streams[stream]; len(fresh) > 0 {
		return fresh[len(fresh)-1].end()
	}
	if p.file == nil {
		return End{}
	}
	return p.file.ends[stream].End
}

func (e *Entry) end() End { return End{e.Version, e.Ends, e.Digest} }

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
			events = append(events, clone(e.Recorded))
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
		found = clone(e.Recorded)
	case err == nil && f != nil && p.onFile.has(id):
		found, err = f.find(id)
		ok = err == nil
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

// Ends returns the end of every stream.
func (p *Partition) Ends() map[string]End {
	p.mu.RLock()
	defer p.mu.RUnlock()
	ends := map[string]End{}
	if p.file != nil {
		for stream, end := range p.file.ends {
			ends[stream] = end.End
		}
	}
	for stream := range p.streams {
		ends[stream] = p.end(stream)
	}
	return ends
}

// LastOf returns the last event of a stream that exists.
func (p *Partition) LastOf(stream string) (contract.Recorded, error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if fresh := p.streams[stream]; len(fresh) > 0 {
		return fresh[len(fresh)-1].Recorded, nil
	}
	return p.file.event(p.file.ends[stream].last)
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
