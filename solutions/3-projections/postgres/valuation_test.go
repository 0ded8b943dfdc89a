package postgres

import (
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	memorystore "example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
)

// A worth is a row of the function valuation, as text. An empty text is a mark that is missing.
type worth struct{ Book, Instrument, Currency, Quantity, Value, Average, FIFO string }

// inSQL returns the rows of the function valuation, in the form of trade.Decimal.
func inSQL(t *testing.T, p *Projection, at time.Time) (all []worth) {
	t.Helper()
	const query = `
SELECT book, instrument, currency, trim_scale(quantity)::text,
       coalesce(trim_scale(market_value)::text, ''),
       coalesce(trim_scale(average_unrealised)::text, ''),
       coalesce(trim_scale(fifo_unrealised)::text, '')
FROM valuation($1)`
	require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
		rows, err := tx.Query(t.Context(), query, at)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[worth])
		return err
	}))
	return all
}

// inGo returns the valuations of the program.
func inGo(state trade.State, at time.Time) (all []worth) {
	text := func(d *trade.Decimal) string {
		if d == nil {
			return ""
		}
		return d.String()
	}
	for _, v := range state.ValuedAt(at) {
		all = append(all, worth{v.Book, v.Instrument, string(v.Currency), v.Quantity.String(),
			text(v.MarketValue), text(v.AverageCost.Unrealised), text(v.FIFO.Unrealised)})
	}
	return all
}

// requireEqualValuations compares SQL and the program at the times from first, each a step later.
// It returns the number of positions with a value other than zero, and of those without a mark.
func requireEqualValuations(t *testing.T, p *Projection, first time.Time, step time.Duration,
	times int) (valued, unmarked int) {
	t.Helper()
	state, err := projection.AsOf(t.Context(), p, trade.AsOf{})
	require.NoError(t, err)
	for n := range times {
		at := first.Add(time.Duration(n) * step)
		want := inGo(state, at)
		require.Equal(t, want, inSQL(t, p, at), "valued at %s", at)
		for _, w := range want {
			switch w.Value {
			case "0":
			case "":
				unmarked++
			default:
				valued++
			}
		}
	}
	return valued, unmarked
}

// The function valuation gives the market value and the unrealised P&L of the program for the
// sample book, before, in and after the deliveries, and after a rebuild.
func TestSQLValuesTheSampleBook(t *testing.T) {
	t.Parallel()
	log := memorystore.New(contract.SimulatedClock)
	system := capstone.New(log, codec.Offline(), "sample.jsonl")
	book, err := books.FS.Open(books.Sample)
	require.NoError(t, err)
	defer book.Close()
	_, err = system.Import(t.Context(), lines.Read(book), func(capstone.Result) {})
	require.NoError(t, err)
	dsn, schema := stacktest.Schema(t)
	p, err := Open(t.Context(), dsn, schema, codec.Offline())
	require.NoError(t, err)
	t.Cleanup(p.Close)
	require.NoError(t, p.Rebuild(t.Context(), log, 100))
	first := time.Date(2024, 12, 15, 11, 30, 0, 0, time.UTC)
	valued, _ := requireEqualValuations(t, p, first, 29*24*time.Hour+7*time.Hour, 13)
	require.Greater(t, valued, 100)

	conn, err := pgx.Connect(t.Context(), dsn)
	require.NoError(t, err)
	defer conn.Close(t.Context())
	_, err = conn.Exec(t.Context(), "SET search_path = pg_catalog")
	require.NoError(t, err)
	rows := 0
	query := "SELECT count(*) FROM " + schema + ".valuation('2025-02-01')"
	require.NoError(t, conn.QueryRow(t.Context(), query).Scan(&rows))
	require.Positive(t, rows, "the function needs no search_path")
}

// Random histories have every kind of instrument, and amended, novated and settled quantities whose
// delivery is under way.
func TestSQLValuesRandomHistories(t *testing.T) {
	t.Parallel()
	valued, unmarked := 0, 0
	for seed := range uint64(3) {
		p, log := openTest(t), projectiontest.History(50+seed, 400, 2)
		require.NoError(t, projection.Project(t.Context(), log, p, end(t, log), 150))
		first := log.Events[0].RecordedAt.AddDate(0, -1, 0)
		v, u := requireEqualValuations(t, p, first, 31*24*time.Hour+5*time.Hour, 9)
		valued, unmarked = valued+v, unmarked+u
	}
	require.Greater(t, valued, 50)
	require.Positive(t, unmarked)
}

// muldiv rounds as trade.MulDiv does: half to even, for both signs.
func TestMuldivRoundsHalfToEven(t *testing.T) {
	t.Parallel()
	p := openTest(t)
	for _, tc := range [][3]string{
		{"1", "1", "8"}, {"3", "1", "8"}, {"-1", "1", "8"}, {"-3", "1", "8"}, {"5", "1", "8"},
		{"0.005", "1", "1"}, {"0.015", "1", "1"}, {"2", "3", "-7"}, {"1", "0", "3"},
		{"12345678901234567890.125", "1", "1"}, {"98765432109876543210", "0.015", "3"},
		{"1", "1", "0.3"},
	} {
		var args [3]trade.Decimal
		for i, text := range tc {
			d, err := trade.ParseDecimal(text)
			require.NoError(t, err)
			args[i] = d
		}
		var got string
		require.NoError(t, p.Read(t.Context(), func(tx pgx.Tx) error {
			const query = "SELECT trim_scale(muldiv($1::text::numeric, $2::text::numeric," +
				" $3::text::numeric, 2))::text"
			return tx.QueryRow(t.Context(), query, tc[0], tc[1], tc[2]).Scan(&got)
		}))
		require.Equal(t, trade.MulDiv(args[0], args[1], args[2], 2).String(), got, "%v", tc)
	}
}
