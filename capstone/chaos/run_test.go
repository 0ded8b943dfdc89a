package chaos_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/chaos"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// Writers in this process, over one store in memory: what is tried here is the run and its judge, and not a store that lasts.
func options(seed uint64, store contract.Store) chaos.Options {
	open := func(context.Context) (chaos.Log, error) { return forever{store}, nil }
	return chaos.Options{
		Run:  chaos.Run{Store: "memory", Seed: seed, Writers: 3, Clients: 6, Kills: 15, Owned: true},
		Hold: time.Millisecond, Read: open, Last: open, Step: func(string) {}, Struck: func() {},
		Launch: func(string, string) (chaos.Process, error) { return launch(store), nil },
		Interrupt: func(context.Context) error {
			return nil // memory is never away, and nothing of it is lost
		},
	}
}

func TestAStoreThatHoldsIsFoundToHold(t *testing.T) {
	t.Parallel()
	entries, err := chaos.Do(t.Context(), options(1, memory.New(clock)))
	require.NoError(t, err)
	v := chaos.Judge(entries, limit)
	require.Empty(t, v.Violations)
	require.Empty(t, v.Undecided)
	require.GreaterOrEqual(t, v.Counts.Kills, 15)
	require.Equal(t, []int{1, 1, 1}, []int{v.Counts.Stalls, v.Counts.Replaced, v.Counts.Away})
	require.GreaterOrEqual(t, v.Counts.Late, 8, "one for each slot and each that stood still; a client may have come by too")
	require.Positive(t, v.Counts.Acked)
	require.Positive(t, v.Counts.Conflicts, "streams are contended")
	require.Equal(t, v.Counts.Events, v.Counts.Fed)
}

func TestAStoreThatDoesNotHoldIsFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(contract.Store, *spoiler)
		rule  chaos.Rule
	}{
		"it acknowledges what it does not write":            {func(_ contract.Store, s *spoiler) { s.append = s.lose }, chaos.Kept},
		"it writes half of a batch":                         {func(_ contract.Store, s *spoiler) { s.append = s.halve }, chaos.Whole},
		"it writes what it says that it has not written":    {func(_ contract.Store, s *spoiler) { s.append = s.deny }, chaos.Shut},
		"it writes the same event again for who asks again": {func(_ contract.Store, s *spoiler) { s.append = s.forget }, chaos.Sent},
		"it reads what was true before":                     {func(_ contract.Store, s *spoiler) { s.stale = true }, chaos.Linearizable},
		"it has lost what it looks for":                     {func(_ contract.Store, s *spoiler) { s.damaged = true }, chaos.Answered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &spoiler{Store: memory.New(clock)}
			c.spoil(s.Store, s)
			entries, err := chaos.Do(t.Context(), options(1, s))
			require.NoError(t, err)
			require.Contains(t, rulesOf(chaos.Judge(entries, limit)), c.rule)
		})
	}
}

func TestAStoreThatGivesNoStreamAtTheEndIsNotFoundToHold(t *testing.T) {
	t.Parallel()
	store := memory.New(clock)
	o := options(1, store)
	o.Last = func(context.Context) (chaos.Log, error) { return forever{mute{store}}, nil }
	_, err := chaos.Do(t.Context(), o)
	require.ErrorContains(t, err, "read stream trade/chaos-")
	require.ErrorContains(t, err, "unknown: out of reach")
}

// A mute store gives no stream.
type mute struct{ contract.Store }

func (mute) Stream(context.Context, string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		yield(contract.Recorded{}, errors.New("out of reach"))
	}
}

func TestAWriterThatEndsByItselfEndsTheRun(t *testing.T) {
	t.Parallel()
	o := options(1, memory.New(clock))
	healthy := o.Launch
	var started atomic.Int32
	o.Launch = func(address, machine string) (chaos.Process, error) {
		p, err := healthy(address, machine)
		if started.Add(1) == 3 {
			p = &dies{p.(*inProcess)}
		}
		return p, err
	}
	entries, err := chaos.Do(t.Context(), o)
	require.ErrorContains(t, err, "writer-3#1 ended, and nobody had killed it: out of memory")
	require.NotEmpty(t, entries)
}

var clock contract.Clock = func(context.Context) time.Time { return time.Now() }

// forever is a store that is there whether it is open or not.
type forever struct{ contract.Store }

func (forever) Close() error { return nil }

// An inProcess is a writer that can be disturbed as a process can.
type inProcess struct {
	io.Reader
	io.Writer
	gate gate
	kill func()
	end  func()
	over chan struct{}
}

func launch(store contract.Store) *inProcess {
	requests, in := io.Pipe()
	out, answers := io.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	p := &inProcess{Reader: out, Writer: in, over: make(chan struct{})}
	p.gate.open()
	p.kill = func() {
		cancel()
		requests.Close()
		answers.Close() // its reader finds the end
		p.gate.open()
	}
	p.end = func() { in.Close() }
	go func() {
		defer close(p.over)
		_ = chaos.Serve(ctx, gated{store, &p.gate}, requests, answers)
		answers.Close()
	}()
	return p
}

func (p *inProcess) Pause() error  { p.gate.close(); return nil }
func (p *inProcess) Resume() error { p.gate.open(); return nil }
func (p *inProcess) Kill() error   { p.kill(); <-p.over; return nil }
func (p *inProcess) End() error    { p.end(); <-p.over; return nil }

// A gate stops who comes while it is closed.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate is opened; nil while it is
}

func (g *gate) open() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut != nil {
		close(g.shut)
		g.shut = nil
	}
}

func (g *gate) close() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.shut == nil {
		g.shut = make(chan struct{})
	}
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// gated is a store as a process sees it that can be stopped: before it asks, and before it hears the answer.
type gated struct {
	contract.Store
	gate *gate
}

func (g gated) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	g.gate.pass()
	defer g.gate.pass()
	return g.Store.Append(ctx, stream, expected, events...)
}

// dies is a process that ends after its first answer.
type dies struct{ *inProcess }

func (d *dies) Write(b []byte) (int, error) {
	d.kill()
	return len(b), nil
}

func (d *dies) End() error { return errors.New("out of memory") }

// A spoiler is a store with something wrong in it, now and then.
type spoiler struct {
	contract.Store
	append  func(ctx context.Context, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error)
	stale   bool // it reads streams as they were
	damaged bool // it finds the log damaged
	calls   atomic.Int64
}

func (s *spoiler) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.append == nil || s.calls.Add(1)%10 != 0 {
		return s.Store.Append(ctx, stream, expected, events...)
	}
	return s.append(ctx, stream, expected, events)
}

func (s *spoiler) lose(_ context.Context, _ string, expected int64, events []contract.Event) (receipts []contract.Receipt, _ error) {
	for range events {
		expected++
		receipts = append(receipts, contract.Receipt{Version: expected, RecordedAt: time.Now()})
	}
	return receipts, nil
}

func (s *spoiler) halve(ctx context.Context, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	if len(events) > 1 {
		if _, err := s.Store.Append(ctx, stream, expected, events[0]); err == nil {
			return nil, errors.New("the rest did not fit")
		}
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func (s *spoiler) deny(ctx context.Context, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	if _, err := s.Store.Append(ctx, stream, expected, events...); err != nil {
		return nil, err
	}
	return nil, &contract.ConflictError{Stream: stream, Expected: expected, Actual: expected + 1}
}

// forget writes what is there already under another id, as a store does that lost its index.
func (s *spoiler) forget(ctx context.Context, stream string, expected int64, events []contract.Event) ([]contract.Receipt, error) {
	receipts, err := s.Store.Append(ctx, stream, expected, events...)
	if err != nil {
		return nil, err
	}
	for i := range events {
		events[i].ID[0] ^= 0xff
	}
	_, err = s.Store.Append(ctx, stream, contract.Any, events...)
	return receipts, err
}

func (s *spoiler) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	if s.damaged && s.calls.Add(1)%4 == 0 {
		return contract.Recorded{}, fmt.Errorf("look up: %w", &contract.DamagedError{What: "no event is there any more"})
	}
	return s.Store.Find(ctx, id)
}

func (s *spoiler) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	if !s.stale || s.calls.Add(1)%4 != 0 {
		return s.Store.Stream(ctx, stream)
	}
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range s.Store.Stream(ctx, stream) {
			if err == nil && e.Version > 2 {
				return
			}
			if !yield(e, err) {
				return
			}
		}
	}
}
