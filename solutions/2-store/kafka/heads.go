package kafka

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// headOf is the head of a stream whose last event is e.
func headOf(e contract.Recorded) contract.Head {
	return contract.Head{Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt, Digest: e.ContentDigest()}
}

func (s *Store) head(ctx context.Context, e contract.Recorded) (*kgo.Record, error) {
	data, err := s.opts.Heads.EncodeHead(ctx, headOf(e))
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", e.Stream, err)
	}
	return &kgo.Record{Topic: s.heads, Key: []byte(e.Stream), Value: data}, nil
}

// mendHeads makes the heads before the offset say what the log says. Both are written in one transaction, so they
// differ only where a broker broke its promise, or where somebody else wrote there.
func (o *owner) mendHeads(ctx context.Context, to int64) error {
	found, err := o.readHeads(ctx, to)
	if err != nil {
		return err
	}
	var mend []*kgo.Record
	for stream, last := range o.s.index.ends(o.partition) {
		if found[stream] != headOf(last) {
			record, err := o.s.head(ctx, last)
			if err != nil {
				return err
			}
			mend = append(mend, record)
		}
		delete(found, stream)
	}
	for stream := range found { // of streams that do not exist: a null head says there never was one
		mend = append(mend, &kgo.Record{Topic: o.s.heads, Key: []byte(stream)})
	}
	if len(mend) == 0 {
		return nil
	}
	o.s.opts.Log.Warn("heads differ from the log and are rewritten", "log", o.s.opts.Prefix, "partition", o.partition, "heads", len(mend))
	return o.producer.transact(ctx, mend)
}

// readHeads is the latest head of each key. One that cannot be decoded is the zero head, which no stream has.
func (o *owner) readHeads(ctx context.Context, to int64) (map[string]contract.Head, error) {
	found := map[string]contract.Head{}
	err := o.s.scan(ctx, o.s.heads, map[int32]int64{o.partition: 0}, map[int32]int64{o.partition: to}, func(record *kgo.Record) bool {
		stream := string(record.Key)
		if stream == markerType {
			return true
		}
		if record.Value == nil {
			delete(found, stream)
			return true
		}
		head, err := o.s.opts.Heads.DecodeHead(ctx, record.Value)
		if err != nil {
			head = contract.Head{}
		}
		found[stream] = head
		return true
	})
	return found, err
}
