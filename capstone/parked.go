package capstone

import (
	"context"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A ParkedStream is a parked stream, with its illegal event as recorded.
type ParkedStream struct {
	trade.Parked
	Illegal contract.Recorded
}

// Parked folds the log before end from scratch, and returns the parked streams, sorted.
func (s *System) Parked(ctx context.Context, end contract.Cursor) ([]ParkedStream, error) {
	streams := map[string][]trade.Event{}
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(ctx, s.Desk.Codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	var all []ParkedStream
	for _, p := range trade.StateOf(streams, trade.AsOf{}).Parked {
		for r, err := range s.Log.Stream(ctx, p.Stream) {
			if err != nil {
				return nil, err
			}
			if r.Version == p.Version {
				all = append(all, ParkedStream{p, r})
				break
			}
		}
	}
	return all, nil
}
