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

// maxRecord is room for the largest event in one batch: its data, its attributes, and the batch around them.
const maxRecord = contract.MaxData + 64*contract.MaxAttribute

// What the topics must be configured as. The log is the only copy there is, so nothing may expire.
var (
	eventsConfig = map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
	headsConfig  = map[string]string{"cleanup.policy": "compact"}
)

// ErrUnfit is wrapped by the error of Open for a topic that cannot hold a log.
var ErrUnfit = errors.New("topic cannot hold a log")

// prepare makes the topics where they are missing, checks that they can hold a log, and gives the number of partitions.
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
		return 0, fmt.Errorf("%w: %s has %d partitions and %s has %d", ErrUnfit, s.events, events, s.heads, heads)
	}
	starts, err := s.admin.ListStartOffsets(ctx, s.events)
	if err == nil {
		err = starts.Error()
	}
	for _, o := range starts.Offsets().Sorted() {
		if err == nil && o.At > 0 {
			err = fmt.Errorf("%w: partition %d of %s begins at offset %d, so events are gone", ErrUnfit, o.Partition, s.events, o.At)
		}
	}
	return events, err
}

// ensure gives the partitions of a topic, which it creates if there is none, and checks how it is configured.
func (s *Store) ensureTopic(ctx context.Context, topic string, partitions int32, want map[string]string) (int32, error) {
	configs := map[string]*string{"max.message.bytes": kadm.StringPtr(strconv.Itoa(maxRecord))}
	for name, value := range want {
		configs[name] = &value
	}
	if !s.opts.ReadOnly {
		const replicas = -1 // as many as the cluster gives by default
		_, err := s.admin.CreateTopic(ctx, partitions, replicas, configs, topic)
		if err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return 0, err
		}
	}
	details, err := s.admin.ListTopics(ctx, topic)
	for !s.opts.ReadOnly && err == nil && errors.Is(details.Error(), kerr.UnknownTopicOrPartition) {
		details, err = s.admin.ListTopics(ctx, topic) // it was created, but not every broker has heard of it yet
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
			err = fmt.Errorf("%w: it has %s=%s, want %s", ErrUnfit, c.Key, c.MaybeValue(), value)
		}
	}
	return err
}
