package kafka

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

const maxBytes = "max.message.bytes"

// headersSize is about what the attributes of an event take.
const headersSize = 512

// What the topics must be configured as. The log is the only copy there is, so nothing may expire.
var (
	eventsConfig = map[string]string{"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1"}
	headsConfig  = map[string]string{"cleanup.policy": "compact"}
)

// ErrUnfit is wrapped by the error of Open for a topic that cannot hold a log.
var ErrUnfit = errors.New("topic cannot hold a log")

// prepare makes the topics where they are missing, checks that they can hold a log, and gives the number of partitions.
func (s *Store) prepare(ctx context.Context) (int32, error) {
	events, err := s.ensure(ctx, s.events, max(1, s.opts.Partitions), eventsConfig)
	if err != nil {
		return 0, err
	}
	heads, err := s.ensure(ctx, s.heads, events, headsConfig)
	if err != nil {
		return 0, err
	}
	if events != heads {
		return 0, fmt.Errorf("%w: %s has %d partitions and %s has %d", ErrUnfit, s.events, events, s.heads, heads)
	}
	if err := s.checkStart(ctx); err != nil {
		return 0, err
	}
	return events, s.checkLayout(ctx, events)
}

// ensure gives the partitions of a topic, which it creates if there is none, and checks how it is configured.
func (s *Store) ensure(ctx context.Context, topic string, partitions int32, config map[string]string) (int32, error) {
	if !s.opts.ReadOnly {
		if err := s.create(ctx, topic, partitions, config); err != nil {
			return 0, fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	found, err := s.partitionsOf(ctx, topic)
	for !s.opts.ReadOnly && errors.Is(err, kerr.UnknownTopicOrPartition) && ctx.Err() == nil {
		s.pause() // it was created, but not every broker has heard of it yet
		found, err = s.partitionsOf(ctx, topic)
	}
	if err != nil {
		return 0, fmt.Errorf("look at topic %s: %w", topic, err)
	}
	return found, s.checkConfig(ctx, topic, config)
}

func (s *Store) create(ctx context.Context, topic string, partitions int32, config map[string]string) error {
	configs := map[string]*string{maxBytes: kadm.StringPtr(strconv.Itoa(maxRecord))}
	for name, value := range config {
		configs[name] = &value
	}
	const replicas = -1 // as many as the cluster gives by default
	_, err := s.admin.CreateTopic(ctx, partitions, replicas, configs, topic)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

func (s *Store) partitionsOf(ctx context.Context, topic string) (int32, error) {
	details, err := s.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details.Error()
	}
	if topic == s.events {
		s.topicID = details[topic].ID
	}
	return int32(len(details[topic].Partitions)), err
}

func (s *Store) checkConfig(ctx context.Context, topic string, want map[string]string) error {
	resources, err := s.admin.DescribeTopicConfigs(ctx, topic)
	if err != nil {
		return fmt.Errorf("read configuration of topic %s: %w", topic, err)
	}
	resource, err := resources.On(topic, nil)
	if err == nil {
		err = resource.Err
	}
	if err != nil {
		return fmt.Errorf("read configuration of topic %s: %w", topic, err)
	}
	for _, c := range resource.Configs {
		if value, ok := want[c.Key]; ok && c.MaybeValue() != value {
			return fmt.Errorf("%w: %s has %s=%s, want %s", ErrUnfit, topic, c.Key, c.MaybeValue(), value)
		}
		if room, err := strconv.Atoi(c.MaybeValue()); c.Key == maxBytes && (err != nil || room < maxRecord) && !s.opts.ReadOnly {
			return fmt.Errorf("%w: %s has %s=%s, want %d or more", ErrUnfit, topic, c.Key, c.MaybeValue(), maxRecord)
		}
	}
	return nil
}

// checkStart refuses a log whose beginning is gone.
func (s *Store) checkStart(ctx context.Context) error {
	starts, err := s.admin.ListStartOffsets(ctx, s.events)
	if err == nil {
		err = starts.Error()
	}
	if err != nil {
		return fmt.Errorf("find the start of topic %s: %w", s.events, err)
	}
	for _, o := range starts.Offsets().Sorted() {
		if o.At > 0 {
			return fmt.Errorf("%w: partition %d of %s begins at offset %d, so events are gone", ErrUnfit, o.Partition, s.events, o.At)
		}
	}
	return nil
}
