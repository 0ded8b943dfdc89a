package stack

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// remains is what a crash left in the broker's files that the broker itself would leave there.
type remains struct {
	torn []tornLog
	gaps []indexGap
	open []openTransaction
}

// A tornLog is a state log whose last entry is not whole. Nobody was told of that entry.
type tornLog struct {
	path  string
	whole int64 // bytes before it
}

// cut takes the torn entries away. The broker skips them when it reads, but writes behind them, and then they stand in the
// middle, where everything after them counts for nothing. A crash between two cuts leaves the rest for the next start.
func (r remains) cut() error {
	for _, log := range r.torn {
		if err := os.Truncate(log.path, log.whole); err != nil {
			return err
		}
	}
	for _, gap := range r.gaps {
		if err := gap.close(); err != nil {
			return err
		}
	}
	return nil
}

// An indexGap is an index that ends before its segment does, perhaps within an entry. The broker would go on behind it, with entries
// that no longer stand beside their batches.
type indexGap struct {
	path    string
	whole   int     // entries before it
	batches []batch // those without an entry
}

// close writes what is missing from the batches themselves. A crash on the way leaves a smaller gap for the next start.
func (g indexGap) close() error {
	f, err := os.OpenFile(g.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	end := int64(g.whole) * indexEntrySize
	if err := f.Truncate(end); err != nil {
		return err
	}
	var entries []byte
	for _, b := range g.batches {
		entries = append(entries, b.indexEntry()...)
	}
	if _, err := f.WriteAt(entries, end); err != nil {
		return err
	}
	return f.Close()
}

// indexEntry is as the broker writes it (see partition.index). It computes the time anew at each start, so that stays 0.
func (b batch) indexEntry() []byte {
	entry := make([]byte, indexEntrySize)
	entry[0] = indexEntryVersion
	binary.LittleEndian.PutUint32(entry[2:], b.epoch)
	if b.transactional && !b.control {
		entry[14] = 1
	}
	entry[1] = byte(crc32c(entry[2:]))
	return entry
}

// An openTransaction has records in a partition, and neither commit nor abort.
type openTransaction struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16
}

// abort writes the end that is missing. The broker takes such transactions for aborted, but says so to nobody: where
// there should be a marker is nothing, and a reader of committed records that waits for the last offset to come would wait
// for ever. A real broker writes the marker when it has recovered. No client of the old broker is left, since the ports are
// new, so none of them can still be under way. A crash between two markers leaves the rest for the next start.
func (r remains) abort(ctx context.Context, brokers []string) error {
	if len(r.open) == 0 {
		return nil
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, t := range r.open {
		var at kadm.TopicsSet
		at.Add(t.topic, t.partition)
		responses, err := kadm.NewClient(client).WriteTxnMarkers(ctx, kadm.TxnMarkers{ProducerID: t.producer, ProducerEpoch: t.epoch, Topics: at})
		responses.EachPartition(func(p kadm.TxnMarkersPartitionResponse) { err = errors.Join(err, p.Err) })
		if err != nil {
			return fmt.Errorf("abort what a crash left open in %s, partition %d: %w", t.topic, t.partition, err)
		}
	}
	return nil
}
