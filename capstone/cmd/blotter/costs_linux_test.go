package main

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// TestCosts measures the bytes and the CPU time of an event in each part, as the difference between
// a log and one of four times its length. BLOTTER_COSTS is the number of events of the longer one.
// Without it there is one short log: the test shows that the measuring works, and that
// capstone/SCALE.md has a row for each part. See make costs.
func TestCosts(t *testing.T) {
	events := 200
	text := os.Getenv("BLOTTER_COSTS")
	switch {
	case text == "" && testing.Short():
		t.Skip("it imports two logs into each store")
	case text == "":
		t.Parallel()
	default:
		var err error
		events, err = strconv.Atoi(text)
		require.NoError(t, err, "BLOTTER_COSTS")
	}
	s := &scale{t: t, dir: passableDir(t)}
	var table strings.Builder
	var unit cost
	for _, store := range []string{"kafka", "postgres"} {
		long := s.log(store+"-long", events).costs(store)
		short := costs{parts: make([]cost, len(long.parts))}
		if text != "" {
			short = s.log(store+"-short", events/4).costs(store)
		}
		for i, part := range long.parts {
			unit.bytes = long.line
			fmt.Fprintln(&table, part.row(short.parts[i], long.events-short.events, &unit))
		}
	}
	t.Log("a row for each part: bytes and CPU of one more event\n" + table.String())
	page, err := os.ReadFile("../../SCALE.md")
	require.NoError(t, err)
	for row := range strings.Lines(table.String()) {
		part, _, _ := strings.Cut(strings.TrimPrefix(row, "| "), " |")
		require.Contains(t, string(page), "\n| "+part+" |", "capstone/SCALE.md has no such row")
	}
}

// A cost is the cost of one part of a log.
type cost struct {
	part             string
	bytes            int64
	program, servers time.Duration // of CPU
}

// row returns the cost of one more event as a row of Markdown: the bytes, and their ratio to those
// of an import line; the microseconds of CPU of the program and of the servers, and the ratio of
// their sum to that of an import into the log in Kafka.
func (c cost) row(short cost, events int, unit *cost) string {
	n := float64(events)
	bytes := max(0, float64(c.bytes-short.bytes)/n)
	program := max(0, float64((c.program-short.program).Microseconds())/n)
	servers := max(0, float64((c.servers-short.servers).Microseconds())/n)
	if unit.program == 0 {
		unit.program = time.Duration(program+servers) * time.Microsecond
	}
	ratio := (program + servers) / max(1, float64(unit.program.Microseconds()))
	return fmt.Sprintf("| %s | %.0f | %.2f | %.0f | %.0f | %.2f |", c.part, bytes,
		bytes/float64(unit.bytes), program, servers, ratio)
}

// costs are the costs of all parts of a log.
type costs struct {
	events int
	line   int64 // bytes of an import line, on average
	parts  []cost
}

// costs imports a log into a store and takes it through every part.
func (l *scaleLog) costs(store string) costs {
	l.s.t.Helper()
	var all costs
	measure := func(part string, files []string, do func()) {
		before, used := l.size(files), l.servers()
		began := len(l.used)
		do()
		c := cost{part: part, servers: l.servers() - used}
		for _, d := range l.used[began:] {
			c.program += d
		}
		c.bytes = l.size(files) - before
		all.parts = append(all.parts, c)
	}
	log := map[string][]string{"kafka": {"stack/kafka/partitions", "index"},
		"postgres": {"stack/postgres/data/base"}}[store]
	measure("import, log in "+store, log, func() {
		n := l.imported(l.run("--store", store, "import", "--quiet", "--simulate", l.book))
		info, err := os.Stat(l.book)
		require.NoError(l.s.t, err)
		all.line = info.Size() / int64(n.Lines)
	})
	all.events = l.events()
	if store == "postgres" {
		measure("the same lines, updated in place", log, l.updateInPlace)
		return all
	}
	measure("read model of positions", []string{"stack/postgres/data/base"},
		func() { l.run("position") })
	measure("read model for searches", []string{"stack/postgres/data/base"},
		func() { l.run("search", "nothing") })
	objects := []string{"stack/s3/objects"}
	measure("snapshot of the state", objects, func() { l.run("snapshot") })
	measure("seal: tree, records, checkpoint", objects, func() { l.run("seal") })
	measure("verify", objects, func() { l.run("verify") })
	measure("replay", objects, func() { l.run("replay") })
	return all
}

// run runs a command, and notes its CPU time.
func (l *scaleLog) run(args ...string) ended {
	l.s.t.Helper()
	p := l.command(args...)
	done := p.run()
	l.used = append(l.used, p.cmd.ProcessState.UserTime()+p.cmd.ProcessState.SystemTime())
	if args[len(args)-1] != l.book && args[0] != "search" {
		require.NoError(l.s.t, done.err, done.stderr)
	}
	return done
}

// size returns the bytes of the files below some folders of the data folder.
func (l *scaleLog) size(folders []string) (n int64) {
	for _, folder := range folders {
		folder = filepath.Join(l.data, folder)
		filepath.WalkDir(folder, func(_ string, d fs.DirEntry, _ error) error {
			if d == nil || d.IsDir() {
				return nil
			}
			if info, err := d.Info(); err == nil { // Postgres removes files meanwhile
				n += info.Size()
			}
			return nil
		})
	}
	return n
}

// servers returns the CPU time of the broker, the database and the object storage until now: of the
// keeper and of all processes below it.
func (l *scaleLog) servers() time.Duration {
	ticks := map[int]int64{} // by process
	parents := map[int]int{}
	folders, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(l.s.t, err)
	for _, path := range folders {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		// proc(5): pid (comm) state ppid …; utime, stime, cutime and cstime are fields 14 to 17.
		fields := strings.Fields(string(text[strings.LastIndexByte(string(text), ')')+1:]))
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
		parents[pid], _ = strconv.Atoi(fields[1])
		for _, field := range fields[11:15] {
			n, _ := strconv.ParseInt(field, 10, 64)
			ticks[pid] += n
		}
	}
	var sum int64
	for pid, n := range ticks {
		for p := pid; p > 1; p = parents[p] {
			if p == l.keeper {
				sum += n
				break
			}
		}
	}
	return time.Duration(sum) * time.Second / 100 // sysconf(_SC_CLK_TCK) of Linux
}

var tradeOf = regexp.MustCompile(`"uti":"([^"]+)"`)

// updateInPlace keeps only the last line of each trade in a table, as a system without a history
// would: one row for each trade, 100 lines in a transaction.
func (l *scaleLog) updateInPlace() {
	ctx, t := l.s.t.Context(), l.s.t
	text, err := os.ReadFile(filepath.Join(l.data, "stack", "up.json"))
	require.NoError(t, err)
	var at struct{ Postgres struct{ MigrationDSN string } }
	require.NoError(t, json.Unmarshal(text, &at))
	conn, err := pgx.Connect(ctx, at.Postgres.MigrationDSN)
	require.NoError(t, err)
	defer conn.Close(ctx)
	_, err = conn.Exec(ctx, "CREATE TABLE in_place (trade text PRIMARY KEY, line text NOT NULL)")
	require.NoError(t, err)
	book, err := os.ReadFile(l.book)
	require.NoError(t, err)
	batch := new(pgx.Batch)
	for line := range strings.Lines(string(book)) {
		if uti := tradeOf.FindStringSubmatch(line); uti != nil {
			batch.Queue("INSERT INTO in_place VALUES ($1, $2) "+
				"ON CONFLICT (trade) DO UPDATE SET line = excluded.line", uti[1], line)
		}
		if batch.Len() == 100 {
			require.NoError(t, conn.SendBatch(ctx, batch).Close())
			batch = new(pgx.Batch)
		}
	}
	require.NoError(t, conn.SendBatch(ctx, batch).Close())
}
