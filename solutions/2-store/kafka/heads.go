package kafka

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

func (s *Store) head(ctx context.Context, e contract.Recorded) (*kgo.Record, error) {
	data, err := s.opts.Heads.EncodeHead(ctx, headOf(e))
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", e.Stream, err)
	}
	return &kgo.Record{Topic: s.heads, Key: []byte(e.Stream), Value: data}, nil
}

// mendHeads makes the heads before the offset to say what the log says. Both are written in one transaction, so they
// differ only where a broker broke its promise, or where somebody else wrote there.
//
// The heads before from were found to agree with the index when it was at that place, so only those since then are looked
// at, and those of the streams that were touched since. From 0 on it is a full check, of every stream and every head: that is so whenever the
// index was made anew, and whoever wants one deletes the index files.
func (o *owner) mendHeads(ctx context.Context, from, to int64, touched map[string]bool) error {
	found, err := o.readHeads(ctx, from, to)
	if err != nil {
		return err
	}
	var mend []*kgo.Record
	check := func(last contract.Recorded) error {
		if found[last.Stream].Head != headOf(last) {
			record, err := o.s.head(ctx, last)
			if err != nil {
				return err
			}
			mend = append(mend, record)
		}
		delete(found, last.Stream)
		return nil
	}
	if from == 0 {
		err = o.index.ends(check)
	} else {
		err = o.checkEnds(found, touched, check)
	}
	if err != nil {
		return err
	}
	for stream, head := range found { // of streams that do not exist: a null head says there never was one
		if !head.null {
			mend = append(mend, &kgo.Record{Topic: o.s.heads, Key: []byte(stream)})
		}
	}
	if len(mend) == 0 {
		return nil
	}
	o.s.opts.Log.Warn("heads differ from the log and are rewritten", "log", o.s.opts.Prefix, "partition", o.partition, "heads", len(mend))
	return o.producer.transact(ctx, mend)
}

// checkEnds checks the ends of the streams that heads were found of, and of those that were touched.
func (o *owner) checkEnds(found map[string]foundHead, touched map[string]bool, check func(contract.Recorded) error) error {
	for stream := range found {
		touched[stream] = true
	}
	for stream := range touched {
		last, ok, err := o.index.end(stream)
		if ok {
			err = check(last)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A foundHead is the latest head of a key. One that cannot be decoded is the zero head, which no stream has.
type foundHead struct {
	contract.Head
	null bool
}

// readHeads is the latest head of each key in [from, to).
func (o *owner) readHeads(ctx context.Context, from, to int64) (map[string]foundHead, error) {
	found := map[string]foundHead{}
	begin, err := o.s.headsBegin(ctx, o.partition)
	if err != nil {
		return nil, err
	}
	from = max(from, begin)
	err = o.s.scan(ctx, o.s.heads, map[int32]int64{o.partition: from}, map[int32]int64{o.partition: to}, func(record *kgo.Record) bool {
		stream := string(record.Key)
		if stream == markerType {
			return true
		}
		head := foundHead{null: record.Value == nil}
		if !head.null {
			if decoded, err := o.s.opts.Heads.DecodeHead(ctx, record.Value); err == nil {
				head.Head = decoded
			}
		}
		found[stream] = head
		return true
	})
	return found, err
}

// headsBegin is the first offset of the heads that compaction has left.
func (s *Store) headsBegin(ctx context.Context, partition int32) (int64, error) {
	starts, err := s.admin.ListStartOffsets(ctx, s.heads)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return 0, fmt.Errorf("find the start of topic %s: %w", s.heads, err)
	}
	start, _ := starts.Lookup(s.heads, partition)
	return start.Offset, nil
}
