package memory

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// A Draft is a store over a log that does not change: the Draft keeps its own appends in memory. It
// answers from the log as it was and from these. So a program can learn the outcome of its appends
// without making them.
//
// The feed has the events that the log had when the Draft was made, then those of the Draft, as
// another partition. Of a stream to which the Draft has appended, later events of other writers are
// left out.
type Draft struct {
	contract.Store // the log
	end            contract.Cursor
	own            *Store

	// The streams and the ids that the log had. A Draft looks in the log for no others, because a
	// store without an index reads the whole log for each of them.
	streams map[string]bool
	ids     map[uuid.UUID]bool

	mu sync.Mutex // held during Append
}

var _ contract.Atomic = (*Draft)(nil)

// Over returns a Draft over a log, which it reads once. The draft stamps its own events with clock.
func Over(ctx context.Context, log contract.Store, clock contract.Clock) (*Draft, error) {
	d := &Draft{
		Store: log, own: New(clock), streams: map[string]bool{}, ids: map[uuid.UUID]bool{},
	}
	var err error
	if d.end, err = log.End(ctx); err != nil {
		return nil, err
	}
	for r, err := range log.Read(ctx, nil, d.end) {
		if err != nil {
			return nil, err
		}
		d.streams[r.Stream], d.ids[r.ID] = true, true
	}
	d.own.timeline, err = log.Timeline(ctx)
	return d, err
}

// partition is that of the Draft's own events.
func (d *Draft) partition() int32 { return int32(len(d.end)) }

// Append reads what the decision needs from the log, then decides and appends in memory.
func (d *Draft) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if err := store.Validate(stream, events); err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if err := d.learnStream(ctx, stream); err != nil {
		return nil, err
	}
	for _, e := range events {
		if err := d.learnID(ctx, e.ID); err != nil {
			return nil, err
		}
	}
	return d.own.Append(ctx, stream, expected, events...)
}

// AppendAll does the same for several streams. What the log refuses whatever it has recorded, the
// Draft refuses, too: streams that the log cannot have in one append are *contract.ApartError, and
// if the log is not contract.Atomic, the error is errors.ErrUnsupported.
func (d *Draft) AppendAll(
	ctx context.Context, appends []contract.StreamAppend, guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	if err := store.ValidateAll(appends, guards); err != nil {
		return nil, err
	}
	streams := store.StreamsOf(appends, guards)
	log, ok := d.Store.(contract.Atomic)
	if !ok {
		return nil, fmt.Errorf("append to %s: %w", store.Named(appends), errors.ErrUnsupported)
	}
	if !log.Together(streams...) {
		return nil, fmt.Errorf("append to %s: %w", store.Named(appends), apart(log, streams))
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, stream := range streams {
		if err := d.learnStream(ctx, stream); err != nil {
			return nil, err
		}
	}
	for _, a := range appends {
		for _, e := range a.Events {
			if err := d.learnID(ctx, e.ID); err != nil {
				return nil, err
			}
		}
	}
	return d.own.AppendAll(ctx, appends, guards...)
}

// apart returns the error for streams that a log does not have together.
func apart(log contract.Atomic, streams []string) error {
	for _, stream := range streams {
		if !log.Together(streams[0], stream) {
			return &contract.ApartError{Stream: streams[0], Other: stream}
		}
	}
	return errors.ErrUnsupported
}

// Together implements contract.Atomic, as the log does.
func (d *Draft) Together(streams ...string) bool {
	log, ok := d.Store.(contract.Atomic)
	return ok && log.Together(streams...)
}

func (d *Draft) learnStream(ctx context.Context, stream string) error {
	if d.own.began(stream) != nil {
		return nil
	}
	var last contract.Recorded
	for r, err := range d.below(ctx, stream) {
		if err != nil {
			return err
		}
		last = r
	}
	d.own.mu.Lock()
	defer d.own.mu.Unlock()
	d.own.before[stream] = &last
	if last.RecordedAt.After(d.own.last) {
		d.own.last = last.RecordedAt
	}
	return nil
}

// below yields the events of a stream in the log.
func (d *Draft) below(
	ctx context.Context, stream string,
) iter.Seq2[contract.Recorded, error] {
	if !d.streams[stream] {
		return func(func(contract.Recorded, error) bool) {}
	}
	return d.Store.Stream(ctx, stream)
}

func (d *Draft) learnID(ctx context.Context, id uuid.UUID) error {
	if !d.ids[id] {
		return nil
	}
	r, err := d.Store.Find(ctx, id)
	if errors.Is(err, contract.ErrNotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	d.own.mu.Lock()
	defer d.own.mu.Unlock()
	d.own.earlier[id] = outcome(r)
	return nil
}

// Find returns the event with this id.
func (d *Draft) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := d.own.Find(ctx, id)
	if errors.Is(err, contract.ErrNotFound) && d.ids[id] {
		return d.Store.Find(ctx, id)
	}
	return d.placed(r), err
}

// placed returns an event of own with its position in the Draft.
func (d *Draft) placed(r contract.Recorded) contract.Recorded {
	r.Position.Partition = d.partition()
	return r
}

// Stream implements contract.Store.
func (d *Draft) Stream(ctx context.Context, stream string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		before := d.own.began(stream)
		for r, err := range d.below(ctx, stream) {
			if before != nil && err == nil && r.Version > before.Version {
				break
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
		d.pass(d.own.Stream(ctx, stream), yield)
	}
}

// pass yields events of own.
func (d *Draft) pass(
	events iter.Seq2[contract.Recorded, error], yield func(contract.Recorded, error) bool,
) {
	for r, err := range events {
		if !yield(d.placed(r), err) || err != nil {
			return
		}
	}
}

// End implements contract.Reader.
func (d *Draft) End(ctx context.Context) (contract.Cursor, error) {
	own, err := d.own.End(ctx)
	return append(d.end.Max(nil), own...), err
}

// Read implements contract.Reader.
func (d *Draft) Read(
	ctx context.Context, from, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	own := contract.Cursor{to.At(d.partition())}
	return d.both(ctx, from, to.Min(d.end), func() iter.Seq2[contract.Recorded, error] {
		return d.own.Read(ctx, d.ownFrom(from), own)
	})
}

// Follow implements contract.Reader.
func (d *Draft) Follow(
	ctx context.Context, from contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return d.both(ctx, from, d.end, func() iter.Seq2[contract.Recorded, error] {
		return d.own.Follow(ctx, d.ownFrom(from))
	})
}

func (d *Draft) ownFrom(from contract.Cursor) contract.Cursor {
	return contract.Cursor{from.At(d.partition())}
}

// both yields a range of the log, then events of own.
func (d *Draft) both(
	ctx context.Context, from, to contract.Cursor, own func() iter.Seq2[contract.Recorded, error],
) iter.Seq2[contract.Recorded, error] {
	logs := func(c contract.Cursor) contract.Cursor { return c[:min(len(c), len(d.end))] }
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range d.Store.Read(ctx, logs(from), logs(to)) {
			if !yield(r, err) || err != nil {
				return
			}
		}
		d.pass(own(), yield)
	}
}

// Frontier implements contract.Reader. The log's own events are those of the moment at which the
// Draft was made.
func (d *Draft) Frontier(ctx context.Context) (time.Time, error) { return d.own.Frontier(ctx) }

// CommitFrontier implements contract.SealableLog.
func (d *Draft) CommitFrontier(ctx context.Context) (time.Time, error) {
	return d.own.CommitFrontier(ctx)
}
