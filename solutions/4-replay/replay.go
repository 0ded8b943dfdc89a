// Package replay shows that history still leads to the archived states.
//
// A replay folds the log from its first event. It uses neither the rows nor the code of the
// projection. If its bytes equal an archived state, then the history before the snapshot's cursor
// still leads to that state. So no event that affects the state has changed since, and the two ways
// of deriving a state agree. If the bytes differ, Compare names the first line that differs, and
// Explain names the fields.
//
// A state is trades and positions. Some changes of history do not affect it: the actor and the
// reason of an event, a refusal, a price that was marked again later. The auditor of Lab 5 finds
// these.
//
// Package plain has the archive of snapshots. It is built like the lab.
package replay

import (
	"bytes"
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Replayer folds the log from scratch.
type Replayer struct{ codec contract.Codec }

var _ contract.Replayer = Replayer{}

// New returns a Replayer of events that codec decodes.
func New(codec contract.Codec) Replayer { return Replayer{codec} }

// Replay returns the state of all events before to, and their number.
func (r Replayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	streams, events, err := r.streams(ctx, log, to)
	if err != nil {
		return trade.State{}, 0, err
	}
	return trade.StateOf(streams, trade.AsOf{}), events, nil
}

// streams returns the events before to, each stream in version order. An event that
// cannot be decoded yet, or does not have the next version of its stream, ends the replay: a replay
// without it would vouch for another history.
func (r Replayer) streams(ctx context.Context, log contract.Reader, to contract.Cursor) (
	map[string][]trade.Event, int64, error) {
	streams, events := map[string][]trade.Event{}, int64(0)
	for e, err := range log.Read(ctx, nil, to) {
		if err != nil {
			return nil, 0, fmt.Errorf("read the log up to %s: %w", to, err)
		}
		event, err := contract.Decoded(ctx, r.codec, e)
		if err != nil {
			return nil, 0, err
		}
		if want := int64(len(streams[e.Stream])) + 1; e.Version != want {
			what := fmt.Sprintf("%s has version %d here, want %d", e.Stream, e.Version, want)
			return nil, 0, &contract.DamagedError{Position: e.Position, What: what}
		}
		streams[e.Stream] = append(streams[e.Stream], event)
		events++
	}
	return streams, events, nil
}

// Compare returns nil if the two states are the same bytes, otherwise a *contract.Difference with
// the first line that differs.
func (Replayer) Compare(archived, replayed []byte) error {
	if bytes.Equal(archived, replayed) {
		return nil
	}
	for line := 1; ; line++ {
		a, restA, moreA := bytes.Cut(archived, []byte("\n"))
		r, restR, moreR := bytes.Cut(replayed, []byte("\n"))
		// A line with a newline differs from the same text at the end of the file without one.
		if !bytes.Equal(a, r) || moreA != moreR {
			return &contract.Difference{Line: line, Archived: string(a), Replay: string(r)}
		}
		archived, replayed = restA, restR
	}
}
