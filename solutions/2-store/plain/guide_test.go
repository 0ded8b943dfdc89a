package store_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	store "example.com/blotter/solutions/2-store/plain"
)

const (
	guideFile    = "../../../labs/2-store/README.md"
	appendixFile = "../../../labs/2-store/appendix.md"
)

func guide(t *testing.T) string { return page(t, guideFile) }

func page(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// The guide lists every check and every invariant that a check tests. To rewrite its table of
// checks: go test ./solutions/2-store/plain -run Guide -update
func TestGuideListsEveryCheckAndInvariant(t *testing.T) {
	t.Parallel()
	text := guide(t)
	const head = "| check | points | |\n|---|---|---|\n"
	before, after, found := strings.Cut(text, head)
	require.True(t, found)
	_, after, _ = strings.Cut("\n"+after, "\n\n")
	table := ""
	suite := kafkatest.Suite(kafkatest.Fixture{})
	for _, c := range suite.Checks {
		table += fmt.Sprintf("| %s (%s) | %d | %s |\n", c.ID, c.Invariant, c.Points, c.Title)
		require.Contains(t, before, "| "+c.Invariant+" | ")
		require.NotEmpty(t, c.Hint, c.ID)
		require.NotEmpty(t, c.Misconception, c.ID)
		require.NotEmpty(t, c.Operation, c.ID)
	}
	want := before + head + table + "\n" + after
	if *store.Update {
		require.NoError(t, os.WriteFile(guideFile, []byte(want), 0o644))
	}
	require.Equal(t, want, guide(t))
	stated := ""
	for _, file := range []string{"store.go", "blobs.go", "audit.go"} {
		text, err := os.ReadFile("../../../labs/kit/contract/" + file)
		require.NoError(t, err)
		stated += string(text)
	}
	for _, rule := range regexp.MustCompile(`\| (L\d\.I\d+) \|`).FindAllStringSubmatch(before, -1) {
		require.Contains(t, stated, "//\t"+rule[1]+" ", "the contract must state %s", rule[1])
	}
}

// The checks, files, commands and links that the guide names exist.
func TestGuideNamesExistingThings(t *testing.T) {
	t.Parallel()
	text := guide(t) + page(t, appendixFile)
	makefile, err := os.ReadFile("../../../Makefile")
	require.NoError(t, err)
	for _, m := range regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(text, -1) {
		require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, string(makefile))
	}
	suite := kafkatest.Suite(kafkatest.Fixture{})
	for _, m := range regexp.MustCompile(`CHECK=(L2\.\d+)`).FindAllStringSubmatch(text, -1) {
		require.True(t, listed(suite, m[1]), m[0])
	}
	_, exercises, _ := strings.Cut(text, "## 6.")
	exercise := regexp.MustCompile("\\(`(\\w+\\.go)`; (L2[^)]*)\\)")
	for _, m := range exercise.FindAllStringSubmatch(exercises, -1) {
		_, err := os.Stat("../../../labs/2-store/" + m[1])
		require.NoError(t, err)
		for _, id := range regexp.MustCompile(`L2\.\d+`).FindAllString(m[2], -1) {
			require.True(t, listed(suite, id), "%s names %s", m[1], id)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat("../../../labs/2-store/" + m[1])
		require.NoError(t, err)
	}
	for _, m := range regexp.MustCompile(`go test -v -run (\w+) `).FindAllStringSubmatch(text, -1) {
		require.Equal(t, "TestTheFeedThatSkips", m[1])
	}
	require.Contains(t, text, fmt.Sprintf("6 checks to do, and %d blocked", len(suite.Checks)-6))
}

func listed(s check.Suite, id string) bool {
	for _, c := range s.Checks {
		if c.ID == id {
			return true
		}
	}
	return false
}

// Postgres answers as the transcript in the appendix says. With -v the test prints the transcript.
func TestTheFeedThatSkips(t *testing.T) {
	t.Parallel()
	dsn, _ := stacktest.Schema(t)
	sessions := map[string]*pgx.Conn{}
	var said []string
	_, transcript, _ := strings.Cut(page(t, appendixFile), "```\nA=# CREATE")
	transcript, _, _ = strings.Cut("A=# CREATE"+transcript, "```")
	for _, line := range strings.Split(strings.TrimSpace(transcript), "\n") {
		name, sql, command := strings.Cut(line, "=# ")
		if !command {
			continue
		}
		if sessions[name] == nil {
			conn, err := pgx.Connect(t.Context(), dsn)
			require.NoError(t, err)
			t.Cleanup(func() { _ = conn.Close(context.Background()) })
			sessions[name] = conn
		}
		said = append(said, line)
		said = append(said, answers(t, sessions[name], sql)...)
	}
	require.Len(t, sessions, 3)
	t.Log("\n" + strings.Join(said, "\n"))
	require.Equal(t, strings.TrimRight(transcript, "\n"), strings.Join(said, "\n"))
}

// answers returns the rows of a statement as a session prints them.
func answers(t *testing.T, conn *pgx.Conn, sql string) []string {
	rows, err := conn.Query(t.Context(), sql)
	require.NoError(t, err)
	var lines []string
	for rows.Next() {
		values, err := rows.Values()
		require.NoError(t, err)
		var cells []string
		for _, v := range values {
			cells = append(cells, fmt.Sprint(v))
		}
		lines = append(lines, " "+strings.Join(cells, " | "))
	}
	require.NoError(t, rows.Err())
	if len(lines) == 0 && strings.HasPrefix(sql, "SELECT") {
		lines = []string{"(0 rows)"}
	}
	return lines
}

// The picture of a partition in the guide is that of a real partition.
func TestGuideShowsARealPartition(t *testing.T) {
	t.Parallel()
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	open := func() *store.Store {
		s, err := store.Open(t.Context(), store.Options{
			Brokers: []kgo.Opt{kgo.SeedBrokers(cluster.ListenAddrs()...)},
			Prefix:  "log", Heads: noHeads{},
			Clock: func(context.Context) time.Time { return time.Unix(1, 0) },
		})
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, s.Close()) })
		return s
	}
	event := func(n byte) contract.Event {
		return contract.Event{
			ID: uuid.UUID{n}, Stream: "UTI-1", Type: "trade.amended", Schema: 1,
			EffectiveAt: time.Unix(1, 0),
			EnteredAt:   time.Unix(1, 0), CommandID: "c-1",
			Actor: "desk-7", Reason: "agreed", Source: "guide", Data: make([]byte, 5),
		}
	}
	s := open()
	_, err = s.Append(t.Context(), "UTI-1", 0, event(1), event(2))
	require.NoError(t, err)
	dead, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.TransactionalID("log.0"))
	require.NoError(t, err)
	defer dead.Close()
	require.NoError(t, dead.BeginTransaction())
	third := &kgo.Record{
		Topic:   "log.events",
		Key:     []byte("UTI-1"),
		Headers: []kgo.RecordHeader{{Key: "ce_version", Value: []byte("3")}},
	}
	require.NoError(t, dead.ProduceSync(t.Context(), third).FirstErr())
	_, err = open().Append(t.Context(), "UTI-1", 2, event(3))
	require.NoError(t, err)

	all, seen := records(t, cluster, kgo.ReadUncommitted()), records(t, cluster,
		kgo.ReadCommitted())
	picture := "offset  record               read committed shows it\n"
	for offset := range int64(11) {
		shown := ""
		switch {
		case strings.Contains("commit abort", all[offset]):
		case seen[offset] != "":
			shown = "yes"
		default:
			shown = "no"
		}
		picture += strings.TrimRight(fmt.Sprintf("%-7d %-20s %s", offset, all[offset], shown),
			" ") + "\n"
	}
	require.Contains(t, guide(t), "```\n"+picture+"```\n", picture)
}

// records describes the record at each offset of the only partition.
func records(t *testing.T, cluster *kfake.Cluster, level kgo.IsolationLevel) map[int64]string {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(cluster.ListenAddrs()...),
		kgo.FetchIsolationLevel(level),
		kgo.KeepControlRecords(),
		kgo.ConsumePartitions(
			map[string]map[int32]kgo.Offset{"log.events": {0: kgo.NewOffset().AtStart()}},
		),
	)
	require.NoError(t, err)
	defer client.Close()
	found := map[int64]string{}
	for found[10] == "" {
		fetches := client.PollFetches(t.Context())
		require.NoError(t, fetches.Err())
		for _, r := range fetches.Records() {
			found[r.Offset] = describe(r)
		}
	}
	return found
}

func describe(r *kgo.Record) string {
	if r.Attrs.IsControl() { // the key is a version and a type of two bytes each
		return map[byte]string{0: "abort", 1: "commit"}[r.Key[3]]
	}
	for _, h := range r.Headers {
		if n, err := strconv.Atoi(string(h.Value)); h.Key == "ce_version" && err == nil {
			return fmt.Sprintf("%s, version %d", r.Key, n)
		}
	}
	return "mark"
}

// noHeads is a codec for tests that do not read heads.
type noHeads struct{}

func (noHeads) EncodeHead(context.Context, contract.Head) ([]byte, error) { return []byte{}, nil }

func (noHeads) DecodeHead(context.Context, []byte) (contract.Head, error) {
	return contract.Head{}, nil
}
