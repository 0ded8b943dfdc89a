package serve_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"strings"
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

// openAt opens the log of a cluster as an owner with an address.
func openAt(
	t *testing.T, cluster *kfake.Cluster, address string, logger *slog.Logger,
) *kafka.Store {
	t.Helper()
	log, err := kafka.Open(t.Context(), kafka.Options{
		Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)}, Prefix: "log",
		Partitions: 2, Heads: codec.Offline(), Address: address, Log: logger,
		Clock: func(context.Context) time.Time { return time.Now() }})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	return log
}

func newCluster(t *testing.T) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return cluster
}

// Another owner fences the owner in the service. The service records the command once all the same,
// and its log and its metrics say what happened, in the words of the runbook.
func TestFencedOwnerIsSeen(t *testing.T) {
	t.Parallel()
	cluster, said := newCluster(t), new(locked)
	logger := slog.New(slog.NewTextHandler(said, nil))
	log := openAt(t, cluster, "127.0.0.1:7000", logger)
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

	for _, partition := range []string{"log.0", "log.1"} { // another owner takes them over
		other, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
			kgo.TransactionalID(partition))
		require.NoError(t, err)
		_, _, err = other.ProducerID(t.Context())
		require.NoError(t, err)
		other.Close()
	}
	code, _ = s.command("trader/1", mark("m-2", "71"))
	require.Equal(t, 201, code, "the desk appends again, as the next owner")
	require.InDelta(t, 1, s.metric(sent), 0)
	require.Contains(t, said.String(), "level=WARN msg=fenced log=log partition=")
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

// Two services share the partitions of a log. Each command has its outcome at one of them. The
// other one names the owner, and that is no outage.
func TestTwoServicesShareALog(t *testing.T) {
	t.Parallel()
	cluster := newCluster(t)
	var services []*service
	for _, address := range []string{"127.0.0.1:7000", "127.0.0.1:7001"} {
		log := openAt(t, cluster, address, nil)
		services = append(services, newService(t, func(c *serve.Config) {
			c.System, c.Store = capstone.New(log, codec.Offline(), "test"), "kafka"
		}))
	}
	begin, _, _ := strings.Cut(halfNovated, "\n")
	send := func(n int) (taken, elsewhere int) {
		line := strings.NewReplacer("c-1", fmt.Sprint("c-", n),
			`"uti":"A"`, fmt.Sprintf(`"uti":"A%d"`, n)).Replace(begin)
		taken, elsewhere = -1, -1
		for i, s := range services {
			w := s.do("trader/1", "POST", "/v1/commands", line)
			switch w.Code {
			case http.StatusCreated:
				taken = i
			case http.StatusMisdirectedRequest:
				elsewhere = i
				require.Contains(t, w.Body.String(), `is owned by \"127.0.0.1:700`)
				require.Contains(t, w.Body.String(), "to the service of that process")
			}
		}
		return taken, elsewhere
	}
	commands, owners := 0, map[int]bool{}
	for ; len(owners) < 2; commands++ { // until each has its partition
		if taken, _ := send(commands); taken >= 0 {
			owners[taken] = true
		}
	}
	failures := func() (n float64) {
		for _, s := range services {
			n += s.metric(`blotter_commands_total{outcome="failed",rule=""}`)
		}
		return n
	}
	before := failures()
	for elsewhere := -1; elsewhere < 0; commands++ { // the second one only finds what the first did
		_, elsewhere = send(commands)
	}
	require.InDelta(t, before, failures(), 0)
	require.Positive(t, services[0].metric(`messaging_client_sent_messages_total{`+
		`error_type="not_owner",messaging_operation_name="append",messaging_system="kafka"}`))
}
