package capstone

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A ParkedStream is a parked stream, with its illegal event as recorded.
type ParkedStream struct {
	trade.Parked
	Illegal contract.Recorded
}

// Parked folds the log before end from scratch, and returns the parked streams, sorted. An event
// that cannot be decoded parks every stream, also one that no state has.
func (s *System) Parked(ctx context.Context, end contract.Cursor) ([]ParkedStream, error) {
	streams, err := s.Streams(ctx, end)
	if err != nil {
		return nil, err
	}
	var all []ParkedStream
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		_, parked := trade.Legal(stream, streams[stream])
		if parked == nil {
			continue
		}
		illegal, err := s.version(ctx, stream, parked.Version)
		if err != nil {
			return nil, err
		}
		all = append(all, ParkedStream{*parked, illegal})
	}
	return all, nil
}

// version returns one event of a stream, as recorded.
func (s *System) version(
	ctx context.Context, stream string, n int64,
) (r contract.Recorded, err error) {
	for r, err := range s.Log.Stream(ctx, stream) {
		if err != nil || r.Version == n {
			return r, err
		}
	}
	return r, fmt.Errorf("stream %s ends before version %d", stream, n)
}

// Retried is the result of folding a parked stream again.
type Retried struct {
	Stream  string        `json:"stream"`
	Applied int           `json:"applied"` // events that the read model had kept out
	Waiting int           `json:"waiting"` // events that do not count, the illegal one included
	Parked  *trade.Parked `json:"parked,omitempty"`
}

// Retry folds a stream of the log with the present rules and schemas. If the read model kept out
// events that count now, rebuild replaces the model: it was folded by another program, or without a
// schema that the registry has now. A stream that is not on record is contract.ErrNotFound.
//
// A crash before the model is replaced leaves the old one, and Retry does the same again.
func (s *System) Retry(
	ctx context.Context, stream string, rebuild func(context.Context) error,
) (Retried, error) {
	r := Retried{Stream: stream}
	h, err := s.Desk.history(ctx, stream, math.MaxInt64)
	if err == nil && len(h.events) == 0 {
		err = fmt.Errorf("stream %s: %w", stream, contract.ErrNotFound)
	}
	if err != nil {
		return r, err
	}
	legal, parked := trade.Legal(stream, h.events)
	r.Parked, r.Waiting = parked, len(h.events)-len(legal)
	state, err := s.State(ctx)
	if err != nil {
		return r, err
	}
	for _, kept := range state.Parked {
		if kept.Stream != stream || parked != nil && parked.Version == kept.Version {
			continue
		}
		for _, e := range legal {
			if e.Version >= kept.Version {
				r.Applied++
			}
		}
		return r, rebuild(ctx)
	}
	return r, nil
}
