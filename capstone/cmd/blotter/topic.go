package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
)

// A topic is what the broker says of the one that has a log's events. The zero value says that there is none.
type topic struct {
	id         string // its own, whatever it is called: one that is made again gets another
	partitions int32
	ends       contract.Cursor // behind what is committed
}

// findTopic asks the brokers once or twice: whoever opens the log next is the one who waits for them.
func findTopic(ctx context.Context, brokers []string, name string) (topic, error) {
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...), kgo.RequestRetries(2))
	if err != nil {
		return topic{}, err
	}
	defer client.Close()
	admin := kadm.NewClient(client)
	found, err := admin.ListTopics(ctx, name)
	if err != nil {
		return topic{}, err
	}
	detail := found[name]
	if detail.Err != nil {
		if errors.Is(detail.Err, kerr.UnknownTopicOrPartition) {
			detail.Err = nil
		}
		return topic{}, detail.Err
	}
	t := topic{partitions: int32(len(detail.Partitions))}
	if detail.ID != (kadm.TopicID{}) { // brokers before Apache Kafka 2.8 give none (KIP-516)
		t.id = detail.ID.String()
	}
	offsets, err := admin.ListCommittedOffsets(ctx, name)
	if err == nil {
		err = offsets.Error()
	}
	for p := range t.partitions {
		end, _ := offsets.Lookup(name, p)
		t.ends = append(t.ends, end.Offset)
	}
	return t, err
}

// topicStands holds what this folder knows of the log against the topic that is there. That is BEFORE the store is opened: a writer makes a topic
// where there is none, and rewrites the heads of one that lost its end. Where nobody answers nothing is said here.
func (a *app) topicStands(ctx context.Context, brokers []string) error {
	written, err := a.written()
	if err != nil {
		return err
	}
	there, err := findTopic(ctx, brokers, a.eventsTopic())
	switch {
	case err != nil:
		return nil
	case a.begins:
		return a.takesOver(there)
	}
	if err := a.settings.in(there, a.eventsTopic(), a.cli.Data); err != nil {
		return err
	}
	return written.Ahead(lastWriter, there.ends)
}

func (a *app) eventsTopic() string { return a.settings.Name.topics() + ".events" }

// in says whether a topic is the one that the log was begun with.
func (s settings) in(there topic, name, dir string) error {
	elsewhere := "put it back from a copy of its own, or begin another log with --data"
	switch {
	case there.partitions == 0 && s.Topic != "":
		return &failure{fmt.Sprintf("the log in %s is gone: there is no topic %s", dir, name), elsewhere}
	case there.partitions == 0:
		return nil
	case s.Topic != "" && there.id != "" && s.Topic != there.id:
		return &failure{fmt.Sprintf("the topic %s is not that of the log in %s: it has the id %s, and the log began in %s", name, dir, there.id, s.Topic),
			elsewhere + fmt.Sprintf("; if it is a whole copy, take \"topic\" out of %s", settingsFile)}
	case s.Partitions != there.partitions:
		return &failure{fmt.Sprintf("%s says %s, and the topic %s has %d", settingsFile, plural(int64(s.Partitions), "partition"), name, there.partitions),
			"the file was changed, or the topic was: put back what it was"}
	}
	return nil
}

// takesOver has a log that begins where a topic of its name is already be as that is.
func (a *app) takesOver(there topic) error {
	if there.partitions == 0 || there.partitions == a.settings.Partitions {
		return nil
	}
	if a.given["partitions"] {
		return &usageError{fmt.Sprintf("the topic %s is there already, with %s", a.eventsTopic(), plural(int64(there.partitions), "partition")),
			"leave --partitions out, or choose another --name"}
	}
	a.settings.Partitions = there.partitions
	return nil
}

// identify notes which topic a new log is in.
func (a *app) identify(ctx context.Context, brokers []string) error {
	there, err := findTopic(ctx, brokers, a.eventsTopic())
	a.settings.Topic = there.id
	return err
}
