package ledger_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/postgres"
)

// onPostgres returns a log in Postgres, and a bare connection to another schema of its database.
func onPostgres(t testing.TB) (contract.Atomic, *pgxpool.Pool) {
	dsn, schema := stacktest.Schema(t)
	clock := func(context.Context) time.Time { return time.Now() }
	log, err := postgres.Open(t.Context(), postgres.Options{DSN: dsn, Schema: schema, Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, log.Close()) })
	config, err := pgxpool.ParseConfig(dsn)
	require.NoError(t, err)
	config.MaxConns = writers
	bare, err := pgxpool.NewWithConfig(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(bare.Close)
	return log, bare
}

const (
	writers = 32
	each    = 20 // postings of a writer in a round
)

// tables are a bare table of rows, and the tables of a plain double entry.
const tables = `
create table bare (stream text, version bigint, id uuid unique, attributes text, data bytea,
  primary key (stream, version));
create table accounts (name text primary key, balance numeric not null);
create table lines (id bigserial primary key, entry text, account text, amount numeric);`

// BenchmarkSingleEntries measures postings beside a bare insert of as many rows of like size, and
// beside a double entry in plain SQL, which locks two accounts (SELECT FOR UPDATE) and keeps their
// balances. The three run in turns, so that they meet the same load. On hot accounts all writers
// post to the same two; on spread accounts each has two of its own.
func BenchmarkSingleEntries(b *testing.B) {
	b.Run("hot", func(b *testing.B) { benchEntries(b, func(int) int { return 0 }) })
	b.Run("spread", func(b *testing.B) { benchEntries(b, func(w int) int { return w }) })
}

func benchEntries(b *testing.B, pair func(writer int) int) {
	log, sql := onPostgres(b)
	_, err := sql.Exec(b.Context(), tables)
	require.NoError(b, err)
	book := over(log).open(b)
	for w := range writers {
		book.must(b, start, open(fmt.Sprint("a", w), "asset", "EUR"),
			open(fmt.Sprint("i", w), "income", "EUR"))
		_, err := sql.Exec(b.Context(), "insert into accounts values ($1, 0), ($2, 0)",
			fmt.Sprint("a", w), fmt.Sprint("i", w))
		require.NoError(b, err)
	}
	var took [3]time.Duration
	for round := 0; b.Loop(); round++ {
		for i, do := range []func(entry, debit, credit string) error{
			func(entry, debit, credit string) error {
				out, err := book.Do(b.Context(), book.command(day(1),
					post(entry, debit, credit, "1", "EUR")))
				if out.Refusal != nil {
					return out.Refusal
				}
				return err
			},
			func(entry, debit, credit string) error { return bareRows(b.Context(), sql, entry) },
			func(entry, debit, credit string) error {
				return plainEntry(b.Context(), sql, entry, debit, credit)
			},
		} {
			took[i] += postAll(b, round, pair, do)
		}
	}
	n := float64(b.N * writers * each)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(n/took[0].Seconds(), "post/s")
	b.ReportMetric(n/took[1].Seconds(), "bare/s")
	b.ReportMetric(n/took[2].Seconds(), "sql/s")
	b.ReportMetric(100*took[1].Seconds()/took[0].Seconds(), "%bare")
	b.ReportMetric(100*took[2].Seconds()/took[0].Seconds(), "%sql")
}

func postAll(b *testing.B, round int, pair func(int) int,
	do func(entry, debit, credit string) error,
) time.Duration {
	began := time.Now()
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			for i := range each {
				entry := fmt.Sprintf("E-%d-%d-%d", round, w, i)
				err := do(entry, fmt.Sprint("a", pair(w)), fmt.Sprint("i", pair(w)))
				if err != nil {
					b.Error(err)
				}
			}
		})
	}
	all.Wait()
	return time.Since(began)
}

// bareRows inserts three rows of the size of a posting's events in one statement.
func bareRows(ctx context.Context, sql *pgxpool.Pool, entry string) error {
	attributes, data := strings.Repeat("a", 400), make([]byte, 100)
	_, err := sql.Exec(ctx, "insert into bare values ($1, 1, $4, $7, $8), ($2, 1, $5, $7, $8), "+
		"($3, 1, $6, $7, $8)", entry, entry+"d", entry+"c", uuid.New(), uuid.New(), uuid.New(),
		attributes, data)
	return err
}

// plainEntry posts an entry of two lines as an accounting package in SQL does.
func plainEntry(ctx context.Context, sql *pgxpool.Pool, entry, debit, credit string) error {
	tx, err := sql.Begin(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback(ctx) }()
	for _, statement := range []string{
		"select balance from accounts where name in ($1, $2) order by name for update",
		"update accounts set balance = balance + case name when $1 then 1 else -1 end " +
			"where name in ($1, $2)",
	} {
		if _, err := tx.Exec(ctx, statement, debit, credit); err != nil {
			return err
		}
	}
	_, err = tx.Exec(ctx, "insert into lines (entry, account, amount) values ($1, $2, 1), "+
		"($1, $3, -1)", entry, debit, credit)
	if err != nil {
		return err
	}
	return tx.Commit(ctx)
}
