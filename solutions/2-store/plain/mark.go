package store

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
)

// markType is the type of an owner mark: the record that an owner writes to both topics when it
// takes over a partition. Readers skip it. The first record of a partition is its first mark, which
// says how the log was created.
const markType = "blotter.owner"

// frontierType is the type of a frontier mark: a record by which an owner promises that all later
// events of the partition get a time after it. Readers skip it, and the next owners keep it.
const frontierType = "blotter.frontier"

// frontierMark returns the record of a promise.
func (o *owner) frontierMark(at time.Time) *kgo.Record {
	address := []byte(o.s.opts.Address)
	return &kgo.Record{
		Topic: o.s.events, Partition: o.partition, Key: []byte(frontierType), Value: address,
		Headers: []kgo.RecordHeader{
			{Key: "ce_specversion", Value: []byte(specVersion)},
			{Key: "ce_id", Value: []byte(uuid.NewString())},
			{Key: "ce_source", Value: address},
			{Key: "ce_type", Value: []byte(frontierType)},
			{Key: "ce_time", Value: []byte(at.UTC().Format(timeFormat))},
			{Key: "content-type", Value: []byte("text/plain")},
		},
	}
}

// parseFrontier returns the promise in a frontier mark. It reports whether the record is one.
func parseFrontier(record *kgo.Record) (at time.Time, isFrontier bool) {
	for _, h := range record.Headers {
		switch h.Key {
		case "ce_type":
			isFrontier = string(h.Value) == frontierType
		case "ce_time":
			at, _ = time.Parse(timeFormat, string(h.Value)) // zero promises nothing
		}
	}
	return at, isFrontier
}

// A layout determines the partition of each stream. A log whose layout changed would not find its
// streams, and would begin them again in other partitions.
type layout struct {
	Placement  string
	Partitions int
	Simulated  bool // recorded_at does not follow a clock; see contract.Timeline
}

func (l layout) String() string {
	text := fmt.Sprintf("%d partitions and the placement %q", l.Partitions, l.Placement)
	if l.Simulated {
		text += ", with simulated times"
	}
	return text
}

// layout returns the layout that the log must have. Options decide only whether a new log is
// simulated: of an existing log, its first mark does.
func (s *Store) layout() layout {
	simulated := s.opts.Simulated
	if s.created != nil {
		simulated = s.created.Simulated
	}
	return layout{s.opts.Place.Name, len(s.owners), simulated}
}

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
				{Key: "ce_simulated", Value: []byte(strconv.FormatBool(l.Simulated))},
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
		case "ce_simulated":
			l.Simulated = string(h.Value) == "true"
		case "ce_partitions":
			l.Partitions, _ = strconv.Atoi(string(h.Value)) // 0 if it is no number: no log has 0
		}
	}
	return l, isMark
}
