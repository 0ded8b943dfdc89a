package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// A writer is the producer of one partition, with the index and the heads that follow the log.
type writer struct {
	log       *log
	logger    *slog.Logger
	partition int32
	index     *index.Partition
	producer  *producer
}

// catchUp reads into the index all events before the offset to, and makes the heads before the
// offset heads agree with the index. It does not read again the events that the index has, except
// the latest: if the log has another event there, or none, the index is of another log or the log
// was cut, and everything is read.
func (w *writer) catchUp(ctx context.Context, to, heads int64) error {
	why, err := w.index.Load()
	if err != nil {
		return fmt.Errorf("open the index: %w", err)
	}
	agree := w.index.HeadsAgree()
	w.index.SetHeadsAgree(0) // a crash before the heads agree has the next start check all of them
	touched := map[string]bool{}
	err = w.read(ctx, to, touched)
	if errors.Is(err, index.ErrUnusable) {
		why, agree = err, 0
		if err = w.index.Reset(); err == nil {
			err = w.read(ctx, to, touched)
		}
	}
	if err != nil {
		return fmt.Errorf("read the log up to %d: %w", to, err)
	}
	if why != nil && w.index.Last() != nil {
		w.logger.Warn("index was rebuilt from the log", "why", why)
	}
	if err := w.mendHeads(ctx, agree, heads, touched); err != nil {
		return fmt.Errorf("mend heads: %w", err)
	}
	w.index.SetHeadsAgree(heads)
	w.index.Serve()
	return nil
}

// read takes the events before the offset to into the index, and adds their streams to touched.
func (w *writer) read(ctx context.Context, to int64, touched map[string]bool) error {
	const chunk = 1000
	events := make([]contract.Recorded, 0, chunk)
	apply := func() error {
		err := w.index.Apply(events)
		events = events[:0]
		w.flush()
		return err
	}
	for e, err := range w.log.after(ctx, w.partition, w.index.Last(), to) {
		if err != nil {
			return err
		}
		if touched != nil {
			touched[e.Stream] = true
		}
		if events = append(events, e); len(events) == chunk {
			if err := apply(); err != nil {
				return err
			}
		}
	}
	return apply()
}

// flush writes the index to its files if it is time. Only the next append waits for this. A crash
// leaves files that are behind the log, or files that will be rebuilt.
func (w *writer) flush() {
	if err := w.index.FlushIfFull(); err != nil {
		w.logger.Warn("index file falls behind the log", "err", err)
	}
}

// headOf returns the head of a stream whose last event is e.
func headOf(e contract.Recorded) contract.Head {
	return contract.Head{
		Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt,
		Digest: e.ContentDigest(), Ended: e.Ends,
	}
}

// headRecord returns the record of headOf(e).
func (l *log) headRecord(ctx context.Context, e contract.Recorded) (*kgo.Record, error) {
	data, err := l.opts.Heads.EncodeHead(ctx, headOf(e))
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", e.Stream, err)
	}
	return &kgo.Record{Topic: l.heads, Key: []byte(e.Stream), Value: data}, nil
}

// mendHeads makes the heads before the offset to agree with the log. One transaction writes an
// event and its head, so they differ only if a broker broke its promise, or if another program
// wrote to the topic.
//
// The heads before from agreed with the index when it had reached that offset. So the check covers
// the heads since then, and those of the streams that were touched since. From 0 it is a full check
// of every stream and every head. That is done whenever the index was rebuilt; to have a full
// check, delete the index files.
func (w *writer) mendHeads(
	ctx context.Context, from, to int64, touched map[string]bool,
) error {
	found, err := w.readHeads(ctx, from, to)
	if err != nil {
		return err
	}
	var mend []*kgo.Record
	check := func(last contract.Recorded) error {
		if found[last.Stream].Head != headOf(last) {
			record, err := w.log.headRecord(ctx, last)
			if err != nil {
				return err
			}
			mend = append(mend, record)
		}
		delete(found, last.Stream)
		return nil
	}
	if from == 0 {
		err = w.index.EachLast(check)
	} else {
		err = w.checkTouched(found, touched, check)
	}
	if err != nil {
		return err
	}
	for stream, head := range found { // of streams that do not exist: a null head removes the head
		if !head.null {
			mend = append(mend, &kgo.Record{Topic: w.log.heads, Key: []byte(stream)})
		}
	}
	if len(mend) == 0 {
		return nil
	}
	w.logger.Warn("heads differ from the log and are rewritten", "heads", len(mend))
	return w.producer.transact(ctx, mend)
}

// checkTouched calls check with the last event of each stream that was touched or has a head in
// found.
func (w *writer) checkTouched(
	found map[string]foundHead, touched map[string]bool, check func(contract.Recorded) error,
) error {
	for stream := range found {
		touched[stream] = true
	}
	for stream := range touched {
		last, ok, err := w.index.LastOf(stream)
		if ok {
			err = check(last)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// A foundHead is the latest head with a key. If it cannot be decoded it is the zero head, which no
// stream has.
type foundHead struct {
	contract.Head
	null bool
}

// readHeads returns the latest head with each key in [from, to), as far as compaction left them.
func (w *writer) readHeads(ctx context.Context, from, to int64) (map[string]foundHead, error) {
	found := map[string]foundHead{}
	starts, err := listed(w.log.admin.ListStartOffsets(ctx, w.log.heads))
	if err != nil {
		return nil, fmt.Errorf("find the start of topic %s: %w", w.log.heads, err)
	}
	start, _ := starts.Lookup(w.log.heads, w.partition)
	begin, end := offsets{w.partition: max(from, start.Offset)}, offsets{w.partition: to}
	err = w.log.scan(ctx, w.log.heads, begin, end, func(record *kgo.Record) bool {
		stream := string(record.Key)
		if stream == markType {
			return true
		}
		head := foundHead{null: record.Value == nil}
		if !head.null {
			if decoded, err := w.log.opts.Heads.DecodeHead(ctx, record.Value); err == nil {
				head.Head = decoded
			}
		}
		found[stream] = head
		return true
	})
	return found, err
}
