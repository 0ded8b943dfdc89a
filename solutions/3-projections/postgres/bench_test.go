package postgres

import (
	"bytes"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
	projection "example.com/blotter/solutions/3-projections"
)

// BenchmarkCatchUp projects a log in Kafka into an empty model, and compares it with a bare loop,
// in turns. The bare loop fetches the same records, decodes each, and copies the finished rows of
// the same tables: as many transactions, each with its share of the rows of every table. It
// compares nothing, folds nothing, and its rows are text that was made before. BLOTTER_SCALE is the
// number of events, or 40,000.
func BenchmarkCatchUp(b *testing.B) {
	events := fromEnv(b, "BLOTTER_SCALE", 40_000)
	c := newCatchUp(b, events)
	for _, size := range []int{1000, 50_000} {
		b.Run(fmt.Sprint("batches of ", size), func(b *testing.B) {
			var ours, bare time.Duration
			for b.Loop() {
				ours += c.project(b, size)
				bare += c.copy(b, size)
			}
			n := float64(b.N * events)
			b.ReportMetric(0, "ns/op")
			b.ReportMetric(n/ours.Seconds(), "event/s")
			b.ReportMetric(n/bare.Seconds(), "bare/s")
			b.ReportMetric(100*bare.Seconds()/ours.Seconds(), "%")
		})
	}
}

// A catchUp is a log, and the rows of its model.
type catchUp struct {
	topics
	log    *kafka.Store
	end    contract.Cursor
	tables map[string][][]byte // the rows of each table, as COPY writes them
}

func newCatchUp(b *testing.B, events int) *catchUp {
	c := &catchUp{topics: newTopics(b)}
	c.log = c.open(b, 7000)
	b.Cleanup(func() { require.NoError(b, c.log.Close()) })
	for part := range slices.Chunk(projectiontest.History(51, events, 1).Events, 2000) {
		c.append(b, part, c.log) // so the log has about the order of the history
	}
	var err error
	c.end, err = c.log.End(b.Context())
	require.NoError(b, err)
	dsn, schema := stacktest.Schema(b)
	c.projectInto(b, dsn, schema, 50_000)
	c.tables = readTables(b, dsn)
	return c
}

// project returns the time of a catch-up into a new model.
func (c *catchUp) project(b *testing.B, size int) time.Duration {
	dsn, schema := stacktest.Schema(b)
	return c.projectInto(b, dsn, schema, size)
}

func (c *catchUp) projectInto(b *testing.B, dsn, schema string, size int) time.Duration {
	p, err := Open(b.Context(), dsn, schema, c.codec)
	require.NoError(b, err)
	defer p.Close()
	begun := time.Now()
	require.NoError(b, projection.Project(b.Context(), c.log, p, c.end, size))
	return time.Since(begun)
}

// readTables returns the rows of all tables of a schema.
func readTables(b *testing.B, dsn string) map[string][][]byte {
	conn, err := pgx.Connect(b.Context(), dsn)
	require.NoError(b, err)
	defer conn.Close(b.Context())
	rows, err := conn.Query(b.Context(), `
SELECT table_name FROM information_schema.tables
WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
AND table_name <> 'checkpoint'`)
	require.NoError(b, err)
	names, err := pgx.CollectRows(rows, pgx.RowTo[string])
	require.NoError(b, err)
	tables := map[string][][]byte{}
	for _, name := range names {
		var text bytes.Buffer
		_, err := conn.PgConn().CopyTo(b.Context(), &text, "COPY "+name+" TO STDOUT")
		require.NoError(b, err)
		lines := bytes.SplitAfter(text.Bytes(), []byte("\n"))
		tables[name] = lines[:len(lines)-1]
		b.Logf("%-16s %7d rows, %9d bytes", name, len(tables[name]), text.Len())
	}
	return tables
}

// copy returns the time of the bare loop.
func (c *catchUp) copy(b *testing.B, size int) time.Duration {
	dsn, schema := stacktest.Schema(b)
	p, err := Open(b.Context(), dsn, schema, c.codec) // creates the tables
	require.NoError(b, err)
	defer p.Close()
	conn, err := pgx.Connect(b.Context(), dsn)
	require.NoError(b, err)
	defer conn.Close(b.Context())
	begun := time.Now()
	topic, partitions := c.prefix+".events", map[int32]kgo.Offset{}
	for p := range c.end {
		partitions[int32(p)] = kgo.NewOffset().AtStart()
	}
	client, err := kgo.NewClient(append(stacktest.Kafka(b),
		kgo.ConsumePartitions(map[string]map[int32]kgo.Offset{topic: partitions}),
		kgo.FetchIsolationLevel(kgo.ReadCommitted()))...)
	require.NoError(b, err)
	defer client.Close()
	fetched, total := 0, len(c.tables["events"])
	for copied := 0; copied < total; {
		fetches := client.PollRecords(b.Context(), size)
		require.NoError(b, fetches.Err())
		fetches.EachRecord(func(r *kgo.Record) { fetched += c.decode(b, r) })
		for to := min(copied+size, total); copied < to && to <= fetched; {
			c.copyShare(b, conn, copied, to, total)
			copied, to = to, min(to+size, total)
		}
	}
	return time.Since(begun)
}

// decode decodes the event of a record, and returns 1, or 0 for the mark of an owner.
func (c *catchUp) decode(b *testing.B, r *kgo.Record) int {
	i := slices.IndexFunc(r.Headers, func(h kgo.RecordHeader) bool { return h.Key == "ce_type" })
	if i < 0 || len(r.Value) == 0 || r.Value[0] != 0 {
		return 0
	}
	_, err := c.codec.Decode(b.Context(), string(r.Headers[i].Value), r.Value)
	require.NoError(b, err)
	return 1
}

// copyShare copies the share of all rows that belongs to the events from one number to another.
func (c *catchUp) copyShare(b *testing.B, conn *pgx.Conn, from, to, total int) {
	require.NoError(b, pgx.BeginFunc(b.Context(), conn, func(tx pgx.Tx) error {
		for name, rows := range c.tables {
			share := rows[len(rows)*from/total : len(rows)*to/total]
			if len(share) == 0 {
				continue
			}
			text := bytes.NewReader(bytes.Join(share, nil))
			_, err := conn.PgConn().CopyFrom(b.Context(), text, "COPY "+name+" FROM STDIN")
			if err != nil {
				return err
			}
		}
		_, err := tx.Exec(b.Context(), "UPDATE checkpoint SET cursor = $1", fmt.Sprint(to))
		return err
	}))
}
