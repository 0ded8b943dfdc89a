package store

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A producer writes under the transactional id of one partition. After any error it is of no more use: close it, and take over
// anew.
type producer struct {
	client  *kgo.Client
	timeout time.Duration
}

func (s *Store) newProducer(partition int32) (*producer, error) {
	client, err := s.dial(
		kgo.TransactionalID(fmt.Sprintf("%s.%d", s.opts.Prefix, partition)),
		kgo.TransactionTimeout(max(4*s.opts.Timeout, 10*time.Second)), // ours ends first
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(maxRecord),
		kgo.MaxBufferedRecords(1<<30), // a batch goes in whole, however large
		kgo.ManualFlushing(),          // and in as few requests as can be, without lingering
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	return &producer{client, s.opts.Timeout}, nil
}

func (p *producer) close() { p.client.Close() }

// fence asks for a new epoch of the transactional id (InitProducerID): all earlier producers of it are shut out, and what they left open
// is aborted.
func (p *producer) fence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, _, err := p.client.ProducerID(ctx)
	return err
}

// produce sends records within a transaction that was begun, waits for the broker to have them, and fills in their offsets.
func (p *producer) produce(ctx context.Context, records []*kgo.Record) error {
	var mu sync.Mutex
	var failed error
	for _, r := range records {
		p.client.Produce(ctx, r, func(_ *kgo.Record, err error) {
			mu.Lock()
			defer mu.Unlock()
			failed = errors.Join(failed, err)
		})
	}
	err := p.client.Flush(ctx)
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(failed, err)
}

// awaitVisible waits until the last stable offset is past the records. A coordinator answers a commit when it has decided it, and writes the
// markers that make it visible AFTER that (KIP-98, "EndTxnRequest"); without this wait, a caller that was told its version might not
// read it yet.
func (p *producer) awaitVisible(ctx context.Context, records []*kgo.Record) error {
	last := map[string]*kgo.Record{} // of each topic: all are of one partition
	for _, r := range records {
		last[r.Topic] = r
	}
	admin := kadm.NewClient(p.client)
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for {
		stable := true
		for topic, r := range last {
			offsets, err := admin.ListCommittedOffsets(ctx, topic)
			if err != nil {
				return err
			}
			at, _ := offsets.Lookup(topic, r.Partition)
			stable = stable && at.Err == nil && at.Offset > r.Offset
		}
		if stable {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// isFenced says whether an error of the broker means that another has our transactional id: on produce, on commit after that, on
// commit alone. A transaction that timed out looks the same, and is treated the same: the place is lost.
func isFenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) || errors.Is(err, kerr.OperationNotAttempted) || errors.Is(err, kerr.ProducerFenced)
}
