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

// repairs lists the traces of a crash in the broker's files which the broker itself would leave.
type repairs struct {
	torn []tornLog
	gaps []indexGap
	open []openTransaction
}

// A tornLog is a state log with a torn last entry. The broker has acknowledged none of that entry.
type tornLog struct {
	path string
	end  int64 // the bytes before the torn entry
}

// truncate removes the torn entries. The broker skips them when it reads, but appends after them:
// the entries after a torn one would then be lost. A crash during truncate leaves the remaining
// repairs to the next start.
func (r repairs) truncate() error {
	for _, log := range r.torn {
		if err := os.Truncate(log.path, log.end); err != nil {
			return err
		}
	}
	for _, gap := range r.gaps {
		if err := gap.fill(); err != nil {
			return err
		}
	}
	return nil
}

// An indexGap is an index that ends before its segment does, perhaps within an entry. The broker
// would append after the gap, and the later entries would belong to the wrong batches.
type indexGap struct {
	path     string
	complete int           // entries before the gap
	missing  []recordBatch // batches without an entry
}

// fill computes the missing entries from their batches. A crash during fill leaves a smaller gap to
// the next start.
func (g indexGap) fill() error {
	f, err := os.OpenFile(g.path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close()
	end := int64(g.complete) * indexEntrySize
	if err := f.Truncate(end); err != nil {
		return err
	}
	var entries []byte
	for _, b := range g.missing {
		entries = append(entries, b.indexEntry()...)
	}
	if _, err := f.WriteAt(entries, end); err != nil {
		return err
	}
	return f.Close()
}

// indexEntry returns the entry in the broker's format, see checkIndex. The timestamp stays 0: the
// broker computes it again at each start.
func (b recordBatch) indexEntry() []byte {
	entry := make([]byte, indexEntrySize)
	entry[0] = indexEntryVersion
	binary.LittleEndian.PutUint32(entry[2:], b.epoch)
	if b.transactional && !b.control {
		entry[14] = 1
	}
	entry[1] = byte(crc32c(entry[2:]))
	return entry
}

// An openTransaction has records in a partition, and neither a commit nor an abort marker.
type openTransaction struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16
}

// abort writes the missing abort markers. This broker treats such transactions as aborted without
// writing a marker: a read_committed client that waits for the last offset would wait for ever. A
// real broker writes the marker when it has recovered. No client of the previous broker is
// connected, because the ports are new; therefore none of the transactions can be in progress. A
// crash between two markers leaves the remaining ones to the next start.
func (r repairs) abort(ctx context.Context, at Kafka) error {
	if len(r.open) == 0 {
		return nil
	}
	options, err := at.Options()
	if err != nil {
		return err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for _, t := range r.open {
		var topics kadm.TopicsSet
		topics.Add(t.topic, t.partition)
		responses, err := kadm.NewClient(client).WriteTxnMarkers(ctx, kadm.TxnMarkers{
			ProducerID: t.producer, ProducerEpoch: t.epoch, Topics: topics,
		})
		responses.EachPartition(func(p kadm.TxnMarkersPartitionResponse) {
			err = errors.Join(err, p.Err)
		})
		if err != nil {
			return fmt.Errorf("abort a transaction that a crash left open in %s, partition %d: %w",
				t.topic, t.partition, err)
		}
	}
	return nil
}
