package main

import (
	"context"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
)

// withoutBroker kills one of several brokers, and starts it again later. Before, it prints the
// replication of the topics as the brokers report it.
func (c *chaosCmd) withoutBroker(
	ctx context.Context, a *app, s *containers.Stack, at stack.Kafka, name containers.Component,
) error {
	replication, err := replicationOf(ctx, at)
	if err != nil {
		return fmt.Errorf("ask for the replicas: %w", err)
	}
	fmt.Fprintf(a.stderr, "%s is killed; %s\n", name, replication)
	if err := s.Kill(ctx, name); err != nil {
		return err
	}
	select {
	case <-time.After(c.Hold):
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	began := time.Now()
	if err := s.Start(ctx, name); err != nil {
		return err
	}
	fmt.Fprintf(a.stderr, "%s was away for %v, and answers %.1f s after its start\n",
		name, c.Hold, time.Since(began).Seconds())
	return nil
}

// replicationOf describes the topics with the fewest replicas.
func replicationOf(ctx context.Context, at stack.Kafka) (string, error) {
	options, err := at.Options()
	if err != nil {
		return "", err
	}
	client, err := kgo.NewClient(options...)
	if err != nil {
		return "", err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	topics, err := admin.ListTopics(ctx)
	if err != nil {
		return "", err
	}
	configs, err := admin.DescribeTopicConfigs(ctx, topics.Names()...)
	if err != nil {
		return "", err
	}
	partitions, replicas, inSync, enough := 0, 0, 0, map[string]int{}
	topics.EachPartition(func(d kadm.PartitionDetail) {
		if partitions++; partitions == 1 {
			replicas, inSync = len(d.Replicas), len(d.ISR)
		}
		replicas, inSync = min(replicas, len(d.Replicas)), min(inSync, len(d.ISR))
	})
	for _, topic := range configs {
		for _, config := range topic.Configs {
			if config.Key == "min.insync.replicas" {
				enough[config.MaybeValue()]++
			}
		}
	}
	return fmt.Sprintf("%d partitions with at least %d replicas, %d of them in sync; "+
		"topics by min.insync.replicas: %v", partitions, replicas, inSync, enough), nil
}
