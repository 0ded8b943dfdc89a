// Code generated from solutions/2-store/plain/headrecord.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// headOf is the head of a stream whose last event is e.
func headOf(e contract.Recorded) contract.Head {
	return contract.Head{Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt, Digest: e.ContentDigest(), Ended: e.Ends}
}

// headRecord is the record of the head of a stream whose last event is e.
func (o *owner) headRecord(ctx context.Context, e contract.Recorded) (*kgo.Record, error) {
	data, err := o.s.opts.Heads.EncodeHead(ctx, headOf(e))
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", e.Stream, err)
	}
	return &kgo.Record{Topic: o.s.heads, Partition: o.partition, Key: []byte(e.Stream), Value: data}, nil
}

// tombstone is the record that takes away the head of a stream that does not exist.
func (o *owner) tombstone(stream string) *kgo.Record {
	return &kgo.Record{Topic: o.s.heads, Partition: o.partition, Key: []byte(stream)}
}

// ends is the last event of each stream of the partition.
func (o *owner) lastEvents() []contract.Recorded {
	var ends []contract.Recorded
	for stream := range o.s.index.streams {
		if o.s.partitionOf(stream) == o.partition {
			ends = append(ends, o.s.index.last(stream))
		}
	}
	return ends
}

// A foundHead is the latest head of a key. One that cannot be decoded is the zero head, which no stream has.
type foundHead struct {
	contract.Head
	null bool
}

// readHeads is the latest head of each stream before the offset, which is one of the topic of heads. An offset behind the topic's end is an error:
// what lies before it will perhaps never come.
func (o *owner) readHeads(ctx context.Context, to int64) (map[string]foundHead, error) {
	ends, err := o.s.admin.ListEndOffsets(ctx, o.s.heads)
	end, err := o.s.cursor(ends, err)
	if err != nil {
		return nil, err
	}
	if to > end.At(o.partition) {
		return nil, fmt.Errorf("read %s up to %d: it ends at %d", o.s.heads, to, end.At(o.partition))
	}
	starts, err := o.s.admin.ListStartOffsets(ctx, o.s.heads) // compaction moves it
	begin, err := o.s.cursor(starts, err)
	if err != nil {
		return nil, err
	}
	found := map[string]foundHead{}
	err = o.s.scan(ctx, o.s.heads, map[int32]int64{o.partition: begin.At(o.partition)}, map[int32]int64{o.partition: to}, func(record *kgo.Record) bool {
		if string(record.Key) == markerType {
			return true
		}
		head := foundHead{null: record.Value == nil}
		if !head.null {
			if decoded, err := o.s.opts.Heads.DecodeHead(ctx, record.Value); err == nil {
				head.Head = decoded
			}
		}
		found[string(record.Key)] = head
		return true
	})
	return found, err
}
