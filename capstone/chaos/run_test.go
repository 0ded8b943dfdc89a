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

// options returns a run of writers in this process, over one store in memory. These tests test the
// run and the judge, not a durable store.
func options(seed uint64, store contract.Store) chaos.Options {
	open := func(context.Context) (chaos.Log, error) { return forever{store}, nil }
	return chaos.Options{
		Run: chaos.Run{
			Store: "memory", Seed: seed, Writers: 3, Clients: 6, Kills: 15, Owned: true,
		},
		Hold: time.Millisecond, Read: open, Last: open, Step: func(string) {}, OnFault: func() {},
		Launch: func(string, string) (chaos.Process, error) { return launch(store), nil },
		Interrupt: func(context.Context) error {
			return nil // memory is never away
		},
	}
}

func TestSoundStorePasses(t *testing.T) {
	t.Parallel()
	entries, err := chaos.Do(t.Context(), options(1, memory.New(clock)))
	require.NoError(t, err)
	v := chaos.Judge(entries, limit)
	require.Empty(t, v.Violations)
	require.Empty(t, v.Undecided)
	require.GreaterOrEqual(t, v.Counts.Kills, 15)
	require.Equal(t, []int{1, 1, 1}, []int{v.Counts.Stalls, v.Counts.Replaced, v.Counts.Away})
	require.GreaterOrEqual(t, v.Counts.Late, 8,
		"one for each slot and each stalled writer, and perhaps some of clients")
	require.Positive(t, v.Counts.Acked)
	require.Positive(t, v.Counts.Conflicts, "streams are contended")
	require.Equal(t, v.Counts.Events, v.Counts.Fed)
	require.Equal(t, 3, v.Counts.Folded, "readers with the digest of the log")
}

// Services take one event at a time, at any version, and are not replaced. They are asked for their
// state until it has all acknowledged events.
func TestServicesGetCommands(t *testing.T) {
	t.Parallel()
	o := options(1, memory.New(clock))
	o.Services = true
	var asked atomic.Int32
	o.State = func(context.Context, string) (chaos.State, error) {
		s := chaos.State{Events: 1 << 40, Equal: true, Digest: "ab"}
		if asked.Add(1) < 4 {
			s.Events = 0
		}
		return s, nil
	}
	entries, err := chaos.Do(t.Context(), o)
	require.NoError(t, err)
	for _, e := range entries {
		if e.Invoke != nil && e.Invoke.Kind == chaos.Append {
			require.Len(t, e.Invoke.IDs, 1)
			require.EqualValues(t, contract.Any, e.Invoke.Expected)
		}
	}
	v := chaos.Judge(entries, limit)
	require.Empty(t, v.Violations)
	require.Equal(t, []int{1, 0, 1}, []int{v.Counts.Stalls, v.Counts.Replaced, v.Counts.Away})
	require.Equal(t, 3, v.Counts.States)
	require.EqualValues(t, 6, asked.Load())
}

func TestUnsoundStoresAreFound(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(*spoiler)
		rule  chaos.Rule
	}{
		"acknowledged, not written": {func(s *spoiler) { s.append = s.lose }, chaos.Kept},
		"half of a batch":           {func(s *spoiler) { s.append = s.halve }, chaos.Whole},
		"conflict, and written":     {func(s *spoiler) { s.append = s.deny }, chaos.Shut},
		"retry recorded as another": {func(s *spoiler) { s.append = s.forget }, chaos.Sent},
		"reads of an earlier state": {func(s *spoiler) { s.stale = true }, chaos.Linearizable},
		"look-ups that find damage": {func(s *spoiler) { s.damaged = true }, chaos.Answered},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := &spoiler{Store: memory.New(clock)}
			c.spoil(s)
			entries, err := chaos.Do(t.Context(), options(1, s))
			require.NoError(t, err)
			require.Contains(t, rulesOf(chaos.Judge(entries, limit)), c.rule)
		})
	}
}

// A store that gives no stream at the end of a run does not pass.
func TestStoreWithoutStreamsFails(t *testing.T) {
	t.Parallel()
	store := memory.New(clock)
	o := options(1, store)
	o.Last = func(context.Context) (chaos.Log, error) { return forever{mute{store}}, nil }
	_, err := chaos.Do(t.Context(), o)
	require.ErrorContains(t, err, "read stream trade/chaos-")
	require.ErrorContains(t, err, "unknown: out of reach")
}

// A mute store fails every read of a stream.
type mute struct{ contract.Store }

func (mute) Stream(context.Context, string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		yield(contract.Recorded{}, errors.New("out of reach"))
	}
}

func TestUnexpectedEndOfAWriter(t *testing.T) {
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
	require.ErrorContains(t, err, "writer-3#1 ended without being killed: out of memory")
	require.NotEmpty(t, entries)
}

// A restarted writer that never answers does not keep a failed run from ending.
func TestSilentWriterDoesNotHoldTheRun(t *testing.T) {
	t.Parallel()
	o := options(1, memory.New(clock))
	healthy := o.Launch
	var started atomic.Int32
	o.Launch = func(address, machine string) (chaos.Process, error) {
		if started.Add(1) == 4 {
			return newSilent(), nil
		}
		return healthy(address, machine)
	}
	o.Interrupt = func(context.Context) error { return errors.New("the broker is gone") }
	_, err := chaos.Do(t.Context(), o)
	require.ErrorContains(t, err, "the broker is gone")
	require.GreaterOrEqual(t, started.Load(), int32(4), "the silent writer was started")
}

func newSilent() *inProcess {
	out, answers := io.Pipe()
	p := &inProcess{Reader: out, Writer: io.Discard, over: make(chan struct{})}
	p.kill = func() { answers.Close(); close(p.over) }
	return p
}

var clock contract.Clock = func(context.Context) time.Time { return time.Now() }

// forever is a store that stays open.
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
		answers.Close() // its reader gets the end
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

// A gate stops all callers of pass while it is closed.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // closed when the gate opens; nil while the gate is open
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

// gated is the store of a process that can be stopped: before it asks, and before it gets the
// answer.
type gated struct {
	contract.Store
	gate *gate
}

func (g gated) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
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

// An appender is an Append.
type appender func(context.Context, string, int64, []contract.Event) ([]contract.Receipt, error)

// A spoiler is a store in which some calls are wrong.
type spoiler struct {
	contract.Store
	append  appender
	stale   bool // reads give an earlier state
	damaged bool // look-ups find the log damaged
	calls   atomic.Int64
}

func (s *spoiler) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.append == nil || s.calls.Add(1)%10 != 0 {
		return s.Store.Append(ctx, stream, expected, events...)
	}
	return s.append(ctx, stream, expected, events)
}

func (s *spoiler) lose(
	_ context.Context, _ string, expected int64, events []contract.Event,
) (receipts []contract.Receipt, _ error) {
	for range events {
		expected++
		receipts = append(receipts, contract.Receipt{Version: expected, RecordedAt: time.Now()})
	}
	return receipts, nil
}

func (s *spoiler) halve(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	if len(events) > 1 {
		if _, err := s.Store.Append(ctx, stream, expected, events[0]); err == nil {
			return nil, errors.New("the rest did not fit")
		}
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func (s *spoiler) deny(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
	if _, err := s.Store.Append(ctx, stream, expected, events...); err != nil {
		return nil, err
	}
	return nil, &contract.ConflictError{Stream: stream, Expected: expected, Actual: expected + 1}
}

// forget records the events again with other ids, as a store does that has lost its index.
func (s *spoiler) forget(
	ctx context.Context, stream string, expected int64, events []contract.Event,
) ([]contract.Receipt, error) {
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
		damaged := &contract.DamagedError{What: "no event is there any more"}
		return contract.Recorded{}, fmt.Errorf("look up: %w", damaged)
	}
	return s.Store.Find(ctx, id)
}

func (s *spoiler) Stream(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
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
