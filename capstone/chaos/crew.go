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

// A Launch starts a writer under an address, on a machine. What a process leaves on its machine, the next one there finds.
type Launch func(address, machine string) (Process, error)

// A crew is the writers, each at an address of its own, and what they were asked.
type crew struct {
	launch  Launch
	history *History
	away    bool // what the writers rest on is away at times, so that one may not come up

	mu      sync.Mutex
	members []*member
	changed chan struct{} // closed at the next change of who is there
	failed  error         // a writer ended that nobody had killed
}

// A member is an address and the process that answers there.
type member struct {
	address string
	machine int
	born    int
	at      *writer // nil while none is ready
}

// A writer is one process.
type writer struct {
	crew    *crew
	name    string // address#born
	address string
	process Process
	gone    chan struct{} // closed when all that it ever said has been heard

	mu      sync.Mutex // of requests: they go in one behind the other
	enc     *json.Encoder
	asked   map[int]question
	served  bool // it came up
	behind  bool // it stands still, or did
	doomed  bool // it was killed, or told to end
	stopped bool
}

// A question is one that a writer was sent.
type question struct {
	answer   chan Return // room for one: who asked may not wait for it
	answered chan struct{}
}

func newCrew(launch Launch, history *History, n int) *crew {
	c := &crew{launch: launch, history: history, changed: make(chan struct{})}
	for i := range n {
		c.members = append(c.members, &member{address: fmt.Sprintf("writer-%d", i+1)})
	}
	return c
}

// start has a process at the address of m, and returns once it serves. What was there before stays where it is, but for its place. Where the
// broker or the database may be away, one that does not come up is followed by another, as a supervisor sees to.
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
	w := &writer{crew: c, name: fmt.Sprintf("%s#%d", m.address, m.born), address: m.address, asked: map[int]question{}, gone: make(chan struct{})}
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
		return nil, fmt.Errorf("%s did not come up: %w", w.name, w.process.End())
	case <-ctx.Done():
		w.doom()
		return nil, errors.Join(context.Cause(ctx), w.process.Kill())
	}
}

// move has the next processes of m on another machine.
func (c *crew) move(m *member) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.machine++
}

// place puts w, or nobody, at an address.
func (c *crew) place(m *member, w *writer) {
	c.mu.Lock()
	defer c.mu.Unlock()
	m.at = w
	c.notify()
}

// notify wakes who waits for a change. The lock is held.
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

// look is the members whose writer is there, and a channel that is closed when that may have changed.
func (c *crew) look(stoppedToo bool) (up []*member, at []*writer, changed <-chan struct{}, failed error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, m := range c.members {
		if m.at != nil && (stoppedToo || !m.at.isStopped()) {
			up, at = append(up, m), append(at, m.at)
		}
	}
	return up, at, c.changed, c.failed
}

// some is a writer that is there: the one at an address, or else by pick. It waits for one.
func (c *crew) some(ctx context.Context, address string, pick float64) (*member, *writer, error) {
	for {
		up, at, changed, err := c.look(false)
		if err != nil {
			return nil, nil, err
		}
		if len(up) > 0 {
			i := slices.IndexFunc(up, func(m *member) bool { return m.address == address })
			if i < 0 {
				i = int(pick * float64(len(up)))
			}
			return up[i], at[i], nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, nil, context.Cause(ctx)
		}
	}
}

// listen hears what the writer says until it says no more.
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
			return // it has ended, perhaps in the middle of a word
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

// over is when the process has ended. If nobody had it do so, that ends the run.
func (w *writer) over() {
	_, _ = io.Copy(io.Discard, w.process) // what is no answer
	close(w.gone)
	w.mu.Lock()
	unasked := w.served && !w.doomed
	w.mu.Unlock()
	if unasked {
		w.crew.fail(fmt.Errorf("%s ended, and nobody had killed it: %w", w.name, w.process.End()))
	}
}

func (w *writer) doom() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.doomed = true
}

// ask takes down the attempt and sends it. The answer comes by the channel, unless the writer goes before.
func (w *writer) ask(client int, r Request) <-chan Return {
	w.mu.Lock()
	defer w.mu.Unlock()
	r.Op = w.crew.history.invoke(Invoke{Request: r, Client: client, Writer: w.name, Behind: w.behind})
	q := question{answer: make(chan Return, 1), answered: make(chan struct{})}
	w.asked[r.Op] = q
	_ = w.enc.Encode(r) // who is gone does not answer
	return q.answer
}

// open is a channel for each question that has no answer yet. Each is closed by it.
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

// pause stops the process. From now on what it is asked is known to come to one that may be behind.
func (w *writer) pause(blow Blow) error {
	w.mu.Lock()
	w.stopped, w.behind = true, true
	w.mu.Unlock()
	if err := w.process.Pause(); err != nil {
		return fmt.Errorf("stop %s: %w", w.name, err)
	}
	w.crew.history.add(Entry{Fault: &Struck{Blow: blow, To: w.name}})
	return nil
}

func (w *writer) resume(blow Blow) error {
	w.crew.history.add(Entry{Fault: &Struck{Blow: blow, To: w.name, Woken: true}})
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
	w.crew.history.add(Entry{Fault: &Struck{Blow: blow, To: w.name}})
	if err := w.process.Kill(); err != nil {
		return fmt.Errorf("kill %s: %w", w.name, err)
	}
	return nil
}

// end lets the writer finish, and says how it went.
func (w *writer) end() error {
	w.doom()
	if err := w.process.End(); err != nil {
		return fmt.Errorf("%s: %w", w.name, err)
	}
	return nil
}
