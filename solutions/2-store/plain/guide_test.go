package store_test

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
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
	lab   = "../../../labs/2-store/"
	first = lab + "README.md" // the guide of part 2a
)

func page(t *testing.T, file string) string {
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return string(text)
}

// The guides list every check and every invariant that a check tests. To rewrite their tables of
// checks: go test ./solutions/2-store/plain -run Guide -update
func TestGuideListsEveryCheckAndInvariant(t *testing.T) {
	t.Parallel()
	stated := ""
	for _, file := range []string{"store.go", "blobs.go", "audit.go"} {
		stated += page(t, "../../../labs/kit/contract/"+file)
	}
	n := 0
	for _, s := range kafkatest.Suites(kafkatest.Fixture{}) {
		file := "../../../" + s.Guide
		const head = "| check | points | |\n|---|---|---|\n"
		before, after, found := strings.Cut(page(t, file), head)
		require.True(t, found)
		_, after, _ = strings.Cut("\n"+after, "\n\n")
		table := ""
		for _, c := range s.Checks {
			n++
			require.Equal(t, fmt.Sprintf("L2.%d", n), c.ID, "checks are in the order of learning")
			points := fmt.Sprint(c.Points)
			if c.Bonus {
				points += " bonus"
			}
			table += fmt.Sprintf("| %s (%s) | %s | %s |\n", c.ID, c.Invariant, points, c.Title)
			require.Contains(t, before, "| "+c.Invariant+" | ")
			requirePlace(t, before, c)
		}
		want := before + head + table + "\n" + after
		if *store.Update {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
		}
		require.Equal(t, want, page(t, file))
		rules := regexp.MustCompile(`\| (L\d\.I\d+) \|`)
		for _, rule := range rules.FindAllStringSubmatch(before, -1) {
			require.Contains(t, stated, "//\t"+rule[1]+" ", "the contract must state %s", rule[1])
		}
	}
}

// requirePlace requires that a check has all its words, and that the guide has the section and the
// exercise to which it sends the student. The exercise names the check.
func requirePlace(t *testing.T, guide string, c check.Check) {
	for _, field := range []string{c.Hint, c.More, c.Misconception, c.Operation, c.Read} {
		require.NotEmpty(t, field, c.ID)
	}
	place := regexp.MustCompile(`^section (\d), exercise (\d+)$`).FindStringSubmatch(c.Read)
	require.NotNil(t, place, "%s reads %s", c.ID, c.Read)
	require.Contains(t, guide, "\n## "+place[1]+". ", "%s reads %s", c.ID, c.Read)
	_, exercise, found := strings.Cut(guide, "\n**Exercise "+place[2]+", ")
	require.True(t, found, "%s reads %s", c.ID, c.Read)
	heading, _, _ := strings.Cut(exercise, "**")
	require.True(t, inList(heading, c.ID), "exercise %s must name %s", place[2], c.ID)
}

// inList reports whether a heading such as "(L2.1 to L2.5, L2.9)" names a check.
func inList(heading, id string) bool {
	n, _ := strconv.Atoi(strings.TrimPrefix(id, "L2."))
	for _, m := range regexp.MustCompile(`L2\.(\d+)(?: to L2\.(\d+))?`).
		FindAllStringSubmatch(heading, -1) {
		from, _ := strconv.Atoi(m[1])
		to, err := strconv.Atoi(m[2])
		if err != nil {
			to = from
		}
		if from <= n && n <= to {
			return true
		}
	}
	return false
}

// The checks, files, commands and links that the guides name exist.
func TestGuideNamesExistingThings(t *testing.T) {
	t.Parallel()
	text := page(t, first) + page(t, lab+"2b.md") + page(t, lab+"appendix.md")
	makefile := page(t, "../../../Makefile")
	for _, m := range regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(text, -1) {
		require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, makefile)
	}
	ids := regexp.MustCompile(`L2\.\d+\b`).FindAllString(text, -1)
	for _, s := range kafkatest.Suites(kafkatest.Fixture{}) {
		for _, c := range s.Checks {
			ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
		}
	}
	require.Empty(t, ids, "checks that do not exist")
	for _, m := range regexp.MustCompile("`(\\w+\\.go)`").FindAllStringSubmatch(text, -1) {
		if _, err := os.Stat(lab + m[1]); err != nil {
			require.Contains(t, strings.Fields("alternative_test.go wrong_test.go unknown_test.go "+
				"attempt.go feed_test.go read.go"), m[1], "of solutions/2-store")
		}
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(lab + m[1])
		require.NoError(t, err)
	}
	for _, m := range regexp.MustCompile(`go test -v -run (\w+) `).FindAllStringSubmatch(text, -1) {
		require.Equal(t, "TestTheFeedThatSkips", m[1])
	}
}

// Postgres answers as the transcript in the appendix says. With -v the test prints the transcript.
func TestTheFeedThatSkips(t *testing.T) {
	t.Parallel()
	dsn, _ := stacktest.Schema(t)
	sessions := map[string]*pgx.Conn{}
	var said []string
	_, transcript, _ := strings.Cut(page(t, lab+"appendix.md"), "```\nA=# CREATE")
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

// The picture in the guide shows a real partition. To draw it again: go test
// ./solutions/2-store/plain -run Guide -update
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
	want := picture(all, seen)
	if *store.Update {
		require.NoError(t, os.WriteFile(lab+"partition.svg", []byte(want), 0o644))
	}
	require.Equal(t, want, page(t, lab+"partition.svg"))
	require.Contains(t, page(t, first), "](partition.svg)")
}

// picture draws each offset of the partition as a box: shown to readers of committed records, not
// shown, or a control record.
func picture(all, seen map[int64]string) string {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 170" role="img"
  font-family="ui-monospace, monospace" font-size="12">
<title>A partition with two owners, offset by offset</title>
<style>
  text { fill: #1f2328 } .dim { fill: #656d76 } rect { stroke: #8c959f }
  .shown { fill: #ddf4ff } .hidden { fill: #ffebe9; stroke-dasharray: 4 3 }
  .control { fill: none } .line { stroke: #8c959f; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dim { fill: #9198a1 } rect, .line { stroke: #6e7681 }
    .shown { fill: #0c2d6b } .hidden { fill: #5d1a1d }
  }
</style>
`)
	const width = 68
	for offset := range int64(len(all)) {
		class := "hidden"
		switch {
		case all[offset] == "commit" || all[offset] == "abort":
			class = "control"
		case seen[offset] != "":
			class = "shown"
		}
		x := 6 + width*offset
		fmt.Fprintf(&b, `<text class="dim" x="%d" y="52">%d</text>`+"\n", x, offset)
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="58" width="62" height="42" rx="3"/>`+"\n",
			class, x)
		what, version, _ := strings.Cut(all[offset], ", ")
		fmt.Fprintf(&b, `<text x="%d" y="76">%s</text>`, x+5, what)
		fmt.Fprintf(&b, `<text x="%d" y="92" font-size="11">%s</text>`+"\n", x+5,
			strings.Replace(version, "version ", "v", 1))
	}
	for _, part := range []struct {
		from, to int
		name     string
	}{{0, 4, "the first owner"}, {5, 5, "crashed"}, {6, 10, "its successor: fence, mark, " +
		"serve"}} {
		x := 6 + width*part.from
		fmt.Fprintf(&b, `<text x="%d" y="20">%s</text>`, x, part.name)
		fmt.Fprintf(&b, `<path class="line" d="M%d 30H%d"/>`+"\n", x, width*part.to+width)
	}
	for i, class := range []string{"shown", "hidden", "control"} {
		x := 6 + 240*i
		fmt.Fprintf(&b, `<rect class="%s" x="%d" y="126" width="20" height="16" rx="3"/>`, class, x)
		fmt.Fprintf(&b, `<text class="dim" x="%d" y="139">%s</text>`+"\n", x+28, []string{
			"read committed shows it", "it never shows it", "control record"}[i])
	}
	b.WriteString("</svg>\n")
	return b.String()
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
