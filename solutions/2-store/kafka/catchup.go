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
// the latest. The index is not believed, and everything is read, if the log has another event
// there, or none, if a later event of the log does not follow the index, or if a stream of the
// index does not have the digest in its head.
func (w *writer) catchUp(ctx context.Context, to, heads int64) error {
	why, err := w.index.Load()
	if err != nil {
		return fmt.Errorf("open the index: %w", err)
	}
	found, err := w.log.readHeads(ctx, w.partition, heads)
	if err != nil {
		return err
	}
	err = w.read(ctx, to)
	if err == nil {
		err = w.index.Check(endsOf(found))
	}
	// An index that lacks an event makes the log look damaged. If the log is, it is again below.
	if errors.Is(err, index.ErrUnusable) || errors.Is(err, index.ErrBehind) ||
		errors.As(err, new(*contract.DamagedError)) {
		why = err
		if err = w.index.Reset(); err == nil {
			err = w.read(ctx, to)
		}
	}
	if err != nil {
		return fmt.Errorf("read the log up to %d: %w", to, err)
	}
	if why != nil && w.index.Last() != nil {
		w.logger.Warn("index was rebuilt from the log", "why", why)
	}
	if err := w.mendHeads(ctx, found, why != nil); err != nil {
		return fmt.Errorf("mend heads: %w", err)
	}
	w.index.Serve()
	return nil
}

// read takes the events before the offset to into the index.
func (w *writer) read(ctx context.Context, to int64) error {
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
		if events = append(events, e); len(events) == chunk {
			if err := apply(); err != nil {
				return err
			}
		}
	}
	return apply()
}

// flush writes the index to its file if it is time, and reports a failure.
func (w *writer) flush() {
	if err := w.index.FlushIfFull(); err != nil {
		w.logger.Warn("index file falls behind the log", "err", err)
	}
}

// headOf returns the head of a stream whose last event is e.
func headOf(e contract.Recorded, history index.Digest) contract.Head {
	return contract.Head{
		Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt,
		Digest: e.ContentDigest(), History: history, Ended: e.Ends,
	}
}

// headRecord returns the record of a head.
func (l *log) headRecord(ctx context.Context, h contract.Head) (*kgo.Record, error) {
	data, err := l.opts.Heads.EncodeHead(ctx, h)
	if err != nil {
		return nil, fmt.Errorf("encode head of %s: %w", h.Stream, err)
	}
	return &kgo.Record{Topic: l.heads, Key: []byte(h.Stream), Value: data}, nil
}

// mendHeads makes the heads agree with the log. One transaction writes an event and its head, so
// they differ only if a broker broke its promise, or if another program wrote to the topic.
//
// It compares the version, the end and the digest of every stream. If the index was rebuilt, it
// compares everything that a head has; to have that done, delete the index files.
func (w *writer) mendHeads(ctx context.Context, found map[string]foundHead, whole bool) error {
	var mend []*kgo.Record
	for stream, end := range w.index.Ends() {
		if !whole && found[stream].end() == end {
			delete(found, stream)
			continue
		}
		last, err := w.index.LastOf(stream)
		if err != nil {
			return err
		}
		if want := headOf(last, end.Digest); found[stream].Head != want {
			record, err := w.log.headRecord(ctx, want)
			if err != nil {
				return err
			}
			mend = append(mend, record)
		}
		delete(found, stream)
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

// A foundHead is the latest head with a key. If it cannot be decoded it is the zero head, which no
// stream has.
type foundHead struct {
	contract.Head
	null bool
}

func (h foundHead) end() index.End {
	return index.End{Version: h.Version, Ended: h.Ended, Digest: h.History}
}

// endsOf returns the ends of the streams that exist, as their heads state them.
func endsOf(found map[string]foundHead) map[string]index.End {
	ends := make(map[string]index.End, len(found))
	for stream, head := range found {
		if !head.null {
			ends[stream] = head.end()
		}
	}
	return ends
}

// readHeads returns the latest head with each key of a partition before the offset to, as far as
// compaction left them.
func (l *log) readHeads(
	ctx context.Context, partition int32, to int64,
) (map[string]foundHead, error) {
	starts, err := l.list(ctx, l.admin.ListStartOffsets, l.heads)
	if err != nil {
		return nil, fmt.Errorf("find the start of topic %s: %w", l.heads, err)
	}
	start, _ := starts.Lookup(l.heads, partition)
	begin, end := offsets{partition: start.Offset}, offsets{partition: to}
	latest := map[string][]byte{} // nil: a null head
	err = l.scan(ctx, l.heads, begin, end, func(record *kgo.Record) bool {
		latest[string(record.Key)] = record.Value
		return true
	})
	delete(latest, markType)
	found := make(map[string]foundHead, len(latest))
	for stream, value := range latest {
		head := foundHead{null: value == nil}
		if !head.null {
			if decoded, err := l.opts.Heads.DecodeHead(ctx, value); err == nil {
				head.Head = decoded
			}
		}
		found[stream] = head
	}
	return found, err
}
