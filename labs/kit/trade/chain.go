package trade

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"sort"
	"strings"
	"time"

	"github.com/google/uuid"
)

// A Chain has a digest for each prefix of a history. Its k-th digest is
//
//	D(0) = SHA-256("blotter/chain/v1" ‖ 0 ‖ StateFormat)
//	D(k) = SHA-256(D(k-1) ‖ the effect of event k, as JSON)
//
// The prefixes follow the order of recorded_at, stream and version. The effect of an event is its
// stream and version, and the lines of the canonical state that it changed: of its trade or curve,
// of the pools of its legs, and of its stream if it parks it. Former lines and new lines count. An
// event that changes no line counts by its place alone.
//
// So two chains are equal up to k if both histories have the same state after each of their first k
// events. After their first difference two chains never agree again, although the states may.
type Chain []ChainDigest

// A ChainDigest is a digest of a chain. Its text is hexadecimal.
type ChainDigest [sha256.Size]byte

// MarshalText implements encoding.TextMarshaler.
func (d ChainDigest) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%x", d[:]), nil }

// UnmarshalText implements encoding.TextUnmarshaler.
func (d *ChainDigest) UnmarshalText(text []byte) error {
	digest, err := hex.DecodeString(string(text))
	if err != nil || len(digest) != len(d) {
		return fmt.Errorf("%q is not a SHA-256 digest in hexadecimal", text)
	}
	copy(d[:], digest)
	return nil
}

// FirstDifference returns the number of the first event at which two histories differ, from 1; it
// is 0 if they do not. If one history continues the other, they differ at the first event that only
// one of them has. It makes O(log n) comparisons.
func (c Chain) FirstDifference(o Chain) int64 {
	shorter := min(len(c), len(o))
	n := sort.Search(shorter, func(i int) bool { return c[i] != o[i] })
	if n == len(c) && n == len(o) {
		return 0
	}
	return int64(n) + 1
}

// ChainOf returns the chain of the streams of trades and curves. It leaves out other streams. An
// error names a stream that lacks a version, or whose recorded times do not ascend.
func ChainOf(streams map[string][]Event) (Chain, error) {
	last := ChainDigest(sha256.Sum256([]byte("blotter/chain/v1\x00" + StateFormat)))
	c := Chain{}
	for step, err := range Steps(streams) {
		if err != nil {
			return nil, err
		}
		last = step.digest(last)
		c = append(c, last)
	}
	return c, nil
}

// A Step is an event of a history, and its effect on the state.
type Step struct {
	N          int64     `json:"n"` // the number of the event in the order of a chain, from 1
	Stream     string    `json:"stream"`
	Version    int64     `json:"version"`
	Event      uuid.UUID `json:"event"`
	RecordedAt time.Time `json:"recorded_at"`
	Before     []string  `json:"before"` // the changed lines of the canonical state, before it
	After      []string  `json:"after"`  // and after it
}

// digest returns the next digest of a chain.
func (s Step) digest(last ChainDigest) ChainDigest {
	text, err := json.Marshal([]any{s.Stream, s.Version, s.Before, s.After})
	if err != nil { // every field is plain data
		panic(fmt.Sprintf("trade: a step that does not marshal: %v", err))
	}
	return sha256.Sum256(append(last[:], text...))
}

// Steps yields the events of trades and curves in the order of a chain, each with its effect. See
// ChainOf for its error.
func Steps(streams map[string][]Event) iter.Seq2[Step, error] {
	return func(yield func(Step, error) bool) {
		w := &walker{book: NewBook(), positions: map[PoolKey]Position{}}
		for i, e := range placed(streams) {
			if step, err := w.step(i, e); !yield(step, err) || err != nil {
				return
			}
		}
	}
}

// StepAt returns event n of a chain. It takes a third of the time of Steps: the effects of earlier
// events are not computed. ok is false if the history has no such event.
func StepAt(streams map[string][]Event, n int64) (s Step, ok bool, err error) {
	all := placed(streams)
	if n < 1 || n > int64(len(all)) {
		return s, false, nil
	}
	w := &walker{book: NewBook(), positions: map[PoolKey]Position{}}
	for _, e := range all[:n-1] {
		if err := w.book.Apply(e.stream, e.Event); err != nil {
			return s, false, err
		}
	}
	for key, g := range w.book.pools {
		w.positions[key] = PositionOf(key, g.pool)
	}
	s, err = w.step(int(n)-1, all[n-1])
	return s, err == nil, err
}

type placedEvent struct {
	stream string
	Event
}

// placed returns the events in the order of a chain.
func placed(streams map[string][]Event) (all []placedEvent) {
	for stream, events := range streams {
		if !Folds(stream) {
			continue
		}
		for _, e := range events {
			all = append(all, placedEvent{stream, e})
		}
	}
	slices.SortFunc(all, func(a, b placedEvent) int {
		return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), cmp.Compare(a.stream, b.stream),
			cmp.Compare(a.Version, b.Version))
	})
	return all
}

// A walker applies events to a book, and keeps the position of each pool.
type walker struct {
	book      *Book
	positions map[PoolKey]Position
}

// step takes the next event, whose index in the order of a chain is i.
func (w *walker) step(i int, e placedEvent) (Step, error) {
	was, is, err := w.apply(e.stream, e.Event)
	return Step{
		int64(i) + 1, e.stream, e.Version, e.ID, e.RecordedAt, without(was, is), without(is, was),
	}, err
}

// apply takes the next event. It returns the lines of its part of the state, before and after it.
func (w *walker) apply(stream string, e Event) (was, is []string, err error) {
	before := State{Curves: map[string]Curve{}}
	var legs []Leg
	if s := w.book.streams[stream]; s != nil {
		before.addStream(stream, s)
		legs = s.now.Legs
	}
	if err := w.book.Apply(stream, e); err != nil {
		return nil, nil, err
	}
	after := State{Curves: map[string]Curve{}}
	s := w.book.streams[stream]
	after.addStream(stream, s)
	//determinism:unordered lines sorts the positions
	for key := range Changed(legs, s.now.Legs) {
		if p, held := w.positions[key]; held {
			before.Positions = append(before.Positions, p)
		}
		delete(w.positions, key)
		if g := w.book.pools[key]; g != nil {
			w.positions[key] = PositionOf(key, g.pool)
			after.Positions = append(after.Positions, w.positions[key])
		}
	}
	return before.lines(), after.lines(), nil
}

// lines returns the canonical lines of a state whose positions are in any order.
func (s State) lines() []string {
	slices.SortFunc(s.Positions, func(a, b Position) int { return a.PoolKey.Compare(b.PoolKey) })
	return slices.Collect(strings.Lines(string(s.Canonical())))
}

// without returns the lines that are not among others.
func without(lines, others []string) []string {
	among := make(map[string]bool, len(others))
	for _, line := range others {
		among[line] = true
	}
	rest := []string{}
	for _, line := range lines {
		if !among[line] {
			rest = append(rest, line)
		}
	}
	return rest
}
