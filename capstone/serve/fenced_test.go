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
	"example.com/blotter/capstone/lines"
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
				require.Contains(t, w.Body.String(), `"owner":"127.0.0.1:700`)
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
	sendBatches(t, services)
	sweepBoth(t, services)
	require.Positive(t, services[0].metric(`messaging_client_sent_messages_total{`+
		`error_type="not_owner",messaging_operation_name="append",messaging_system="kafka"}`))
}

// novations returns the lines of 12 contracts that are novated in part. name begins their ids.
func novations(name string) string {
	var book []string
	for n := range 12 {
		id := strings.NewReplacer("c-1", fmt.Sprintf("%s-%d-1", name, n),
			"c-2", fmt.Sprintf("%s-%d-2", name, n),
			`"uti":"A"`, fmt.Sprintf(`"uti":"%s-A%d"`, strings.ToUpper(name), n),
			`"B"`, fmt.Sprintf(`"%s-B%d"`, strings.ToUpper(name), n))
		book = append(book, id.Replace(halfNovated))
	}
	return strings.Join(book, "\n")
}

// sweepBoth stops between events and their follow-ups. The sweep of each service issues the
// follow-ups in its partitions, and is not done while the other one has some to issue.
func sweepBoth(t *testing.T, services []*service) {
	t.Helper()
	for line, err := range lines.Read(strings.NewReader(novations("s"))) {
		require.NoError(t, err)
		if _, err = services[0].system.Desk.Do(t.Context(), line.Command); err != nil {
			require.True(t, capstone.IsElsewhere(err), "%v", err)
			_, err = services[1].system.Desk.Do(t.Context(), line.Command)
		}
		require.NoError(t, err)
	}
	first, second := services[0].system.FollowUps, services[1].system.FollowUps
	missing, err := first.Missing(t.Context())
	require.NoError(t, err)
	require.Equal(t, 12, missing)
	require.True(t, capstone.IsElsewhere(first.Sweep(t.Context())))
	left, err := first.Missing(t.Context())
	require.NoError(t, err)
	require.Less(t, left, missing)
	require.Positive(t, left)
	require.NoError(t, second.Sweep(t.Context()))
	require.NoError(t, first.Sweep(t.Context()))
	left, err = first.Missing(t.Context())
	require.NoError(t, err)
	require.Zero(t, left)
}

// sendBatch sends a batch until it has all results: partitions that change their owner end it
// early.
func sendBatch(t *testing.T, s *service, batch string) (results string) {
	t.Helper()
	require.Eventually(t, func() bool {
		results = s.do("trader/1", "POST", "/v1/batches", batch).Body.String()
		return strings.Contains(results, `"result":"done"`)
	}, time.Minute, 10*time.Millisecond)
	return results
}

// sendBatches sends one batch to each of two services in turn, until no line belongs elsewhere.
// Each line is then accepted, recorded once, and in the order of its contract.
func sendBatches(t *testing.T, services []*service) {
	t.Helper()
	all, first := novations("b"), 0
	var want []string
	for n := range 12 {
		want = append(want, fmt.Sprintf("b-%d-1", n), fmt.Sprintf("b-%d-2", n))
	}
	for round := 0; ; round++ {
		elsewhere, accepted := 0, 0
		for i, s := range services {
			results := sendBatch(t, s, all)
			require.Equal(t, len(want)+1, strings.Count(results, "\n"), "a result a line")
			n := strings.Count(results, `"result":"elsewhere"`)
			require.Equal(t, n, strings.Count(results, `"rule":"command.elsewhere"`))
			accepted += strings.Count(results, `"result":"accepted"`)
			elsewhere += n
			if n > 0 {
				require.Contains(t, results, fmt.Sprintf(`"elsewhere":%d}`, n))
			}
			if round == 0 && i == 0 {
				first = n
			}
		}
		require.Positive(t, accepted)
		if elsewhere == 0 {
			break
		}
	}
	require.Positive(t, first, "lines of the other owner")
	require.Less(t, first, len(want), "and the other lines go on")
	log := services[0].system.Log
	end, err := log.End(t.Context())
	require.NoError(t, err)
	var recorded []string
	for r, err := range log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		if strings.HasPrefix(r.CommandID, "b-") {
			recorded = append(recorded, r.CommandID)
		}
	}
	require.ElementsMatch(t, want, recorded)
	orphaned, err := services[0].system.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Empty(t, orphaned)
}
