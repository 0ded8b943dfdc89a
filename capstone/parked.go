package capstone

import (
	"context"
	"fmt"
	"maps"
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
	streams := map[string][]trade.Event{}
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, s.Desk.Codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
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
