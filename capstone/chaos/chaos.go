package chaos

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"example.com/blotter/labs/kit/contract"
)

// Options describe a run.
type Options struct {
	Run
	// Hold is the least time that a stalled writer is stopped: more than the timeout of its
	// transactions.
	Hold   time.Duration
	Launch Launch
	// Read opens the log for reading only, for the feed.
	Read func(context.Context) (Log, error)
	// Last opens the log after all writers have ended.
	Last func(context.Context) (Log, error)
	// Interrupt kills the broker or the database and starts it again. It is nil where the stack
	// cannot do that.
	Interrupt func(context.Context) error
	// State asks the service at an address for its state; nil if the writers are no services.
	State func(ctx context.Context, address string) (State, error)
	// Step is called with the name of each step.
	Step func(name string)
	// OnFault is called after each fault.
	OnFault func()
}

// errStuck is wrapped by the error of a run without progress.
var errStuck = errors.New("no append was acknowledged")

// Do runs writers, clients and the nemesis, and returns the history. With an error the history is
// the part up to the error.
func Do(ctx context.Context, o Options) ([]Entry, error) {
	r := &run{Options: o, history: NewHistory(o.Run), board: newBoard()}
	r.crew = newCrew(o.Launch, r.history, o.Writers)
	r.crew.away = o.Interrupt != nil || o.Services // a service needs more parts of the stack
	r.feed = &feed{open: o.Read, history: r.history}
	err := r.do(ctx)
	return r.history.Entries(), err
}

type run struct {
	Options
	history *History
	crew    *crew
	board   *board
	feed    *feed
}

func (r *run) do(ctx context.Context) error {
	r.Step("starting the writers")
	if err := r.assemble(ctx); err != nil {
		return errors.Join(err, r.disband(true))
	}
	feeding, stop := context.WithCancel(ctx)
	defer stop()
	fed := make(chan error, 1)
	go func() { fed <- r.feed.follow(feeding) }()

	r.Step("disturbing them")
	if err := r.disturb(ctx); err != nil {
		return errors.Join(err, r.disband(true))
	}
	if r.State != nil {
		r.Step("asking the services for their state")
		if err := r.state(ctx); err != nil {
			return errors.Join(err, r.disband(true))
		}
	}
	r.Step("reading the log")
	if err := r.disband(false); err != nil {
		return err
	}
	events, err := r.read(ctx)
	if err != nil {
		return err
	}
	r.feed.delivered(ctx, events)
	stop()
	return <-fed
}

// assemble starts the first writer, which creates the log, and then the others.
func (r *run) assemble(ctx context.Context) error {
	for i, m := range r.crew.members {
		if _, err := r.crew.start(ctx, m); err != nil {
			return fmt.Errorf("writer %d: %w", i+1, err)
		}
	}
	return nil
}

// disturb runs the clients until the nemesis has applied all faults.
func (r *run) disturb(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	until, done := context.WithCancel(ctx)
	defer done()
	var clients sync.WaitGroup
	for i := range r.Clients {
		c := &client{number: i, seed: r.Seed, crew: r.crew, board: r.board,
			plain: r.Services}
		clients.Go(func() {
			if err := c.work(ctx, until); err != nil {
				cancel(err)
			}
		})
	}
	n := &nemesis{
		crew: r.crew, board: r.board, number: r.Clients, seed: r.Seed, plain: r.Services,
		hold: r.Hold, interrupt: r.Interrupt, onFault: r.OnFault,
	}
	err := n.work(ctx, Faults(r.Seed, r.Kills, r.sorts()...))
	if err != nil {
		cancel(err)
	}
	done()
	clients.Wait()
	return err
}

func (r *run) sorts() []Blow {
	sorts := []Blow{Stall}
	if !r.Services { // the lock of a data folder keeps a second service out
		sorts = append(sorts, Replace)
	}
	if r.Interrupt != nil {
		sorts = append(sorts, Away)
	}
	return sorts
}

// state adds the states of the services, after their read models have all acknowledged events and
// agree. Judge reports a difference that remains.
func (r *run) state(ctx context.Context) error {
	up, writers, _, _ := r.crew.look(true)
	states, err := r.ask(ctx, up)
	for began := time.Now(); (err != nil || !r.agree(states)) &&
		ctx.Err() == nil && time.Since(began) < answerTime; {
		wait(ctx, longBreath)
		states, err = r.ask(ctx, up)
	}
	if err != nil {
		return err
	}
	for i, s := range states {
		s.Writer = writers[i].name
		r.history.add(Entry{State: &s})
	}
	return nil
}

// ask asks each service for its state. A service may be busy for a while.
func (r *run) ask(ctx context.Context, up []*member) (states []State, err error) {
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	for _, m := range up {
		s, err := r.State(ctx, m.address)
		if err != nil {
			return nil, fmt.Errorf("state of %s: %w", m.address, err)
		}
		states = append(states, s)
	}
	return states, nil
}

// agree reports whether the states are equal, and have all acknowledged events.
func (r *run) agree(states []State) bool {
	return !slices.ContainsFunc(states, func(s State) bool {
		return s != states[0] || !s.Equal || s.Events < r.board.acknowledged.Load()
	})
}

// disband ends all writers: it lets them finish, or kills them at once.
func (r *run) disband(atOnce bool) error {
	up, writers, _, failed := r.crew.look(true)
	errs := make([]error, len(up))
	var wg sync.WaitGroup
	for i, m := range up {
		r.crew.place(m, nil)
		wg.Go(func() {
			if atOnce {
				errs[i] = writers[i].kill(Kill)
			} else {
				errs[i] = writers[i].end()
			}
		})
	}
	wg.Wait()
	if atOnce {
		return nil
	}
	return errors.Join(append(errs, failed)...)
}

// read adds the whole log to the history, and the store's answer for each stream.
func (r *run) read(ctx context.Context) (events int64, err error) {
	log, err := r.Last(ctx)
	if err != nil {
		return 0, err
	}
	defer log.Close()
	end, err := log.End(ctx)
	if err != nil {
		return 0, err
	}
	var streams []string
	for e, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return events, fmt.Errorf("read the log: %w", err)
		}
		events++
		s := seen(e)
		r.history.add(Entry{Logged: &s})
		if e.Version == 1 {
			streams = append(streams, e.Stream)
		}
	}
	for range r.Writers {
		if err := r.fold(ctx, end); err != nil {
			return events, err
		}
	}
	last := server{store: log}
	for _, stream := range streams {
		q := Request{Kind: Read, Stream: stream}
		q.Op = r.history.invoke(Invoke{Request: q, Client: r.Clients, Writer: "last#1"})
		answer := last.handle(ctx, q)
		r.history.add(Entry{Return: &answer})
		if answer.Outcome != OK { // the store is no longer disturbed, so it has to answer
			return events, fmt.Errorf("read stream %s: %s: %s",
				stream, answer.Outcome, answer.Error)
		}
	}
	return events, nil
}

// fold adds the digest of another reader, which reads up to the same end.
func (r *run) fold(ctx context.Context, end contract.Cursor) error {
	log, err := r.Read(ctx)
	if err != nil {
		return err
	}
	defer log.Close()
	d := digest{}
	for e, err := range log.Read(ctx, nil, end) {
		if err != nil {
			return fmt.Errorf("read the log again: %w", err)
		}
		d.add(seen(e))
	}
	r.history.add(Entry{Folded: d.String()})
	return nil
}
