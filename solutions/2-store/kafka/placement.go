package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"
)

// A Placement says which streams share a partition: those that have one key. What is decided about them is decided by one owner
// then, and an id that is taken in one of them is taken in all, however many processes there are. The zero Placement gives each stream a
// key of its own, its name.
//
// Records keep the stream as their key, so who reads the topics notices nothing; only who computes a partition from a stream has to
// know.
type Placement struct {
	Name string // is written into a log that is created, which never takes another
	Key  func(stream string) string
}

// placementHeader is the attribute of a marker that names the placement of who wrote it.
const placementHeader = "ce_placement"

// partition is where a stream lives.
func (s *Store) partition(stream string) int32 {
	if s.opts.Place.Key != nil {
		stream = s.opts.Place.Key(stream)
	}
	return partitionOf(stream, s.partitions)
}

// checkPlacement refuses a log that was created with another placement: its streams would not be found, and be begun again elsewhere.
// The first owner of a partition left its marker there, which is the first of all records.
func (s *Store) checkPlacement(ctx context.Context, partitions int32) error {
	const room = 32 // for take-overs that were broken off
	end, err := s.endOf(ctx, partitions)
	if err != nil {
		return err
	}
	from, to := map[int32]int64{}, map[int32]int64{}
	for p := range partitions {
		from[p], to[p] = 0, min(end.At(p), room)
	}
	var other *string
	first := map[int32]bool{}
	err = s.scan(ctx, s.events, from, to, func(r *kgo.Record) bool {
		if placement, marked := markedBy(r); marked && !first[r.Partition] && placement != s.opts.Place.Name {
			other = &placement
		}
		first[r.Partition] = true
		return other == nil
	})
	if err == nil && other != nil {
		err = fmt.Errorf("%w: %s was created with the placement %q, and this one is %q", ErrUnfit, s.events, *other, s.opts.Place.Name)
	}
	return err
}

// markedBy is the placement that a marker names; false if r is none.
func markedBy(r *kgo.Record) (placement string, marked bool) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_type":
			marked = string(h.Value) == markerType
		case placementHeader:
			placement = string(h.Value)
		}
	}
	return placement, marked
}
