// Code generated from solutions/2-store/plain/mark.go by make generate; DO NOT EDIT.

package store

import (
	"fmt"
	"strconv"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// markType is the type of an owner mark: the record that an owner writes to both topics when it
// takes over a partition. Readers skip it. The first record of a partition is its first mark, which
// says how the log was created.
const markType = "blotter.owner"

// A layout determines the partition of each stream. A log whose layout changed would not find its
// streams, and would begin them again in other partitions.
type layout struct {
	Placement  string
	Partitions int
}

func (l layout) String() string {
	return fmt.Sprintf("%d partitions and the placement %q", l.Partitions, l.Placement)
}

func (s *Store) layout() layout { return layout{s.opts.Place.Name, len(s.owners)} }

// marks returns the marks of an owner that takes over, one for each topic.
func (o *owner) marks() (events, heads *kgo.Record) {
	l := o.s.layout()
	address := []byte(o.s.opts.Address)
	mark := func(topic string) *kgo.Record {
		return &kgo.Record{
			Topic: topic, Partition: o.partition, Key: []byte(markType), Value: address,
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte(specVersion)},
				{Key: "ce_id", Value: []byte(uuid.NewString())},
				{Key: "ce_source", Value: address},
				{Key: "ce_type", Value: []byte(markType)},
				{Key: "ce_placement", Value: []byte(l.Placement)},
				{Key: "ce_partitions", Value: []byte(strconv.Itoa(l.Partitions))},
				{Key: "content-type", Value: []byte("text/plain")},
			},
		}
	}
	return mark(o.s.events), mark(o.s.heads)
}

// parseMark returns the layout in a mark. It reports whether the record is a mark.
func parseMark(record *kgo.Record) (l layout, isMark bool) {
	for _, h := range record.Headers {
		switch h.Key {
		case "ce_type":
			isMark = string(h.Value) == markType
		case "ce_placement":
			l.Placement = string(h.Value)
		case "ce_partitions":
			l.Partitions, _ = strconv.Atoi(string(h.Value)) // 0 if it is no number: no log has 0
		}
	}
	return l, isMark
}
