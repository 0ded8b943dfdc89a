// Code generated from solutions/2-store/plain/headrecord.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// headOf returns the head of a stream whose last event is e.
func headOf(e contract.Recorded) contract.Head {
	return contract.Head{
		Stream: e.Stream, Version: e.Version, EventID: e.ID,
		RecordedAt: e.RecordedAt, Digest: e.ContentDigest(), Ended: e.Ends,
	}
}

// headRecord returns the record of the head of a stream whose last event is e.
func (o *owner) headRecord(ctx context.Context, e contract.Recorded) (*kgo.Record, error) {
	data, err := o.s.opts.Heads.EncodeHead(ctx, headOf(e))
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", e.Stream, err)
	}
	record := o.tombstone(e.Stream)
	record.Value = data
	return record, nil
}

// tombstone returns the record that deletes the head of a stream: a record without a value.
func (o *owner) tombstone(stream string) *kgo.Record {
	return &kgo.Record{Topic: o.s.heads, Partition: o.partition, Key: []byte(stream)}
}

// lastEvents returns the last event of each stream of the partition.
func (o *owner) lastEvents() []contract.Recorded {
	var last []contract.Recorded
	for stream := range o.s.index.streams {
		if o.s.partitionOf(stream) == o.partition {
			last = append(last, o.s.index.last(stream))
		}
	}
	return last
}

// A foundHead is the latest head record of a key. A record that cannot be decoded gives the zero
// head, which no stream has.
type foundHead struct {
	contract.Head
	deleted bool // the record is a tombstone
}

// readHeads returns the latest head of each stream before an offset of the topic of heads. An
// offset after the topic's end is an error: the records before it may never be written.
func (o *owner) readHeads(ctx context.Context, to int64) (map[string]foundHead, error) {
	ends, err := o.s.admin.ListEndOffsets(ctx, o.s.heads)
	end, err := o.s.cursor(ends, err)
	if err != nil {
		return nil, err
	}
	if to > end.At(o.partition) {
		return nil, fmt.Errorf("read %s up to %d: it ends at %d", o.s.heads, to,
			end.At(o.partition))
	}
	starts, err := o.s.admin.ListStartOffsets(ctx, o.s.heads) // compaction may move the start
	begin, err := o.s.cursor(starts, err)
	if err != nil {
		return nil, err
	}
	from, until := map[int32]int64{
		o.partition: begin.At(o.partition),
	}, map[int32]int64{
		o.partition: to,
	}
	found := map[string]foundHead{}
	err = o.s.scan(ctx, o.s.heads, from, until, func(record *kgo.Record) bool {
		if string(record.Key) != markType {
			found[string(record.Key)] = o.decodeHead(ctx, record)
		}
		return true
	})
	return found, err
}

func (o *owner) decodeHead(ctx context.Context, record *kgo.Record) foundHead {
	if record.Value == nil {
		return foundHead{deleted: true}
	}
	head, err := o.s.opts.Heads.DecodeHead(ctx, record.Value)
	if err != nil {
		return foundHead{}
	}
	return foundHead{Head: head}
}
