package replay

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Replayer folds the log from scratch.
type Replayer struct{ codec contract.Codec }

var _ contract.Replayer = Replayer{}

// New is a Replayer of events that codec decodes.
func New(codec contract.Codec) Replayer { return Replayer{codec} }

// Replay is the state of every event before to, and how many those are.
func (r Replayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (trade.State, int64, error) {
	streams, events, err := r.streams(ctx, log, to)
	if err != nil {
		return trade.State{}, 0, err
	}
	state, err := trade.StateOf(streams, trade.AsOf{})
	if err != nil {
		return trade.State{}, 0, fmt.Errorf("replay up to %s: %w", to, err)
	}
	return state, events, nil
}

// streams are the events before to, each stream in version order. An event that does not decode, or is not the next of
// its stream, ends the replay: to leave it out would be to vouch for another history.
func (r Replayer) streams(ctx context.Context, log contract.Reader, to contract.Cursor) (map[string][]trade.Event, int64, error) {
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
			return nil, 0, fmt.Errorf("stream %s has version %d at position %s, want %d", e.Stream, e.Version, e.Position, want)
		}
		streams[e.Stream] = append(streams[e.Stream], event)
		events++
	}
	return streams, events, nil
}
