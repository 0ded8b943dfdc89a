package kafka

import (
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// A Placement assigns streams to partitions: streams with the same key share a partition. One
// owner decides about all of them, and an id that is taken in one is taken in all, however many
// processes there are. The zero Placement uses the name of the stream as its key.
//
// Records keep the stream as their key, so readers of the topics are not affected. Only a program
// that computes a partition from a stream must know the Placement.
type Placement struct {
	Name string // is written into a new log, which then takes no other Placement
	Key  func(stream string) string
}

// ByPlace is the Placement by contract.PlaceOf. An append to several streams needs it.
var ByPlace = Placement{Name: "place", Key: contract.PlaceOf}

func (p Placement) partition(stream string, partitions int32) int32 {
	if p.Key != nil {
		stream = p.Key(stream)
	}
	return partitionOf(stream, partitions)
}

// partitionOf returns the partition of a key: murmur2 without the sign bit, modulo the number of
// partitions. Kafka's own default partitioner does the same (KafkaProducer, BuiltInPartitioner). So
// where the key is the stream's name, any other client finds the stream in the same partition. It
// must never change for a log that exists.
func partitionOf(key string, partitions int32) int32 {
	return int32(murmur2([]byte(key))&0x7fffffff) % partitions
}

// murmur2 is Austin Appleby's MurmurHash2 with the seed of murmur2 in
// org.apache.kafka.common.utils.Utils.
func murmur2(data []byte) uint32 {
	const (
		seed = 0x9747b28c
		m    = 0x5bd1e995
		r    = 24
	)
	h := seed ^ uint32(len(data))
	for ; len(data) >= 4; data = data[4:] {
		k := uint32(data[0]) | uint32(data[1])<<8 | uint32(data[2])<<16 | uint32(data[3])<<24
		k *= m
		k ^= k >> r
		k *= m
		h *= m
		h ^= k
	}
	switch len(data) {
	case 3:
		h ^= uint32(data[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(data[1]) << 8
		fallthrough
	case 1:
		h ^= uint32(data[0])
		h *= m
	}
	h ^= h >> 13
	h *= m
	h ^= h >> 15
	return h
}

// A layout determines the partition of each stream. A log whose layout changed would not find its
// streams, and would begin them again in other partitions.
type layout struct {
	Placement  string
	Partitions int32
	Simulated  bool // recorded_at does not follow a clock: see contract.Timeline
}

func (l layout) String() string {
	text := fmt.Sprintf("%d partitions and the placement %q", l.Partitions, l.Placement)
	if l.Simulated {
		text += ", with simulated times"
	}
	return text
}

// An owner mark is the record by which an owner states in both topics that it took a partition
// over. Readers skip it. The first mark of a partition is its first record, and states the layout
// with which the log was created.
//
//	key  blotter.owner
//	     ce_type        blotter.owner
//	     ce_source      address of the owner
//	     ce_placement   name of the Placement
//	     ce_partitions  number of partitions
//	     ce_simulated   true if recorded_at does not follow a clock, else false
//	value address of the owner
const markType = "blotter.owner"

// newMark returns the owner mark for a topic.
func newMark(topic, address string, l layout) *kgo.Record {
	headers := []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte(specVersion)},
		{Key: "ce_id", Value: []byte(uuid.NewString())},
		{Key: "ce_source", Value: []byte(address)},
		{Key: "ce_type", Value: []byte(markType)},
		{Key: "ce_placement", Value: []byte(l.Placement)},
		{Key: "ce_partitions", Value: []byte(strconv.Itoa(int(l.Partitions)))},
		{Key: "ce_simulated", Value: []byte(strconv.FormatBool(l.Simulated))},
		{Key: "content-type", Value: []byte("text/plain")},
	}
	return &kgo.Record{
		Topic: topic, Key: []byte(markType), Value: []byte(address), Headers: headers,
	}
}

// A frontier mark is the record by which an owner promises that every later event of its partition
// has a recorded_at after ce_time. Readers skip it, and the next owners keep it. It is committed
// BEFORE a sealed batch states a frontier: an honest owner whose clock was set back then does not
// look like a forger.
//
//	key  blotter.frontier
//	     ce_type        blotter.frontier
//	     ce_source      address of the owner
//	     ce_time        the frontier; the zero time in a simulated log, which shows only that a
//	                    seal began
//	value address of the owner
const frontierType = "blotter.frontier"

// newFrontier returns the frontier mark of an owner.
func newFrontier(topic, address string, at time.Time) *kgo.Record {
	headers := []kgo.RecordHeader{
		{Key: "ce_specversion", Value: []byte(specVersion)},
		{Key: "ce_id", Value: []byte(uuid.NewString())},
		{Key: "ce_source", Value: []byte(address)},
		{Key: "ce_type", Value: []byte(frontierType)},
		{Key: "ce_time", Value: []byte(at.UTC().Format(timeFormat))},
		{Key: "content-type", Value: []byte("text/plain")},
	}
	return &kgo.Record{
		Topic: topic, Key: []byte(frontierType), Value: []byte(address), Headers: headers,
	}
}

// frontierOf returns the promise of a frontier mark. isMark is false for another record.
func frontierOf(r *kgo.Record) (at time.Time, isMark bool) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_type":
			isMark = string(h.Value) == frontierType
		case "ce_time":
			at, _ = time.Parse(timeFormat, string(h.Value)) // zero promises nothing
		}
	}
	return at, isMark
}

// layoutOf returns the layout that an owner mark states. isMark is false for another record.
func layoutOf(r *kgo.Record) (l layout, isMark bool) {
	for _, h := range r.Headers {
		switch h.Key {
		case "ce_type":
			isMark = string(h.Value) == markType
		case "ce_placement":
			l.Placement = string(h.Value)
		case "ce_simulated":
			l.Simulated = string(h.Value) == isTrue
		case "ce_partitions":
			n, _ := strconv.Atoi(string(h.Value)) // 0 for no number, which is not our number either
			l.Partitions = int32(n)
		}
	}
	return l, isMark
}
