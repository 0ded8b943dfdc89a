package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

// anyStoreWrongs have faults that any store may have. They wrap the store in memory.
var anyStoreWrongs = []struct {
	wrongAnswer
	wrap func(contract.Store) contract.Store
}{
	{
		wrongAnswer{name: "versions count the whole log", finds: "L2.16", also: "L2.46 L2.53",
			hint: "count each stream separately"},
		wrapWith(wrapper{event: func(e contract.Recorded) contract.Recorded {
			e.Version = e.Position.Offset + 1
			return e
		}}),
	},
	{
		wrongAnswer{
			name: "Any always conflicts", finds: "L2.16", also: "L2.18 L2.20 L2.31 L2.37 L2.38 " +
				"L2.44 L2.45 L2.48 L2.49 L2.50 L2.51 L2.55",
			hint: "do not compare", waits: true},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			if a.expected == contract.Any {
				return nil, &contract.ConflictError{
					Stream:   a.stream,
					Expected: a.expected,
					Actual:   int64(len(readStream(a.ctx, a.next, a.stream))),
				}
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "ignores the expected version", finds: "L2.17", also: "L2.36",
			hint: "compare the expected version with the stream's"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			a.expected = contract.Any
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "compares versions outside the lock", finds: "L2.36",
			hint: "one atomic step", races: true},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			actual := int64(len(readStream(a.ctx, a.next, a.stream)))
			if a.expected == contract.Any || a.expected != actual {
				return a.forward()
			}
			yieldToOthers()
			a.expected = contract.Any
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "accepts an empty batch", finds: "L2.43",
			hint: "an empty batch has no receipts to return"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			if len(a.events) == 0 {
				return nil, nil
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{
			name:  "a retry conflicts with itself",
			finds: "L2.18",
			also:  "L2.47 L2.55 L2.57 L2.40",
			hint:  "look up the ids before you compare versions",
		},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			actual := int64(len(readStream(a.ctx, a.next, a.stream)))
			if a.expected != contract.Any && a.expected != actual {
				return nil, &contract.ConflictError{
					Stream:   a.stream,
					Expected: a.expected,
					Actual:   actual,
				}
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "compares bytes, not content", finds: "L2.18", also: "L2.57 L2.40",
			hint: "it leaves out the traceparent and the schema id"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			for _, e := range a.events {
				if was, err := a.next.Find(a.ctx, e.ID); err == nil &&
					!bytes.Equal(was.Data, e.Data) {
					return nil, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
				}
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "compares ids, not content", finds: "L2.44", also: "L2.55 L2.40",
			hint: "keep the content digest beside each id"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			var receipts []contract.Receipt
			for _, e := range a.events {
				if was, err := a.next.Find(a.ctx, e.ID); err == nil {
					receipts = append(receipts, receipt(was))
				}
			}
			if len(receipts) > 0 && len(receipts) == len(a.events) {
				return receipts, nil
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "adds the missing events of a batch", finds: "L2.45",
			hint: "all is a retry, none is new, anything else is this error"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			receipts, err := a.forward()
			if !errors.Is(err, contract.ErrPartial) {
				return receipts, err
			}
			a.events = slices.DeleteFunc(slices.Clone(a.events), func(e contract.Event) bool {
				_, err := a.next.Find(a.ctx, e.ID)
				return err == nil
			})
			return a.forward()
		}}),
	},
	{
		wrongAnswer{
			name:  "refuses a retry of an append in flight",
			finds: "L2.37",
			also:  "L2.43",
			hint:  "read the recorded event and return its receipt",
			races: true,
		},
		func(s contract.Store) contract.Store {
			var busy sync.Map
			return wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
				for _, e := range a.events {
					if _, twice := busy.LoadOrStore(e.ID, true); twice {
						return nil, fmt.Errorf("id %s violates a unique index", e.ID)
					}
					defer busy.Delete(e.ID)
				}
				yieldToOthers()
				return a.forward()
			}})(s)
		},
	},
	{
		wrongAnswer{name: "Find drops the traceparent", finds: "L2.19", also: "L2.47 L2.33",
			hint: "store every attribute"},
		wrapWith(wrapper{found: func(e contract.Recorded) contract.Recorded {
			e.Traceparent = ""
			return e
		}}),
	},
	{
		wrongAnswer{name: "a missing stream is an error", finds: "L2.46", also: "L2.32",
			hint: "no error for an unknown stream"},
		wrapWith(wrapper{stream: func(
			ctx context.Context, s contract.Store, stream string,
		) eventSeq {
			if len(readStream(ctx, s, stream)) == 0 {
				return errorSeq(contract.ErrNotFound)
			}
			return s.Stream(ctx, stream)
		}}),
	},
	{
		wrongAnswer{name: "Find gives no position", finds: "L2.19", also: "L2.34",
			hint: "Find and Stream return it"},
		wrapWith(wrapper{found: func(e contract.Recorded) contract.Recorded {
			e.Position = contract.Position{}
			return e
		}}),
	},
	{
		wrongAnswer{name: "keeps the caller's buffers", finds: "L2.47",
			hint: "copy Data when an event is appended"},
		func(s contract.Store) contract.Store {
			var data sync.Map
			return wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
				receipts, err := a.forward()
				for _, e := range a.events {
					if err == nil {
						data.LoadOrStore(e.ID, e.Data)
					}
				}
				return receipts, err
			}, event: func(e contract.Recorded) contract.Recorded {
				if own, ok := data.Load(e.ID); ok {
					e.Data = own.([]byte)
				}
				return e
			}})(s)
		},
	},
	{
		wrongAnswer{
			name:  "a range includes the event before it",
			finds: "L2.48 L2.49",
			also:  "L2.51",
			hint:  "a range is half-open",
		},
		wrapWith(wrapper{read: func(
			ctx context.Context, s contract.Store, from, to contract.Cursor,
		) eventSeq {
			return s.Read(ctx, contract.Cursor{max(0, from.At(0)-1)}, to)
		}}),
	},
	{
		wrongAnswer{
			name:  "a follower ends after one event",
			finds: "L2.50",
			also:  "L2.51 L2.52 L2.33 L2.34",
			hint:  "a follower goes on after the end of the log",
		},
		wrapWith(wrapper{follow: func(
			ctx context.Context, s contract.Store, from contract.Cursor,
		) eventSeq {
			return s.Read(ctx, from, contract.Cursor{from.At(0) + 1})
		}}),
	},
	{
		wrongAnswer{name: "follows by recorded_at", finds: "L2.50", also: "L2.51 L2.33 " +
			"L2.34",
			hint: "become visible in another order than they were", waits: true},
		wrapWith(wrapper{follow: byTime}),
	},
	{
		wrongAnswer{name: "a follower ignores its cursor", finds: "L2.51",
			hint: "yield no event before the cursor"},
		wrapWith(wrapper{follow: func(
			ctx context.Context, s contract.Store, _ contract.Cursor,
		) eventSeq {
			return s.Follow(ctx, nil)
		}}),
	},
	{
		wrongAnswer{name: "a follower hides its error", finds: "L2.52",
			hint: "yield the context's error once"},
		wrapWith(wrapper{follow: func(
			ctx context.Context, s contract.Store, from contract.Cursor,
		) eventSeq {
			return func(yield func(contract.Recorded, error) bool) {
				for e, err := range s.Follow(ctx, from) {
					if err != nil || !yield(e, nil) {
						return
					}
				}
			}
		}}),
	},
	{
		wrongAnswer{name: "stamps with the clock alone", finds: "L2.20", also: "L2.31",
			hint: "use contract.Stamp with the time of the last event"},
		func(s contract.Store) contract.Store {
			var at sync.Map
			return wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
				now := a.clock(a.ctx).UTC().Truncate(time.Microsecond)
				var first []any
				// BEFORE the append: a reader must never see two times of one event
				for _, e := range a.events {
					if _, known := at.LoadOrStore(e.ID, now); !known {
						first = append(first, e.ID)
					}
				}
				receipts, err := a.forward()
				if err != nil {
					for _, id := range first {
						at.Delete(id)
					}
					return receipts, err
				}
				for i, e := range a.events {
					was, _ := at.Load(e.ID)
					receipts[i].RecordedAt = was.(time.Time)
				}
				return receipts, err
			}, event: func(e contract.Recorded) contract.Recorded {
				if was, ok := at.Load(e.ID); ok {
					e.RecordedAt = was.(time.Time)
				}
				return e
			}})(s)
		},
	},
	{
		wrongAnswer{name: "ignores the time in the context", finds: "L2.20",
			hint: "pass the caller's context to the clock"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			a.ctx = contract.At(a.ctx, time.Time{})
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "frontier in the future", finds: "L2.31",
			hint: "before the earliest time that the next append can get"},
		wrapWith(wrapper{frontier: func(f time.Time) time.Time { return f.Add(time.Hour) }}),
	},
	{
		wrongAnswer{name: "cuts a batch at 500 events", finds: "L2.39",
			hint: "still commit them as one"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			if len(a.events) <= 500 {
				return a.forward()
			}
			rest := a.events[500:]
			a.events = a.events[:500]
			receipts, err := a.forward()
			for range rest {
				receipts = append(receipts, receipts[len(receipts)-1])
			}
			return receipts, err
		}}),
	},
	{
		wrongAnswer{name: "refuses more than 100 streams", finds: "L2.53",
			hint: "decide each stream by its own events only"},
		func(s contract.Store) contract.Store {
			var mu sync.Mutex
			streams := map[string]bool{}
			return wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
				mu.Lock()
				defer mu.Unlock()
				if streams[a.stream] = true; len(streams) > 100 {
					return nil, errors.New("too many streams")
				}
				return a.forward()
			}})(s)
		},
	},
	{
		wrongAnswer{name: "limits the bytes of a batch", finds: "L2.54",
			hint: "raise the limits of the client"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			size := 0
			for _, e := range a.events {
				size += len(e.Data)
			}
			if size > contract.MaxData {
				return nil, fmt.Errorf("%w: %d bytes", contract.ErrInvalid, size)
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "an ended stream refuses retries", finds: "L2.55",
			hint: "look up the ids first"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			if events := readStream(a.ctx, a.next, a.stream); len(events) > 0 &&
				events[len(events)-1].Ends {
				return nil, &contract.EndedError{Stream: a.stream, Version: int64(len(events))}
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "drops the events after an end", finds: "L2.56",
			hint: "refuse a batch in which an event follows one with Ends"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			if i := slices.IndexFunc(a.events, func(
				e contract.Event,
			) bool {
				return e.Ends
			}); i >= 0 {
				a.events = a.events[:i+1]
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{
			name:  "marks the end after the append",
			finds: "L2.38",
			also:  "L2.44 L2.55 L2.56",
			hint:  "test for the end where you compare the version",
			races: true,
		},
		func(s contract.Store) contract.Store {
			var ends, ended sync.Map
			return wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
				last := len(a.events) - 1
				if _, over := ended.Load(a.stream); over || last < 0 || !a.events[last].Ends {
					if !over {
						yieldToOthers()
					}
					return a.forward()
				}
				a.events = slices.Clone(a.events)
				a.events[last].Ends = false
				receipts, err := a.forward()
				if err == nil {
					ends.Store(a.events[last].ID, true)
					yieldToOthers()
					ended.Store(a.stream, true)
				}
				return receipts, err
			}, event: func(e contract.Recorded) contract.Recorded {
				if _, is := ends.Load(e.ID); is {
					e.Ends = true
				}
				return e
			}})(s)
		},
	},
	{
		wrongAnswer{name: "compares where the payload is", finds: "L2.57 L2.40",
			hint: "the same with the payload and without it"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			for _, e := range a.events {
				if was, err := a.next.Find(a.ctx, e.ID); err == nil &&
					was.BodyDigest != e.BodyDigest {
					return nil, &contract.ReusedError{ID: e.ID, Stream: was.Stream}
				}
			}
			return a.forward()
		}}),
	},
	{
		wrongAnswer{name: "cuts data that is too large", finds: "L2.58",
			hint: "call Event.Validate before anything is written"},
		wrapWith(wrapper{append: func(a appendCall) ([]contract.Receipt, error) {
			a.events = slices.Clone(a.events)
			for i, e := range a.events {
				if e.Type != "" {
					a.events[i].Data = e.Data[:min(len(e.Data), contract.MaxData)]
				}
			}
			return a.forward()
		}}),
	},
}

// yieldToOthers lets other goroutines run.
func yieldToOthers() {
	for range 1000 {
		runtime.Gosched()
	}
}

// byTime polls for events with a later recorded_at than the last event, in whole milliseconds.
func byTime(ctx context.Context, s contract.Store, from contract.Cursor) eventSeq {
	return func(yield func(contract.Recorded, error) bool) {
		var last time.Time
		for ctx.Err() == nil {
			end, _ := s.End(ctx)
			for e := range s.Read(ctx, from, end) {
				if at := e.RecordedAt.Truncate(time.Millisecond); at.After(last) {
					last = at
					if !yield(e, nil) {
						return
					}
				}
			}
			runtime.Gosched()
		}
		yield(contract.Recorded{}, ctx.Err())
	}
}

func readStream(ctx context.Context, s contract.Store, stream string) []contract.Recorded {
	var events []contract.Recorded
	for e := range s.Stream(ctx, stream) {
		events = append(events, e)
	}
	return events
}

func errorSeq(err error) eventSeq {
	return func(yield func(contract.Recorded, error) bool) { yield(contract.Recorded{}, err) }
}

// An appendCall is one call of Append on a store that wraps next.
type appendCall struct {
	ctx      context.Context
	next     contract.Store
	clock    contract.Clock
	stream   string
	expected int64
	events   []contract.Event
}

// forward passes the call on to the wrapped store.
func (a appendCall) forward() ([]contract.Receipt, error) {
	return a.next.Append(a.ctx, a.stream, a.expected, a.events...)
}

// A wrapper is a correct store whose calls and answers are changed. A nil function changes nothing.
type wrapper struct {
	contract.Store
	append   func(appendCall) ([]contract.Receipt, error)
	event    func(contract.Recorded) contract.Recorded // by any read
	found    func(contract.Recorded) contract.Recorded // by Find
	stream   func(context.Context, contract.Store, string) eventSeq
	read     func(_ context.Context, _ contract.Store, from, to contract.Cursor) eventSeq
	follow   func(context.Context, contract.Store, contract.Cursor) eventSeq
	frontier func(time.Time) time.Time
}

func wrapWith(w wrapper) func(contract.Store) contract.Store {
	return func(s contract.Store) contract.Store {
		w := w
		w.Store = s
		return w
	}
}

func (w wrapper) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if w.append == nil {
		return w.Store.Append(ctx, stream, expected, events...)
	}
	return w.append(appendCall{ctx, w.Store, w.Store.(clocked).clock, stream, expected, events})
}

// clocked is a store with access to its clock.
type clocked struct {
	contract.Store
	clock contract.Clock
}

func (w wrapper) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	e, err := w.Store.Find(ctx, id)
	for _, change := range []func(contract.Recorded) contract.Recorded{w.event, w.found} {
		if err == nil && change != nil {
			e = change(e)
		}
	}
	return e, err
}

func (w wrapper) Stream(ctx context.Context, stream string) eventSeq {
	if w.stream != nil {
		return w.stream(ctx, w.Store, stream)
	}
	return w.changed(w.Store.Stream(ctx, stream))
}

func (w wrapper) Read(ctx context.Context, from, to contract.Cursor) eventSeq {
	if w.read != nil {
		return w.read(ctx, w.Store, from, to)
	}
	return w.changed(w.Store.Read(ctx, from, to))
}

func (w wrapper) Follow(ctx context.Context, from contract.Cursor) eventSeq {
	if w.follow != nil {
		return w.follow(ctx, w.Store, from)
	}
	return w.changed(w.Store.Follow(ctx, from))
}

func (w wrapper) Frontier(ctx context.Context) (time.Time, error) {
	f, err := w.Store.Frontier(ctx)
	if w.frontier != nil {
		f = w.frontier(f)
	}
	return f, err
}

func (w wrapper) changed(events eventSeq) eventSeq {
	if w.event == nil {
		return events
	}
	return func(yield func(contract.Recorded, error) bool) {
		for e, err := range events {
			if !yield(w.event(e), err) {
				return
			}
		}
	}
}

func TestSuiteFindsWrongAnyStore(t *testing.T) {
	t.Parallel()
	for _, w := range anyStoreWrongs {
		t.Run(w.name, func(t *testing.T) {
			t.Parallel()
			f := storetest.Fixture{Volatile: true, Open: func(
				_ check.T, clock contract.Clock,
			) storetest.Log {
				return storetest.Log{Store: w.wrap(clocked{memory.New(clock), clock})}
			}}
			s := storetest.Suite(f)
			s.Checks = append(s.Checks, storetest.Offload(f, reference(t).Offload).Checks...)
			// A store in memory is so fast that all is mostly written before the check reads.
			s.Checks = slices.DeleteFunc(s.Checks,
				func(c check.Check) bool { return c.ID == "L2.22" })
			requireFound(t, w.wrongAnswer, s)
		})
	}
}
