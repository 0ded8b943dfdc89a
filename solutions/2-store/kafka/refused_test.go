package kafka_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.etcd.io/bbolt"
)

// Somebody has lowered the limit of the topic below what was promised. Who brings too much is told; nobody waits behind it.
func TestAnAppendThatTheBrokerRefusesStopsNobodyElse(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions = 1
	s := open(t, opts)
	limit(t, opts.Brokers, "log.events", "4000")
	var under sync.WaitGroup
	for n := range 24 {
		under.Go(func() {
			e := event(fmt.Sprintf("trade/UTI-%d", n), n)
			if n%6 == 0 {
				e.Data = append(e.Data, make([]byte, 5000)...)
			}
			_, err := s.Append(t.Context(), e.Stream, 0, e)
			if n%6 == 0 {
				assert.ErrorIs(t, err, kerr.MessageTooLarge)
				assert.ErrorContains(t, err, "append to "+e.Stream)
			} else {
				assert.NoError(t, err)
			}
		})
	}
	under.Wait()
	require.Len(t, all(t, s), 20)
	limit(t, opts.Brokers, "log.events", "1200000")
	_, err := s.Append(t.Context(), "trade/UTI-0", 0, event("trade/UTI-0", 0))
	require.NoError(t, err)
}

// A process that stands still keeps its index files locked. Who succeeds it in the same folder does without.
func TestAnIndexFileThatIsOpenElsewhereIsDoneWithout(t *testing.T) {
	t.Parallel()
	opts := options(broker(t), "log")
	opts.Partitions, opts.Dir = 1, t.TempDir()
	fill(t, opts, 3, 2)
	held, err := bbolt.Open(filepath.Join(opts.Dir, "log.0.index"), 0o644, nil)
	require.NoError(t, err)
	defer held.Close()
	s := open(t, opts)
	requireWhole(t, s)
	require.Len(t, all(t, s), 6)
}

func limit(t *testing.T, brokers []string, topic, bytes string) {
	t.Helper()
	client, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	require.NoError(t, err)
	defer client.Close()
	changed, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{{Name: "max.message.bytes", Value: &bytes}}, topic)
	require.NoError(t, err)
	require.NoError(t, changed[0].Err)
}
