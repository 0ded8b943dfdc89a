package kafka

import (
	"errors"
	"fmt"
	"sync"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A part is the index of one partition: what is on file and, in memory, what came since it was written. That is written
// many events at a time, since a file costs about the same to change for one event as for a thousand. A crash loses what was in
// memory, which the log still has.
//
// A part without a file keeps everything in memory.
type part struct {
	open  func() (*indexFile, error) // the file, if it can be believed; nil where there is to be none
	begin func() (*indexFile, error) // a new one in its place
	limit int                        // events in memory
	wake  chan struct{}              // room for one: the index was found to be unusable

	mu      sync.RWMutex
	file    *indexFile
	lent    bool   // see loan
	ever    filter // knows every id on file, unless that is lent
	unfit   error  // why the index is to be made anew
	served  bool   // it has known all that the log had
	making  bool   // it was served, and is being made anew: it does not know all
	fresh   []*contract.Recorded
	ids     map[uuid.UUID]*contract.Recorded
	streams map[string][]*contract.Recorded
	next    int64              // the first offset that is not taken in
	last    *contract.Recorded // the latest event; nil before there is one
	heads   int64              // see place
	sending *sending           // nil if nothing is on its way
	full    int                // fresh events at which they are to be written
}

// load has the part ready to take in what the log has. Where it had a file that is of no use, it begins anew and says why.
func (p *part) load() (why, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.open == nil || (p.file != nil && p.unfit == nil) {
		return nil, nil
	}
	why = p.unfit
	if why == nil {
		why = p.reopen()
	}
	switch {
	case errors.Is(why, errUnusable):
		return why, p.renew()
	case errors.Is(why, errInUse):
		p.forget()
		p.making = p.served
		return fmt.Errorf("%w; it is kept in memory", why), nil
	default:
		return nil, why
	}
}

// reopen goes on from the file. The lock is held.
func (p *part) reopen() error {
	file, err := p.open()
	if err != nil {
		return err
	}
	last, ok, err := file.last()
	if err != nil {
		file.close()
		return err
	}
	p.forget()
	p.file, p.next, p.heads = file, file.place.Next, file.place.Heads
	file.ids(p.ever.add)
	if ok {
		p.last = &last
	}
	return nil
}

// renew begins with nothing. The lock is held.
func (p *part) renew() (err error) {
	p.forget()
	p.making = p.served
	if p.begin != nil {
		p.file, err = p.begin()
	}
	return err
}

// forget lets go of everything. The lock is held.
func (p *part) forget() {
	if p.file != nil {
		p.file.close()
	}
	p.file, p.ever, p.unfit, p.next, p.last, p.heads = nil, nil, nil, 0, nil, 0
	p.written()
}

// written forgets what is on file by now. The lock is held.
func (p *part) written() {
	p.fresh, p.ids, p.streams, p.full = nil, map[uuid.UUID]*contract.Recorded{}, map[string][]*contract.Recorded{}, p.limit
}

// discard has the part begin anew, since the log is not the one that it was made from.
func (p *part) discard() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.renew()
}

// shut writes what is left, and forgets. A part that was found unfit is not written.
func (p *part) shut() error {
	err := p.flush()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.forget()
	p.served, p.making = false, false
	p.release()
	return err
}

// made says that the part knows all that the log has.
func (p *part) made() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.served, p.making = true, false
	p.release()
}

// errMaking is the answer of an index that is being made anew. It wraps errUnusable.
var errMaking = fmt.Errorf("%w: it is being made anew", errUnusable)

// answers says why the part cannot answer. The lock is held.
func (p *part) answers() error {
	if p.unfit == nil && p.making {
		return errMaking
	}
	return p.unfit
}

// apply takes in events, in offset order. Those below the next offset are known already. An event that is not the
// next of its stream is an error: somebody who is no owner wrote to the log, and no version that we gave would be right.
func (p *part) apply(events []contract.Recorded) error {
	type end struct {
		version int64
		ended   bool
	}
	ends := map[string]end{}
	fit := make([]*contract.Recorded, 0, len(events))
	var err error
	for _, e := range events {
		if e.Position.Offset < p.next { // next is the owner's to change, and this is called by the owner
			continue
		}
		at, known := ends[e.Stream]
		if !known {
			at.version, at.ended, err = p.version(e.Stream)
		}
		if err == nil {
			err = follows(e, at.version, at.ended)
		}
		if err != nil {
			break
		}
		ends[e.Stream] = end{e.Version, e.Ends}
		fit = append(fit, &e)
	}
	p.put(fit)
	return err
}

// follows is the error of an event that cannot be the next of its stream.
func follows(e contract.Recorded, version int64, ended bool) error {
	what := ""
	switch {
	case e.Version != version+1:
		what = fmt.Sprintf("%s has version %d here, want %d", e.Stream, e.Version, version+1)
	case ended:
		what = fmt.Sprintf("%s ended at version %d, and goes on here", e.Stream, version)
	default:
		return nil
	}
	return &contract.DamagedError{Position: e.Position, What: what}
}

// put takes events in all at once: who reads sees a whole batch or nothing of it (L2.I2).
func (p *part) put(events []*contract.Recorded) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ids == nil {
		p.written()
	}
	for _, e := range events {
		p.fresh = append(p.fresh, e)
		p.ids[e.ID] = e
		p.streams[e.Stream] = append(p.streams[e.Stream], e)
		p.next, p.last = e.Position.Offset+1, e
	}
}

// flushIfFull writes what is in memory to the file, once it is much. After an error it is tried again when there is as
// much more: a disk that is full costs memory until there is room again, and not the log.
func (p *part) flushIfFull() error {
	p.mu.RLock()
	due := p.file != nil && len(p.fresh) >= p.full
	p.mu.RUnlock()
	if !due {
		return nil
	}
	err := p.flush()
	if err != nil {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.full = len(p.fresh) + p.limit
	}
	return err
}

// flush writes what is in memory to the file. Others go on asking meanwhile, and find an event in memory, on file, or both.
func (p *part) flush() error {
	p.mu.RLock()
	file, fresh, next, heads, unfit := p.file, p.fresh, p.next, p.heads, p.unfit
	p.mu.RUnlock()
	if file == nil || unfit != nil || (len(fresh) == 0 && file.place.Next == next && file.place.Heads == heads) {
		return nil
	}
	if err := file.add(fresh, next, heads); err != nil {
		return fmt.Errorf("write index %s: %w", file.base, err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range fresh {
		p.ever.add(e.ID)
	}
	p.written()
	return nil
}

// at is how far the part is: its latest event (nil before there is one), and up to where the heads agree with it.
func (p *part) at() (last *contract.Recorded, heads int64) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.last, p.heads
}

// agreed says up to which offset the heads agree with what was taken in.
func (p *part) agreed(heads int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.heads = heads
}

// version of a stream, 0 if it does not exist, and whether it has ended.
func (p *part) version(stream string) (version int64, ended bool, err error) {
	p.mu.RLock()
	defer p.mu.RUnlock()
	if p.unfit != nil {
		return 0, false, p.unfit
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

// stream is the events of a stream, in version order. They are not to be changed.
func (p *part) stream(name string) ([]contract.Recorded, error) {
	p.mu.RLock()
	file, fresh, err := p.file, p.streams[name], p.answers()
	var events []contract.Recorded
	if err == nil && file != nil {
		events, err = file.stream(name)
	}
	if err == nil && !p.served {
		err = errUnserved
	}
	p.mu.RUnlock()
	if err != nil {
		return nil, p.condemn(err)
	}
	for _, e := range fresh {
		if e.Version > int64(len(events)) { // else it is on file by now
			events = append(events, copied(*e))
		}
	}
	return events, nil
}

// find is the event with an id. One that is there may be found before the part is served; that none is there only then.
func (p *part) find(id uuid.UUID) (contract.Recorded, bool, error) {
	p.mu.RLock()
	e, ok := p.ids[id]
	file, err := p.file, p.answers()
	var found contract.Recorded
	switch {
	case ok:
		found = copied(*e)
	case err == nil && file != nil && (p.lent || p.ever.knows(id)):
		found, ok, err = file.find(id)
	}
	if err == nil && !ok && !p.served {
		err = errUnserved
	}
	p.mu.RUnlock()
	if err != nil {
		return found, false, p.condemn(err)
	}
	return found, ok, nil
}

// ends shows visit the last event of every stream.
func (p *part) ends(visit func(contract.Recorded) error) error {
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
	return p.file.ends(func(e contract.Recorded) error {
		if len(p.streams[e.Stream]) > 0 {
			return nil // the file is behind
		}
		return visit(e)
	})
}

// end is the last event of a stream; false if it does not exist.
func (p *part) end(stream string) (e contract.Recorded, ok bool, err error) {
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

// condemn keeps the index from being asked again, and has its owner make it anew. It gives err.
func (p *part) condemn(err error) error {
	if err == errMaking || err == errUnserved {
		return err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.unfit == nil {
		p.unfit = err
	}
	select {
	case p.wake <- struct{}{}:
	default: // it knows
	}
	return err
}

// damage is why the index is to be made anew, or nil.
func (p *part) damage() error {
	p.mu.RLock()
	defer p.mu.RUnlock()
	return p.unfit
}
