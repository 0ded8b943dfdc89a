package kafka_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/kafka"
)

// A process that was taken for dead is replaced by another under its address. It is told that it is fenced, again and again, and takes
// nothing back, neither when it tries nor when it goes.
func TestAProcessThatWasReplacedIsFencedForGood(t *testing.T) {
	t.Parallel()
	for name, tries := range map[string]bool{"it tries to write at once": true, "it hears of it from the group": false} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			opts := options(broker(t), "log")
			said := make(lines, 100)
			opts.Log = slog.New(slog.NewTextHandler(said, nil))
			first, err := kafka.Open(t.Context(), opts)
			require.NoError(t, err)
			_, err = first.Append(t.Context(), stream, 0, event(stream, 1))
			require.NoError(t, err)
			second := open(t, opts)
			if !tries {
				for line := ""; !strings.Contains(line, "another process has our address"); line = <-said {
				}
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			for range 3 {
				_, err = first.Append(ctx, stream, 1, event(stream, 2))
				require.ErrorIs(t, err, contract.ErrFenced)
			}
			_, err = second.Append(ctx, stream, 1, event(stream, 3))
			require.NoError(t, err)
			found, err := first.Find(ctx, event(stream, 3).ID)
			require.NoError(t, err, "it can still read")
			require.EqualValues(t, 2, found.Version)

			member, _ := memberOf(t, opts)
			require.NoError(t, first.Close())
			_, err = second.Append(ctx, stream, 2, event(stream, 4))
			require.NoError(t, err)
			now, known := memberOf(t, opts)
			require.True(t, known)
			require.Equal(t, member, now)
			require.Len(t, all(t, second), 3)
		})
	}
}

// The group lets in whoever joins last, so a process that slept while it was replaced may take its place back from a later one. The later
// one has the address all the same: it joins again, and goes on.
func TestALaterProcessTakesItsPlaceBack(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	later := open(t, opts)
	_, err := later.Append(t.Context(), stream, 0, event(stream, 1))
	require.NoError(t, err)

	first, _ := memberOf(t, opts)
	old, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...), kgo.ConsumerGroup(opts.Prefix+".owners"), kgo.InstanceID(opts.Address),
		kgo.ConsumeTopics(opts.Prefix+".heads"), kgo.Balancers(kgo.CooperativeStickyBalancer()))
	require.NoError(t, err)
	defer old.Close()
	require.Eventually(t, func() bool {
		let, _ := old.GroupMetadata()
		now, known := memberOf(t, opts)
		return known && let != "" && now != let && now != first
	}, time.Minute, 10*time.Millisecond, "it is let in, and then is no more")
	_, err = later.Append(t.Context(), stream, 1, event(stream, 2))
	require.NoError(t, err)
}

// lines takes what a store's log says; what there is no room for is lost.
type lines chan string

func (l lines) Write(text []byte) (int, error) {
	select {
	case l <- string(text):
	default:
	}
	return len(text), nil
}

// memberOf is who the group knows under the address, by the id that it gave; false if there is none, or another beside it.
func memberOf(t *testing.T, opts kafka.Options) (string, bool) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(opts.Brokers...))
	if err != nil {
		return "", false
	}
	defer client.Close()
	groups, err := kadm.NewClient(client).DescribeGroups(t.Context(), opts.Prefix+".owners")
	members := groups[opts.Prefix+".owners"].Members
	if err != nil || len(members) != 1 || members[0].InstanceID == nil || *members[0].InstanceID != opts.Address {
		return "", false
	}
	return members[0].MemberID, true
}
