// Code generated from solutions/2-store/plain/producer.go by make generate; DO NOT EDIT.

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

// A producer writes with the transactional id of one partition. After any error it cannot be used
// again: close it and take over again.
type producer struct {
	client  *kgo.Client
	timeout time.Duration
}

func (s *Store) newProducer(partition int32) (*producer, error) {
	client, err := s.dial(
		kgo.TransactionalID(fmt.Sprintf("%s.%d", s.opts.Prefix, partition)),
		kgo.TransactionTimeout(max(4*s.opts.Timeout, 10*time.Second)), // after our own timeout
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(maxRecord),
		kgo.MaxBufferedRecords(1<<30), // one transaction holds a batch of any size
		kgo.ManualFlushing(),          // few requests, and no linger
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	return &producer{client, s.opts.Timeout}, nil
}

func (p *producer) close() { p.client.Close() }

// fence asks for a new epoch of the transactional id (InitProducerID). The broker then refuses all
// earlier producers of this id, and aborts their open transactions.
func (p *producer) fence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, _, err := p.client.ProducerID(ctx)
	return err
}

// produce sends records within an open transaction, waits until the broker has acknowledged them,
// and fills in their offsets.
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
	if err == nil {
		err = p.awaitStored(ctx, records)
	}
	mu.Lock()
	defer mu.Unlock()
	return errors.Join(failed, err)
}

// awaitStored waits until the client has stored the partitions of the records. franz-go v1.22.3
// sends the first records of a topic BEFORE it stores the topic's partitions. A commit in between
// starts a new epoch, whose sequence numbers begin at 0 (KIP-890), and resets those of the stored
// partitions only. The broker would refuse the next transaction: OUT_OF_ORDER_SEQUENCE_NUMBER.
func (p *producer) awaitStored(ctx context.Context, records []*kgo.Record) error {
	for _, r := range records {
		for {
			leader, _, err := p.client.PartitionLeader(r.Topic, r.Partition)
			if leader >= 0 || err != nil {
				break
			}
			select {
			case <-time.After(time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	return nil
}

// awaitVisible waits until the last stable offset is after the records. A coordinator answers a
// commit as soon as it has decided it. It writes the markers that make the commit visible AFTER
// that (KIP-98, "EndTxnRequest"). Without this wait, a caller could have a receipt and still not be
// able to read its event.
func (p *producer) awaitVisible(ctx context.Context, records []*kgo.Record) error {
	last := map[string]*kgo.Record{} // of each topic: all records are in one partition
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

// isFenced reports whether a broker's error means that another producer has our transactional id.
// The three codes come from a produce request, from a commit after it, and from a commit without
// one. A transaction that timed out gives the same codes, and has the same consequence: take over
// again.
func isFenced(err error) bool {
	return errors.Is(err, kerr.InvalidProducerEpoch) ||
		errors.Is(err, kerr.OperationNotAttempted) || errors.Is(err, kerr.ProducerFenced)
}

// isUsurped reports whether a take-over failed because another producer got the transactional id.
// The broker may have aborted our transaction by then, and refuse its commit for that reason.
func isUsurped(err error) bool { return isFenced(err) || errors.Is(err, kerr.InvalidTxnState) }
