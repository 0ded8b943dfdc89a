package serve_test

import (
	"context"
	"log/slog"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/serve"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/kafka"
)

// Another owner fences the owner in the service. The service records the command once all the same,
// and its log and its metrics say what happened, in the words of the runbook.
func TestFencedOwnerIsSeen(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	brokers, said := kgo.SeedBrokers(cluster.ListenAddrs()...), new(locked)
	logger := slog.New(slog.NewTextHandler(said, nil))
	log, err := kafka.Open(t.Context(), kafka.Options{Brokers: []kgo.Opt{brokers}, Prefix: "log",
		Heads: codec.Offline(), Address: "127.0.0.1:7000", Log: logger,
		Clock: func(context.Context) time.Time { return time.Now() }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	s := newService(t, func(c *serve.Config) {
		c.System, c.Store, c.Log = capstone.New(log, codec.Offline(), "test"), "kafka", logger
	})
	code, _ := s.command("trader/1", mark("m-1", "70"))
	require.Equal(t, 201, code)
	const labels = `error_type="fenced"`
	sent := "messaging_client_sent_messages_total{" + labels +
		`,messaging_operation_name="append",messaging_system="kafka"}`
	require.InDelta(t, -1, s.metric(sent), 0)
	require.NotContains(t, said.String(), "fenced")

	other, err := kgo.NewClient(brokers, kgo.TransactionalID("log.0"))
	require.NoError(t, err)
	t.Cleanup(other.Close)
	_, _, err = other.ProducerID(t.Context()) // it takes the partition over
	require.NoError(t, err)
	code, _ = s.command("trader/1", mark("m-2", "71"))
	require.Equal(t, 201, code, "the desk appends again, as the next owner")
	require.InDelta(t, 1, s.metric(sent), 0)
	require.Contains(t, said.String(), "level=WARN msg=fenced log=log partition=0")
	var recorded []string
	end, err := log.End(t.Context())
	require.NoError(t, err)
	for r, err := range log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		recorded = append(recorded, r.CommandID)
	}
	require.Equal(t, []string{"m-1", "m-2"}, recorded)

	page, err := os.ReadFile("../../runbooks/fenced-owner.md")
	require.NoError(t, err)
	require.Contains(t, string(page), "`messaging_client_sent_messages_total{"+labels+"}`")
	require.Contains(t, string(page), "`fenced` in a log line")
}
