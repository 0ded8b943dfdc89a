package store

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A mark is the record by which an owner says that it took a partition over, in both topics. Readers pass over it. The first mark of a
// partition is the first record there is, and says how the log was created.
const markerType = "blotter.owner"

// A layout is what says in which partition a stream is. A log whose layout changed would not find its streams, and begin them again
// elsewhere.
type layout struct {
	Placement  string
	Partitions int
}

func (l layout) String() string {
	return fmt.Sprintf("%d partitions and the placement %q", l.Partitions, l.Placement)
}

func (s *Store) layout() layout { return layout{s.opts.Place.Name, len(s.owners)} }

// marks are the records of an owner that takes over, one for each topic.
func (o *owner) marks() (events, heads *kgo.Record) {
	l := o.s.layout()
	mark := func(topic string) *kgo.Record {
		return &kgo.Record{
			Topic: topic, Partition: o.partition, Key: []byte(markerType), Value: []byte(o.s.opts.Address),
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte(specVersion)},
				{Key: "ce_id", Value: []byte(uuid.NewString())},
				{Key: "ce_source", Value: []byte(o.s.opts.Address)},
				{Key: "ce_type", Value: []byte(markerType)},
				{Key: "ce_placement", Value: []byte(l.Placement)},
				{Key: "ce_partitions", Value: []byte(strconv.Itoa(l.Partitions))},
				{Key: "content-type", Value: []byte("text/plain")},
			},
		}
	}
	return mark(o.s.events), mark(o.s.heads)
}

// parseMark is what a mark says; false if the record is none.
func parseMark(record *kgo.Record) (l layout, marked bool) {
	for _, h := range record.Headers {
		switch h.Key {
		case "ce_type":
			marked = string(h.Value) == markerType
		case "ce_placement":
			l.Placement = string(h.Value)
		case "ce_partitions":
			l.Partitions, _ = strconv.Atoi(string(h.Value)) // what is no number is not the number of ours either
		}
	}
	return l, marked
}
