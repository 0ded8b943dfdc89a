package chaos

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"
)

// A Launch starts a writer at an address, on a machine. Each process on a machine finds the files
// of the process before it.
type Launch func(address, machine string) (Process, error)

// A crew is the writers, each at its own address, and their open requests.
type crew struct {
	launch  Launch
	history *History
	away    bool // the broker or database may be away, so a writer may fail to start

	mu      sync.Mutex
	members []*member
	changed chan struct{} // closed at the next change of the writers
	failed  error         // a writer ended without a kill
}

// A member is an address and the process that answers there.
type member struct {
	address string
	machine int
	born    int
	at      *writer // nil while no process is ready
}

// A writer is one process.
type writer struct {
	crew    *crew
	name    string // address#born
	address string
	process Process
	gone    chan struct{} // closed after its last answer was read

	mu      sync.Mutex // requests are written one after the other
	enc     *json.Encoder
	asked   map[int]question
	served  bool // it has started
	stale   bool // it was stopped once, so its knowledge may be old
	doomed  bool // it was killed, or told to end
	stopped bool
}

// A question is an open request.
type question struct {
	answer   chan Return // has room for one answer: the client may have stopped waiting
	answered chan struct{}
}

func newCrew(launch Launch, history *History, n int) *crew {
	c := &crew{launch: launch, history: history, changed: make(chan struct{})}
	for i := range n {
		c.members = append(c.members, &member{address: fmt.Sprintf("writer-%d", i+1)})
	}
	return c
}

// start starts a process at the address of m, and returns when it serves. A process that was there
// before continues, but is no longer asked. Where the broker or the database may be away, start
// tries again if the process fails to start, as a supervisor does.
func (c *crew) start(ctx context.Context, m *member) (*writer, error) {
	for began := time.Now(); ; wait(ctx, longBreath) {
		w, err := c.once(ctx, m)
		if err == nil {
			c.place(m, w)
		}
		if err == nil || !c.away || ctx.Err() != nil || time.Since(began) > stuck {
			return w, err
		}
	}
}

func (c *crew) once(ctx context.Context, m *member) (*writer, error) {
	c.mu.Lock()
	m.born++
	w := &writer{
		crew: c, name: fmt.Sprintf("%s#%d", m.address, m.born), address: m.address,
		asked: map[int]question{}, gone: make(chan struct{}),
	}
	machine := fmt.Sprintf("%s.%d", m.address, m.machine)
	c.mu.Unlock()
	var err error
	if w.process, err = c.launch(m.address, machine); err != nil {
		return nil, err
	}
	w.enc = json.NewEncoder(w.process)
	ready := make(chan struct{})
	go w.listen(ready)
	select {
	case <-ready:
		return w, nil
	case <-w.gone:
		return nil, fmt.Errorf("%s did not start: %w", w.name, w.process.End())
	case <-ctx.Done():
		w.doom()
		return nil, errors.Join(context.Cause(ctx), w.process.Kill())
	}
}

// move puts the next processes of m on another machine.
func (c *crew) move(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.machine++
}

// place puts w at the address of m; nil puts no process there.
func (c *crew) place(m *member, w *writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.at = w
	c.notify()
}

// notify wakes the callers that wait for a change. The caller holds the lock.
func (c *crew) notify() {
	close(c.changed)
	c.changed = make(chan struct{})
}

func (c *crew) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
	c.notify()
}

// look returns the members that have a writer, their writers, and a channel that is closed at the
// next change.
func (c *crew) look(
	stoppedToo bool,
) (up []*member, writers []*writer, changed <-chan struct{}, failed error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.at != nil && (stoppedToo || !m.at.isStopped()) {
			up, writers = append(up, m), append(writers, m.at)
		}
	}
	return up, writers, c.changed, c.failed
}

// some returns a running writer: the one at an address, or else one by pick. It waits until there
// is one.
func (c *crew) some(ctx context.Context, address string, pick float64) (*member, *writer, error) {
	for {
		up, writers, changed, err := c.look(false)
		if err != nil {
			return nil, nil, err
		}
		if len(up) > 0 {
			i := slices.IndexFunc(up, func(m *member) bool { return m.address == address })
			if i < 0 {
				i = int(pick * float64(len(up)))
			}
			return up[i], writers[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// listen reads the answers of the writer until its output ends.
func (w *writer) listen(ready chan<- struct{}) {
	defer w.over()
	answers := json.NewDecoder(w.process)
	var hello Return
	if answers.Decode(&hello) != nil {
		return
	}
	w.mu.Lock()
	w.served = true
	w.mu.Unlock()
	close(ready)
	for {
		var r Return
		if answers.Decode(&r) != nil {
			return // it has ended, perhaps in the middle of an answer
		}
		w.crew.history.add(Entry{Return: &r})
		w.mu.Lock()
		q, ok := w.asked[r.Op]
		delete(w.asked, r.Op)
		w.mu.Unlock()
		if ok {
			q.answer <- r
			close(q.answered)
		}
	}
}

// over handles the end of the process. An unexpected end ends the run.
func (w *writer) over() {
	_, _ = io.Copy(io.Discard, w.process) // output that is not an answer
	close(w.gone)
	w.mu.Lock()
	unasked := w.served && !w.doomed
	w.mu.Unlock()
	if unasked {
		w.crew.fail(fmt.Errorf("%s ended without being killed: %w", w.name, w.process.End()))
	}
}

func (w *writer) doom() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doomed = true
}

// ask adds the attempt to the history and sends it. The answer comes on the channel, unless the
// writer ends before.
func (w *writer) ask(client int, r Request) <-chan Return {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Op = w.crew.history.invoke(Invoke{Request: r, Client: client, Writer: w.name, Stale: w.stale})
	q := question{answer: make(chan Return, 1), answered: make(chan struct{})}
	w.asked[r.Op] = q
	_ = w.enc.Encode(r) // a writer that is gone does not answer
	return q.answer
}

// open returns a channel for each request without an answer. The answer closes it.
func (w *writer) open() []<-chan struct{} {
	w.mu.Lock()
	defer w.mu.Unlock()
	var open []<-chan struct{}
	for _, q := range w.asked {
		open = append(open, q.answered)
	}
	return open
}

func (w *writer) isStopped() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stopped
}

// pause stops the process. All later requests are marked as sent to a stale process.
func (w *writer) pause(blow Blow) error {
	w.mu.Lock()
	w.stopped, w.stale = true, true
	w.mu.Unlock()
	if err := w.process.Pause(); err != nil {
		return fmt.Errorf("stop %s: %w", w.name, err)
	}
	w.crew.history.add(Entry{Fault: &AppliedFault{Blow: blow, To: w.name}})
	return nil
}

func (w *writer) resume(blow Blow) error {
	w.crew.history.add(Entry{Fault: &AppliedFault{Blow: blow, To: w.name, Woken: true}})
	if err := w.process.Resume(); err != nil {
		return fmt.Errorf("wake %s: %w", w.name, err)
	}
	w.mu.Lock()
	w.stopped = false
	w.mu.Unlock()
	w.crew.mu.Lock()
	defer w.crew.mu.Unlock()
	w.crew.notify()
	return nil
}

func (w *writer) kill(blow Blow) error {
	w.doom()
	w.crew.history.add(Entry{Fault: &AppliedFault{Blow: blow, To: w.name}})
	if err := w.process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", w.name, err)
	}
	return nil
}

// end lets the writer finish, and returns the error of its process.
func (w *writer) end() error {
	w.doom()
	if err := w.process.End(); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}
