// Code generated from solutions/2-store/plain/topics.go by make generate; DO NOT EDIT.

package store

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"

	"example.com/blotter/labs/kit/contract"
)

// maxRecord is the size of the largest event as a Kafka batch: data, attributes and overhead.
const maxRecord = contract.MaxData + 64*contract.MaxAttribute

// The required configuration of the topics. The log is the only copy, so no event may expire.
var (
	eventsConfig = map[string]string{
		"cleanup.policy":  "delete",
		"retention.ms":    "-1",
		"retention.bytes": "-1",
	}
	headsConfig = map[string]string{"cleanup.policy": "compact"}
)

// ErrUnfit is wrapped by the error of Open for a topic that cannot hold the log.
var ErrUnfit = errors.New("topic cannot hold the log")

// prepareTopics creates missing topics, checks that they can hold a log, and returns their number
// of partitions.
func (s *Store) prepareTopics(ctx context.Context) (int32, error) {
	events, err := s.ensureTopic(ctx, s.events, max(1, s.opts.Partitions), eventsConfig)
	if err != nil {
		return 0, fmt.Errorf("topic %s: %w", s.events, err)
	}
	heads, err := s.ensureTopic(ctx, s.heads, events, headsConfig)
	if err != nil {
		return 0, fmt.Errorf("topic %s: %w", s.heads, err)
	}
	if events != heads {
		return 0, fmt.Errorf("%w: %s has %d partitions, but %s has %d", ErrUnfit, s.events, events,
			s.heads, heads)
	}
	starts, err := s.admin.ListStartOffsets(ctx, s.events)
	if err == nil {
		err = starts.Error()
	}
	for _, o := range starts.Offsets().Sorted() {
		if err == nil && o.At > 0 {
			err = fmt.Errorf("%w: partition %d of %s begins at offset %d, so events are lost",
				ErrUnfit, o.Partition, s.events, o.At)
		}
	}
	return events, err
}

// ensureTopic creates a topic if it is missing, checks its configuration, and returns its number of
// partitions.
func (s *Store) ensureTopic(
	ctx context.Context, topic string, partitions int32, want map[string]string,
) (int32, error) {
	configs := map[string]*string{"max.message.bytes": kadm.StringPtr(strconv.Itoa(maxRecord))}
	for name, value := range want {
		configs[name] = &value
	}
	if !s.opts.ReadOnly {
		const replicas = -1 // the default of the cluster
		_, err := s.admin.CreateTopic(ctx, partitions, replicas, configs, topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return 0, err
		}
	}
	details, err := s.admin.ListTopics(ctx, topic)
	for !s.opts.ReadOnly && err == nil && errors.Is(details.Error(), kerr.UnknownTopicOrPartition) {
		// It is created, but this broker does not know it yet.
		details, err = s.admin.ListTopics(ctx, topic)
	}
	if err == nil {
		err = details.Error()
	}
	if err != nil {
		return 0, err
	}
	return int32(len(details[topic].Partitions)), s.checkConfig(ctx, topic, want)
}

func (s *Store) checkConfig(ctx context.Context, topic string, want map[string]string) error {
	resources, err := s.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return err
	}
	resource, err := resources.On(topic, nil)
	if err == nil {
		err = resource.Err
	}
	for _, c := range resource.Configs {
		if value, ok := want[c.Key]; err == nil && ok && c.MaybeValue() != value {
			err = fmt.Errorf("%w: its configuration has %s=%s, want %s", ErrUnfit, c.Key,
				c.MaybeValue(), value)
		}
	}
	return err
}
