package kafka_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

func TestUnfitTopicsAreRefused(t *testing.T) {
	t.Parallel()
	cluster := broker(t)
	admin := kadm.NewClient(client(t, at(cluster)))
	const room = "1200000"
	log := map[string]string{
		"cleanup.policy": "delete", "retention.ms": "-1", "retention.bytes": "-1",
		"max.message.bytes": room,
	}
	with := func(name, value string) map[string]string {
		changed := map[string]string{name: value}
		for n, v := range log {
			if n != name {
				changed[n] = v
			}
		}
		return changed
	}
	heads := map[string]string{"cleanup.policy": "compact", "max.message.bytes": room}
	deleted := map[string]string{"cleanup.policy": "delete", "max.message.bytes": room}
	for i, tc := range []struct {
		says          string
		events, heads map[string]string
		partitions    int32 // of heads
	}{
		{"cleanup.policy=compact, want delete", with("cleanup.policy", "compact"), heads, 2},
		{
			"cleanup.policy=compact,delete, want delete",
			with("cleanup.policy", "compact,delete"), heads, 2,
		},
		{"retention.ms=604800000, want -1", with("retention.ms", "604800000"), heads, 2},
		{"retention.bytes=1000000, want -1", with("retention.bytes", "1000000"), heads, 2},
		{"cleanup.policy=delete, want compact", log, deleted, 2},
		{"events has 2 partitions and log5.heads has 3", log, heads, 3},
		{
			"log6.events has max.message.bytes=1048588, want 1114112 or more",
			with("max.message.bytes", "1048588"), heads, 2,
		}, {
			"log7.heads has max.message.bytes=1048588, want 1114112 or more",
			log, map[string]string{"cleanup.policy": "compact"}, 2,
		},
	} {
		opts := options(cluster, fmt.Sprintf("log%d", i))
		topics := map[string]map[string]string{".events": tc.events, ".heads": tc.heads}
		for topic, config := range topics {
			configs := map[string]*string{}
			for n, v := range config {
				configs[n] = &v
			}
			partitions := int32(2)
			if topic == ".heads" {
				partitions = tc.partitions
			}
			_, err := admin.CreateTopic(t.Context(), partitions, 1, configs, opts.Prefix+topic)
			require.NoError(t, err)
		}
		_, err := kafka.Open(t.Context(), opts)
		require.ErrorIs(t, err, kafka.ErrUnfit)
		require.ErrorContains(t, err, tc.says)
	}
}

// Streams would hash to other partitions, and would begin again there.
func TestMorePartitionsAreRefused(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 3
	fill(t, opts, 10, 1)
	admin := kadm.NewClient(client(t, opts.Brokers))
	created, err := admin.CreatePartitions(t.Context(), 2, "log.events", "log.heads")
	require.NoError(t, err)
	require.NoError(t, created.Error())
	for _, readOnly := range []bool{false, true} {
		opts.ReadOnly = readOnly
		_, err = kafka.Open(t.Context(), opts)
		require.ErrorIs(t, err, kafka.ErrUnfit)
		require.ErrorContains(t, err,
			`created with 3 partitions and the placement "", and there are 5 partitions`)
	}
}

// A log whose first events were deleted is refused.
func TestMissingBeginningIsRefused(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	s := open(t, opts)
	_, err := s.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)
	require.NoError(t, s.Close())
	var cut kadm.Offsets
	cut.Add(kadm.Offset{Topic: "log.events", Partition: 0, At: 1})
	_, err = kadm.NewClient(client(t, opts.Brokers)).DeleteRecords(t.Context(), cut)
	require.NoError(t, err)
	_, err = kafka.Open(t.Context(), opts)
	require.ErrorIs(t, err, kafka.ErrUnfit)
	require.ErrorContains(t, err, "partition 0 of log.events begins at offset 1")
}

// A log with an event that no owner wrote is not served.
func TestForeignEventIsNotServed(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ says, version string }{
		{"trade/UTI-1 has version 1 here, want 2", "1"},
		{"trade/UTI-1 ended at version 1, and goes on here", "2"},
	} {
		opts := options(broker(t), "log")
		s := open(t, opts)
		last := event(stream, 1)
		last.Ends = true
		_, err := s.Append(t.Context(), stream, 0, last)
		require.NoError(t, err)
		require.NoError(t, s.Close())
		copyEvent(t, opts, "ce_version", c.version)

		_, err = kafka.Open(t.Context(), opts)
		var damaged *contract.DamagedError
		require.ErrorAs(t, err, &damaged)
		require.Equal(t, c.says, damaged.What)

		// A reader returns the same error when it reads the log itself.
		opts.ReadOnly, opts.Dir = true, ""
		_, err = streamOf(t, open(t, opts), stream)
		damaged = nil
		require.ErrorAs(t, err, &damaged)
		require.Equal(t, c.says, damaged.What)
	}
}

// copyEvent writes the first event again, with another header, as a program may that is no owner.
func copyEvent(t *testing.T, opts kafka.Options, header, value string) {
	t.Helper()
	client := client(t, opts.Brokers, kgo.ConsumeTopics("log.events"))
	var again *kgo.Record
	for again == nil {
		for _, r := range client.PollFetches(t.Context()).Records() {
			if string(r.Key) == stream {
				again = &kgo.Record{Topic: r.Topic, Key: r.Key, Value: r.Value, Headers: r.Headers}
			}
		}
	}
	for i := range again.Headers {
		if again.Headers[i].Key == header {
			again.Headers[i].Value = []byte(value)
		}
	}
	require.NoError(t, client.ProduceSync(t.Context(), again).FirstErr())
}
