package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// fencingErrors are the broker's answers to a producer whose id another one has taken: to produce,
// to a commit after that, to a commit alone, and to a commit of a transaction that the other
// producer's fence has aborted.
var fencingErrors = []error{
	kerr.InvalidProducerEpoch, kerr.OperationNotAttempted, kerr.ProducerFenced,
	kerr.InvalidTxnState,
}

// isFenced reports whether err means that another producer has our transactional id. A transaction
// that timed out gives the same error, and has the same consequence: the place is lost, and this
// process joins again.
func isFenced(err error) bool { return isAny(err, fencingErrors) }

// refusals are the broker's answers to a record that no broker of this log will ever take.
var refusals = []error{kerr.MessageTooLarge, kerr.RecordListTooLarge, kerr.InvalidRecord}

func isRefused(err error) bool { return isAny(err, refusals) }

func isAny(err error, targets []error) bool {
	return slices.ContainsFunc(targets, func(target error) bool { return errors.Is(err, target) })
}

// errUnconfirmed is wrapped by the error of a transaction whose commit was requested and not
// confirmed. Any other error means that it was not requested: the transaction never lands.
var errUnconfirmed = errors.New("commit is not confirmed")

// A producer writes to one partition of both topics under the partition's transactional id. After
// any error it is unusable: close it and take over again.
type producer struct {
	client    *kgo.Client
	partition int32
	timeout   time.Duration
}

func (l *log) newProducer(partition int32) (*producer, error) {
	client, err := l.dial(
		kgo.TransactionalID(fmt.Sprintf("%s.%d", l.opts.Prefix, partition)),
		kgo.TransactionTimeout(max(4*l.opts.Timeout, 10*time.Second)), // longer than ours
		kgo.RecordPartitioner(kgo.ManualPartitioner()),
		kgo.ProducerBatchMaxBytes(maxRecord),
		kgo.MaxBufferedRecords(1<<30), // a batch is never split, however large
		kgo.ManualFlushing(),          // a group is one request, without lingering
		kgo.ProducerBatchCompression(kgo.NoCompression()),
	)
	if err != nil {
		return nil, err
	}
	return &producer{client, partition, l.opts.Timeout}, nil
}

// close is safe on nil.
func (p *producer) close() {
	if p != nil {
		p.client.Close()
	}
}

// fence requests a new epoch of the transactional id (InitProducerID). The broker then refuses
// producers with an earlier epoch.
func (p *producer) fence(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, p.timeout)
	defer cancel()
	_, _, err := p.client.ProducerID(ctx)
	return err
}

// transact writes records in one transaction, and sets their offsets as soon as the broker has
// them. It returns when readers of committed records can see them. It goes on when ctx ends: a
// commit that was sent cannot be taken back, so its answer is worth the wait.
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
	if err := p.visible(ctx, records); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}

// visible waits until the last stable offset is after the records. A coordinator answers a commit
// when it has decided it, and writes the markers that make it visible AFTER that (KIP-98,
// "EndTxnRequest"). Without this wait, a caller that was told its version might not yet read it.
func (p *producer) visible(ctx context.Context, records []*kgo.Record) error {
	last := map[string]int64{}
	for _, r := range records {
		last[r.Topic] = max(last[r.Topic], r.Offset)
	}
	for wait := time.Millisecond; ; wait = min(2*wait, maxLook) {
		stable, err := p.stable(ctx, last)
		if err != nil || stable {
			return err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// maxLook is the longest pause between two questions for the last stable offset.
const maxLook = 50 * time.Millisecond

// stable reports whether the last stable offset of each topic is after the offset in last.
func (p *producer) stable(ctx context.Context, last map[string]int64) (bool, error) {
	ask := kmsg.NewPtrListOffsetsRequest()
	ask.ReplicaID = -1     // a client
	ask.IsolationLevel = 1 // read committed: the latest offset is the last stable one
	for topic := range last {
		partition := kmsg.NewListOffsetsRequestTopicPartition()
		partition.Partition, partition.Timestamp = p.partition, -1 // the latest
		ask.Topics = append(ask.Topics, kmsg.ListOffsetsRequestTopic{
			Topic: topic, Partitions: []kmsg.ListOffsetsRequestTopicPartition{partition},
		})
	}
	answer, err := p.ask(ctx, ask)
	if err != nil {
		return false, err
	}
	for _, topic := range answer.Topics {
		for _, at := range topic.Partitions {
			if err := kerr.ErrorForCode(at.ErrorCode); err != nil && !kerr.IsRetriable(err) {
				return false, err
			}
			if at.ErrorCode != 0 || at.Offset <= last[topic.Topic] {
				return false, nil
			}
		}
	}
	return true, nil
}

// ask asks the broker that has just taken the records, if it leads all topics of the question. The
// client would look up the leaders, and often ask for them, before each question. If that broker
// has no answer, the client looks up the leaders.
func (p *producer) ask(
	ctx context.Context, ask *kmsg.ListOffsetsRequest,
) (*kmsg.ListOffsetsResponse, error) {
	leader, _, _ := p.client.PartitionLeader(ask.Topics[0].Topic, p.partition)
	elsewhere := func(topic kmsg.ListOffsetsRequestTopic) bool {
		other, _, _ := p.client.PartitionLeader(topic.Topic, p.partition)
		return other != leader
	}
	if leader >= 0 && !slices.ContainsFunc(ask.Topics, elsewhere) {
		answer, err := ask.RequestWith(ctx, p.client.Broker(int(leader)))
		if err == nil && answered(answer) {
			return answer, nil
		}
	}
	return ask.RequestWith(ctx, p.client)
}

func answered(answer *kmsg.ListOffsetsResponse) bool {
	for _, topic := range answer.Topics {
		for _, at := range topic.Partitions {
			if at.ErrorCode != 0 {
				return false
			}
		}
	}
	return true
}

func (p *producer) produce(ctx context.Context, records []*kgo.Record) error {
	var mu sync.Mutex
	var failed error
	note := func(_ *kgo.Record, err error) {
		mu.Lock()
		defer mu.Unlock()
		failed = errors.Join(failed, err)
	}
	for _, r := range records {
		r.Partition = p.partition
		p.client.Produce(ctx, r, note)
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
