package replay

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Replay returns the state of all events before to, and their number (L4.I4, L4.I5).
func (r Replayer) Replay(ctx context.Context, log contract.Reader, to contract.Cursor) (
	trade.State, int64, error) {
	streams, events, err := r.streams(ctx, log, to)
	if err != nil {
		return trade.State{}, 0, err
	}
	return trade.StateOf(streams, trade.AsOf{}), events, nil
}

// streams returns the events before to, each stream in version order, and their number.
func (r Replayer) streams(ctx context.Context, log contract.Reader, to contract.Cursor) (
	map[string][]trade.Event, int64, error) {
	streams, events := map[string][]trade.Event{}, int64(0)
	for recorded, err := range log.Read(ctx, nil, to) {
		if err != nil {
			return nil, 0, fmt.Errorf("read the log up to %s: %w", to, err)
		}
		e, err := contract.Decoded(ctx, r.codec, recorded)
		if err == nil {
			err = take(streams, recorded, e)
		}
		if err != nil {
			return nil, 0, err
		}
		events++
	}
	return streams, events, nil
}
