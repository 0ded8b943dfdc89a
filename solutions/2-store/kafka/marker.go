package kafka

import (
	"context"
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A marker is the record by which an owner says that it took a partition over, in both topics. Readers pass over it. The first marker of a
// partition is the first record there is, and says how the log was created.
//
//	key  blotter.owner
//	     ce_type        blotter.owner
//	     ce_source      address of the owner
//	     ce_placement   name of the Placement
//	     ce_partitions  how many there are
//	value address of the owner
const markerType = "blotter.owner"

// A layout is what says in which partition a stream is. A log whose layout changed would not find its streams, and begin them again
// elsewhere.
type layout struct {
	Placement  string
	Partitions int32
}

func (l layout) String() string {
	return fmt.Sprintf("%d partitions and the placement %q", l.Partitions, l.Placement)
}

// marker is the record of an owner that takes over.
func marker(topic, address string, l layout) *kgo.Record {
	return &kgo.Record{Topic: topic, Key: []byte(markerType), Value: []byte(address), Headers: []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte(specVersion)},
		{Key: "ce_id", Value: []byte(uuid.NewString())},
		{Key: "ce_source", Value: []byte(address)},
		{Key: "ce_type", Value: []byte(markerType)},
		{Key: "ce_placement", Value: []byte(l.Placement)},
		{Key: "ce_partitions", Value: []byte(strconv.Itoa(int(l.Partitions)))},
		{Key: "content-type", Value: []byte("text/plain")},
	}}
}

// layoutOf is what a marker says; false if r is none.
func layoutOf(r *kgo.Record) (l layout, marked bool) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_type":
			marked = string(h.Value) == markerType
		case "ce_placement":
			l.Placement = string(h.Value)
		case "ce_partitions":
			n, _ := strconv.Atoi(string(h.Value)) // what is no number is not the number of our partitions either
			l.Partitions = int32(n)
		}
	}
	return l, marked
}

// checkLayout refuses a log that was created with another layout. A partition without a marker has had no owner, and has nothing in it.
func (s *Store) checkLayout(ctx context.Context, partitions int32) error {
	const room = 32 // for take-overs that were broken off
	end, err := s.endOf(ctx, partitions)
	if err != nil {
		return err
	}
	from, to := map[int32]int64{}, map[int32]int64{}
	for p := range partitions {
		if end.At(p) > 0 {
			from[p], to[p] = 0, min(end.At(p), room)
		}
	}
	now, first := layout{s.opts.Place.Name, partitions}, map[int32]bool{}
	var other *layout
	err = s.scan(ctx, s.events, from, to, func(r *kgo.Record) bool {
		if was, marked := layoutOf(r); marked && !first[r.Partition] && was != now {
			other = &was
		}
		first[r.Partition] = true
		return other == nil && len(first) < len(from)
	})
	if err == nil && other != nil {
		err = fmt.Errorf("%w: %s was created with %s, and there are %s", ErrUnfit, s.events, *other, now)
	}
	return err
}
