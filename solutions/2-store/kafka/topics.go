package kafka

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// maxRecord is the size of a record batch that holds one event of the largest size: its data, its
// attributes, and the overhead of the batch.
const maxRecord = contract.MaxData + 64*contract.MaxAttribute

const maxBytes = "max.message.bytes"

// The configuration that the topics must have. The log is the only copy of the events, so nothing
// may expire.
var (
	eventsConfig = map[string]string{
		"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
	}
	headsConfig = map[string]string{"cleanup.policy": "compact"}
)

// prepare creates the topics if they are missing, and checks that they can hold a log.
func (l *log) prepare(ctx context.Context) error {
	events, err := l.ensure(ctx, l.events, max(1, l.opts.Partitions), eventsConfig)
	if err != nil {
		return err
	}
	heads, err := l.ensure(ctx, l.heads, events, headsConfig)
	if err != nil {
		return err
	}
	if events != heads {
		return fmt.Errorf("%w: %s has %d partitions and %s has %d",
			ErrUnfit, l.events, events, l.heads, heads)
	}
	l.partitions = events
	if err := l.checkStart(ctx); err != nil {
		return err
	}
	return l.checkLayout(ctx)
}

// ensure creates a topic if it does not exist, and checks its configuration. It returns the number
// of partitions of the topic.
func (l *log) ensure(
	ctx context.Context, topic string, partitions int32, config map[string]string,
) (int32, error) {
	if !l.opts.ReadOnly {
		if err := l.create(ctx, topic, partitions, config); err != nil {
			return 0, fmt.Errorf("create topic %s: %w", topic, err)
		}
	}
	found, err := l.partitionsOf(ctx, topic)
	for !l.opts.ReadOnly && errors.Is(err, kerr.UnknownTopicOrPartition) && ctx.Err() == nil {
		l.pause() // it was created, but not every broker knows it yet
		found, err = l.partitionsOf(ctx, topic)
	}
	if err != nil {
		return 0, fmt.Errorf("look at topic %s: %w", topic, err)
	}
	return found, l.checkConfig(ctx, topic, config)
}

func (l *log) create(
	ctx context.Context, topic string, partitions int32, config map[string]string,
) error {
	configs := map[string]*string{maxBytes: kadm.StringPtr(strconv.Itoa(maxRecord))}
	for name, value := range config {
		configs[name] = &value
	}
	const replicas = -1 // the cluster's default
	_, err := l.admin.CreateTopic(ctx, partitions, replicas, configs, topic)
	if errors.Is(err, kerr.TopicAlreadyExists) {
		return nil
	}
	return err
}

func (l *log) partitionsOf(ctx context.Context, topic string) (int32, error) {
	details, err := l.admin.ListTopics(ctx, topic)
	if err == nil {
		err = details.Error()
	}
	if topic == l.events {
		l.eventsID = details[topic].ID
	}
	return int32(len(details[topic].Partitions)), err
}

func (l *log) checkConfig(ctx context.Context, topic string, want map[string]string) error {
	resources, err := l.admin.DescribeTopicConfigs(ctx, topic)
	var resource kadm.ResourceConfig
	if err == nil {
		resource, err = resources.On(topic, nil)
	}
	if err == nil {
		err = resource.Err
	}
	if err != nil {
		return fmt.Errorf("read configuration of topic %s: %w", topic, err)
	}
	for _, c := range resource.Configs {
		if value, ok := want[c.Key]; ok && c.MaybeValue() != value {
			return fmt.Errorf("%w: %s has %s=%s, want %s",
				ErrUnfit, topic, c.Key, c.MaybeValue(), value)
		}
		if c.Key != maxBytes || l.opts.ReadOnly {
			continue
		}
		if room, err := strconv.Atoi(c.MaybeValue()); err != nil || room < maxRecord {
			return fmt.Errorf("%w: %s has %s=%s, want %d or more",
				ErrUnfit, topic, c.Key, c.MaybeValue(), maxRecord)
		}
	}
	return nil
}

// checkStart returns ErrUnfit if the first events of the log are gone.
func (l *log) checkStart(ctx context.Context) error {
	starts, err := l.list(ctx, l.admin.ListStartOffsets, l.events)
	if err != nil {
		return fmt.Errorf("find the start of topic %s: %w", l.events, err)
	}
	for _, o := range starts.Offsets().Sorted() {
		if o.At > 0 {
			return fmt.Errorf("%w: partition %d of %s begins at offset %d, so events are gone",
				ErrUnfit, o.Partition, l.events, o.At)
		}
	}
	return nil
}

// checkLayout returns ErrUnfit if the log was created with another layout. A partition without an
// owner mark has had no owner, and is empty. Whether the log is simulated is no choice of the
// opener: the first marks say it, and must agree.
func (l *log) checkLayout(ctx context.Context) error {
	const marks = 32 // records to look at: take-overs that failed may have left marks
	end, err := l.End(ctx)
	if err != nil {
		return err
	}
	from, to := offsets{}, offsets{}
	for p := range l.partitions {
		if end.At(p) > 0 {
			from[p], to[p] = 0, min(end.At(p), marks)
		}
	}
	l.simulated = l.opts.Simulated
	known, first := false, map[int32]bool{}
	var other *layout
	err = l.scan(ctx, l.events, from, to, func(r *kgo.Record) bool {
		if was, isMark := layoutOf(r); isMark && !first[r.Partition] {
			if !known {
				l.simulated, known = was.Simulated, true
			}
			if was != l.layout() {
				other = &was
			}
		}
		first[r.Partition] = true
		return other == nil && len(first) < len(from)
	})
	if err == nil && other != nil {
		err = fmt.Errorf("%w: %s was created with %s, and there are %s",
			ErrUnfit, l.events, *other, l.layout())
	}
	return err
}

func (l *log) layout() layout {
	return layout{l.opts.Place.Name, l.partitions, l.simulated}
}

// Timeline returns the rules of recorded_at, as the first marks of the log state them.
func (l *log) Timeline(context.Context) (contract.Timeline, error) {
	return contract.Timeline{Simulated: l.simulated}, nil
}
