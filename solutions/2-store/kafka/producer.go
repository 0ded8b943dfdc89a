package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// fencingErrors are the answers to a producer whose id was taken by another: on produce, on commit after that, on commit alone.
var fencingErrors = []error{kerr.InvalidProducerEpoch, kerr.OperationNotAttempted, kerr.ProducerFenced}

// errUnconfirmed is wrapped by the error of a transaction whose commit was asked for and not confirmed. Any other error means
// that it was not asked for: such a transaction never lands.
var errUnconfirmed = errors.New("commit is not confirmed")

// A producer writes to one partition of both topics under the partition's transactional id. After any error it is of no
// more use: close it and take over anew.
type producer struct {
	client    *kgo.Client
	partition int32
	timeout   time.Duration
}

func (s *Store) newProducer(partition int32) (*producer, error) {
	client, err := s.dial(
		kgo.TransactionalID(fmt.Sprintf("%s.%d", s.opts.Prefix, partition)),
		kgo.TransactionTimeout(max(4*s.opts.Timeout, 10*time.Second)), // ours ends first
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(maxRecord),
		kgo.MaxBufferedRecords(1<<30), // a batch goes in whole, however large
		kgo.ManualFlushing(),          // a group goes out in one request, without lingering
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	return &producer{client, partition, s.opts.Timeout}, nil
}

// close is safe on nil.
func (p *producer) close() {
	if p != nil {
		p.client.Close()
	}
}

// fence asks for a new epoch of the transactional id (InitProducerID), which shuts out all earlier ones.
func (p *producer) fence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, _, err := p.client.ProducerID(ctx)
	return err
}

// transact writes records in one transaction, and fills in their offsets as soon as the broker has them. It goes through even when
// ctx ends on the way: a commit that was sent cannot be taken back, so its answer is worth waiting for.
func (p *producer) transact(ctx context.Context, records []*kgo.Record) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.timeout)
	defer cancel()
	if err := p.client.BeginTransaction(); err != nil {
		return fmt.Errorf("begin: %w", err)
	}
	if err := p.produce(ctx, records); err != nil {
		return fmt.Errorf("produce: %w", err) // never committed: the next fence aborts it
	}
	if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}

func (p *producer) produce(ctx context.Context, records []*kgo.Record) error {
	var mu sync.Mutex
	var failed error
	for _, r := range records {
		r.Partition = p.partition
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
