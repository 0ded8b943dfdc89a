package publication

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Topic is the topic of public events.
type Topic struct {
	client *kgo.Client
	name   string
}

// OpenTopic returns the topic of a name. It sends nothing yet.
func OpenTopic(brokers []kgo.Opt, name string) (*Topic, error) {
	// A batch lands whole or not at all. With a batch for each chunk and partition, no event comes
	// before an earlier one, also after a failed send. A flush makes that batch: without it the
	// client would send the first event of a chunk alone.
	client, err := kgo.NewClient(append(brokers, kgo.DefaultProduceTopic(name),
		kgo.ManualFlushing(),
		kgo.UnknownTopicRetries(-1), // a new topic is not known to every broker at once
	)...)
	if err != nil {
		return nil, err
	}
	return &Topic{client, name}, nil
}

// Close closes the connections.
func (t *Topic) Close() error {
	t.client.Close()
	return nil
}

// find returns the id of the topic, and creates it if it is not there. A topic that is made again
// gets another id (KIP-516). Kafka before 2.8 has no ids: there a lost topic is not noticed.
func (t *Topic) find(ctx context.Context) (id string, err error) {
	id, err = t.id(ctx)
	if !errors.Is(err, kerr.UnknownTopicOrPartition) {
		return id, err
	}
	if err := t.create(ctx); err != nil {
		return "", err
	}
	return t.id(ctx) // an error if the broker does not know it yet: the next run asks again
}

func (t *Topic) id(ctx context.Context) (string, error) {
	ask := kmsg.NewPtrMetadataRequest() // that of kadm remembers that there was no topic
	one := kmsg.NewMetadataRequestTopic()
	one.Topic = kmsg.StringPtr(t.name)
	ask.Topics = append(ask.Topics, one)
	answer, err := ask.RequestWith(ctx, t.client)
	if err == nil && len(answer.Topics) != 1 {
		err = fmt.Errorf("the broker named %d topics", len(answer.Topics))
	}
	if err == nil {
		err = kerr.ErrorForCode(answer.Topics[0].ErrorCode)
	}
	if err != nil {
		return "", fmt.Errorf("look at topic %s: %w", t.name, err)
	}
	return kadm.TopicID(answer.Topics[0].TopicID).String(), nil
}

// create makes a topic that keeps all events, so that a later consumer can begin from the first
// one. Whoever wants another number of partitions, or a retention, creates the topic before.
func (t *Topic) create(ctx context.Context) error {
	const partitions, replicas = 12, -1 // the cluster's default
	config := map[string]*string{"cleanup.policy": kadm.StringPtr("delete"),
		"retention.ms": kadm.StringPtr("-1"), "retention.bytes": kadm.StringPtr("-1")}
	_, err := kadm.NewClient(t.client).CreateTopic(ctx, partitions, replicas, config, t.name)
	if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
		return fmt.Errorf("create topic %s: %w", t.name, err)
	}
	return nil
}

// patience is the time in which the brokers must take a chunk.
const patience = 30 * time.Second

// send returns after all brokers in sync have the records. After an error some partitions may have
// theirs, or get them later.
func (t *Topic) send(ctx context.Context, records []*kgo.Record) error {
	if len(records) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience,
		fmt.Errorf("the brokers did not take %d events in %s", len(records), patience))
	defer cancel()
	failed := make(chan error, len(records))
	for _, r := range records {
		t.client.Produce(ctx, r, func(_ *kgo.Record, err error) { failed <- err })
	}
	if t.client.Flush(ctx) != nil {
		return context.Cause(ctx)
	}
	for range records {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}
