package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/explain"
	"example.com/blotter/capstone/forensics"
	"example.com/blotter/capstone/forensics/postgres"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel/readmodeltest"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

var principals = []string{"desk-7", "control-1", "trader/1", "ops/3", "process/sweep"}

// bent returns a random history whose authors and times of entry are random, too. Some events have
// an earlier one as their cause, and every tenth is of a domain beside trading.
func bent(seed uint64, n int) *projectiontest.Log {
	r := rand.New(rand.NewPCG(seed, 2))
	log := projectiontest.History(seed, n, 2)
	who := func() string { return principals[r.IntN(len(principals))] }
	for i := range log.Events {
		e := &log.Events[i]
		e.Correlation, e.EnteredAt = uuid.UUID{1, byte(i)}, e.RecordedAt.Add(
			-time.Duration(r.IntN(96*60))*time.Minute)
		e.Actor, e.Approver, e.SubmittedBy = who(), "", ""
		if r.IntN(3) > 0 {
			e.Approver = who()
		}
		if r.IntN(2) == 0 {
			e.SubmittedBy = who()
		}
		if r.IntN(2) == 0 && i > 0 {
			e.Causation = log.Events[max(0, i-1-r.IntN(20))].ID
		}
		if e.Type == "snapshot.taken" {
			e.Type, e.Data = "ledger.posted", []byte{0, 0, 0, 0, 9, 1}
		}
	}
	return log
}

// scanned returns the index of a log in memory.
func scanned(t *testing.T, log *projectiontest.Log) *forensics.Log {
	t.Helper()
	var entries []forensics.Entry
	for _, r := range log.Events {
		entry := forensics.Entry{Recorded: r}
		if _, known := trade.KindOfType(r.Type); known {
			e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
			require.NoError(t, err)
			entry.Body = e.Body
		}
		entries = append(entries, entry)
	}
	return forensics.NewLog(entries)
}

// opened returns a model of a log, brought up to date in batches by two processes.
func opened(t *testing.T, log *projectiontest.Log, batch int) *postgres.Model {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	return readmodeltest.Shared(t, log, batch, func() (*postgres.Model, error) {
		return postgres.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	})
}

// draw draws a question about a log. Half of the questions have limits of time.
func draw(r *rand.Rand, log *projectiontest.Log) forensics.Question {
	some := func() contract.Recorded { return log.Events[r.IntN(len(log.Events))] }
	kinds, zones := forensics.Kinds(), trade.DeliveryPoints()
	fields := []string{"price", "open", "status", "settled", "book", "2025-04", "2025-05"}
	q := forensics.Question{
		Kind: kinds[r.IntN(len(kinds))], Limit: r.IntN(3) * 15,
		Stream: some().Stream, Field: fields[r.IntN(len(fields))],
		Principal: principals[r.IntN(len(principals))], Zone: zones[r.IntN(len(zones))],
		Entry: r.IntN(2) == 0, Over: time.Duration(r.IntN(72)) * time.Hour,
		Within: time.Duration(r.IntN(7*24)) * time.Hour, Tolerance: r.Int64N(100_001),
	}
	if q.Kind == forensics.OutOfHours && r.IntN(2) == 0 {
		q.Principal = ""
	}
	for _, limit := range []*time.Time{&q.Known, &q.Effective, &q.From, &q.Until} {
		if r.IntN(4) == 0 {
			*limit = some().RecordedAt
		}
	}
	if !q.Until.IsZero() && q.Until.Before(q.From) {
		q.From, q.Until = q.Until, q.From
	}
	return q
}

func asJSON(t *testing.T, v any, err error) string {
	t.Helper()
	require.NoError(t, err)
	text, err := json.MarshalIndent(v, "", " ")
	require.NoError(t, err)
	return string(text)
}

// 500 random questions have the same answers from the tables as from a scan of all events, whatever
// the batches were.
func TestIndexAnswersAsAScan(t *testing.T) {
	t.Parallel()
	found := map[forensics.Kind]int{}
	for seed := range uint64(2) {
		log := bent(seed, 700)
		scan, r := scanned(t, log), rand.New(rand.NewPCG(seed, 3))
		m := opened(t, log, 37+200*int(seed))
		require.NoError(t, m.In(t.Context(), func(in forensics.Index) error {
			for n := range 250 {
				q := draw(r, log)
				require.NoError(t, q.Check())
				want, err := scan.Find(t.Context(), q)
				require.NoError(t, err)
				got, err := in.Find(t.Context(), q)
				require.Equal(t, asJSON(t, want, nil), asJSON(t, got, err), "%d: %+v", n, q)
				found[q.Kind] += len(want)
			}
			return nil
		}))
	}
	for _, kind := range forensics.Kinds() {
		require.Positive(t, found[kind], "no question of kind %s has an answer", kind)
	}
	t.Log(found)
}

// Chains, lineages and states are the same from the tables as from a scan.
func TestWalksAreTheSame(t *testing.T) {
	t.Parallel()
	log := bent(5, 600)
	scan, r := scanned(t, log), rand.New(rand.NewPCG(5, 4))
	m := opened(t, log, 100)
	rounds, chains, links, parts := 60, 0, 0, 0
	if testing.Short() {
		rounds = 12
	}
	require.NoError(t, m.In(t.Context(), func(in forensics.Index) error {
		for range rounds {
			e := log.Events[r.IntN(len(log.Events))]
			at := trade.AsOf{Known: log.Events[r.IntN(len(log.Events))].RecordedAt}
			compare := func(ask func(forensics.Index) (any, error)) {
				want, err := ask(scan)
				require.NoError(t, err)
				got, err := ask(in)
				require.Equal(t, asJSON(t, want, nil), asJSON(t, got, err), "%s, %+v", e.ID, at)
			}
			compare(func(in forensics.Index) (any, error) {
				chain, _, err := forensics.CauseOf(t.Context(), in, e.ID, at)
				chains += len(chain)
				return chain, err
			})
			uti := fmt.Sprintf("UTI-%03d", r.IntN(40))
			compare(func(in forensics.Index) (any, error) {
				l, err := forensics.LineageOf(t.Context(), in, uti, at)
				links += len(l.Links)
				return l, err
			})
			compare(func(in forensics.Index) (any, error) {
				streams, err := in.Book(t.Context(), "north")
				later := trade.AsOf{Known: log.Events[len(log.Events)-1].RecordedAt,
					Effective: at.Known}
				all := explain.Between(streams, trade.AsOf{Known: at.Known,
					Effective: at.Known}, later)
				for _, d := range all {
					parts += len(d.Parts)
				}
				return all, err
			})
			compare(func(in forensics.Index) (any, error) {
				s, _, err := forensics.StateOf(t.Context(), in, uti, at)
				return s, err
			})
		}
		return nil
	}))
	require.Greater(t, chains, 150*rounds/60)
	require.Greater(t, links, 30*rounds/60)
	require.Greater(t, parts, 30*rounds/60)
}

// A rebuilt model answers the same, and states the time through which it knows the log.
func TestRebuiltIndexAnswersTheSame(t *testing.T) {
	t.Parallel()
	log := bent(9, 300)
	m := opened(t, log, 64)
	ask := func() string {
		var all []forensics.Finding
		err := m.In(t.Context(), func(in forensics.Index) (err error) {
			all, err = in.Find(context.Background(), forensics.Question{Kind: forensics.Late})
			return err
		})
		return asJSON(t, all, err)
	}
	before := ask()
	require.NoError(t, m.Rebuild(t.Context(), log, 50))
	require.Equal(t, before, ask())
	at, cursor, err := m.Through(t.Context())
	require.NoError(t, err)
	last := slices.MaxFunc(log.Events, func(a, b contract.Recorded) int {
		return a.RecordedAt.Compare(b.RecordedAt)
	})
	require.True(t, at.Equal(last.RecordedAt), "%s, want %s", at, last.RecordedAt)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, cursor)
}

// A SQL reader reads the views of its role, and nothing else: also after a rebuild, and under a
// schema whose name ends as that of a rebuild.
func TestReadersReadTheirViews(t *testing.T) {
	t.Parallel()
	dsn, outer := stacktest.Schema(t)
	schema, log := outer+"_next", bent(5, 60)
	t.Cleanup(func() { drop(t, dsn, schema) })
	m, err := postgres.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	require.Equal(t, 6, stacktest.RequireReader(t, dsn, schema, "auditor"))
	require.NoError(t, m.Rebuild(t.Context(), log, 60))
	require.Equal(t, 6, stacktest.RequireReader(t, dsn, schema, "compliance"))

	_, err = postgres.OpenAs(t.Context(), dsn, dsn, schema+strings.Repeat("x", 30), nil)
	require.ErrorContains(t, err, "take a shorter name for the schema")
}

func drop(t *testing.T, dsn, schema string) {
	conn, err := pgx.Connect(context.Background(), dsn)
	require.NoError(t, err)
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), "DROP SCHEMA "+schema+" CASCADE")
	require.NoError(t, err)
}

// A process pairs its deals with those of another one that has not committed yet: it waits for
// them.
func TestPairsAcrossProcesses(t *testing.T) {
	t.Parallel()
	log := bent(4, 60)
	whole := opened(t, log, 100)
	var from string
	require.NoError(t, whole.Read(t.Context(), func(tx pgx.Tx) error {
		return tx.QueryRow(t.Context(), "SELECT current_schema()").Scan(&from)
	}))
	dsn, schema := stacktest.Schema(t)
	m, err := postgres.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	other, err := conn.Begin(t.Context())
	require.NoError(t, err)
	defer func() { _ = other.Rollback(t.Context()) }()
	_, err = other.Exec(t.Context(), fmt.Sprintf(`
INSERT INTO %s.deals SELECT gen_random_uuid(), true, recorded_at - interval '1 second', 'OTHER',
    book, instrument, side, counterparty, quantity, price
FROM %s.deals WHERE NOT cancelled LIMIT 1`, schema, from))
	require.NoError(t, err)
	end, err := log.End(t.Context())
	require.NoError(t, err)
	applied := make(chan error, 1)
	go func() { applied <- m.Apply(t.Context(), log.Events, end) }()
	const waiting = `
SELECT count(*) > 0 FROM pg_locks WHERE relation = $1::regclass AND NOT granted`
	require.Eventually(t, func() bool {
		var waits bool
		if err := other.QueryRow(t.Context(), waiting, schema+".deals").Scan(&waits); err != nil {
			t.Errorf("look at the locks: %v", err)
		}
		return waits || len(applied) > 0 // an error of Apply is seen below
	}, time.Minute, 10*time.Millisecond)
	require.NoError(t, other.Commit(t.Context()))
	require.NoError(t, <-applied)
	var pairs int
	require.NoError(t, conn.QueryRow(t.Context(), fmt.Sprintf(
		"SELECT count(*) FROM %[1]s.rebooks JOIN %[1]s.deals ON replaced = id WHERE uti = 'OTHER'",
		schema)).Scan(&pairs))
	require.Positive(t, pairs)
}
