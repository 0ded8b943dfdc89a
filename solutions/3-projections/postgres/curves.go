package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// A pointRow is a point of a curve as a JSON object.
type pointRow struct {
	Curve       string         `json:"curve"`
	Delivery    string         `json:"delivery"`
	Starts      string         `json:"starts"`
	Ends        string         `json:"ends"`
	Price       trade.Decimal  `json:"price"`
	Currency    trade.Currency `json:"currency"`
	EffectiveAt time.Time      `json:"effective_at"`
	Version     int64          `json:"version"`
}

// continuedCurves returns the curves to which fresh events only add. Such events are marks that
// correct no other, none is effective before a mark of the model, and the stream has no illegal
// event. They replace points and leave the others as they are, so the earlier marks need not be
// read. Each curve has a history without events, which skips all before the last one.
func continuedCurves(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (
	map[string]readmodel.History, error) {
	const query = `
SELECT s.stream, last.version - 1, latest.effective_at
FROM unnest($1::text[]) AS s (stream)
CROSS JOIN LATERAL (SELECT version FROM events e WHERE e.stream = s.stream
                    ORDER BY version DESC LIMIT 1) last
CROSS JOIN LATERAL (SELECT effective_at FROM events e
                    WHERE e.stream = s.stream AND e.type = 'price.marked'
                    ORDER BY effective_at DESC LIMIT 1) latest
WHERE s.stream NOT IN (SELECT stream FROM parked)`
	marks := map[string][]contract.Recorded{}
	for _, r := range fresh {
		if strings.HasPrefix(r.Stream, trade.CurveStream("")) {
			marks[r.Stream] = append(marks[r.Stream], r)
		}
	}
	continued := map[string]readmodel.History{}
	rows, err := tx.Query(ctx, query, sortedKeys(marks))
	if err != nil {
		return nil, fmt.Errorf("find the last marks of curves: %w", err)
	}
	var stream string
	var earlier readmodel.History
	var latest time.Time
	_, err = pgx.ForEachRow(rows, []any{&stream, &earlier.Skipped, &latest}, func() error {
		late := func(r contract.Recorded) bool {
			return r.Corrects != uuid.Nil || r.EffectiveAt.Before(latest) ||
				r.Type != "price.marked"
		}
		if !slices.ContainsFunc(marks[stream], late) {
			continued[stream] = earlier
		}
		return nil
	})
	return continued, err
}

// refoldCurves folds each curve among streams and stores its points. For a curve that is folded
// from its first mark, the points replace all earlier points. It returns the parked streams.
func refoldCurves(ctx context.Context, tx pgx.Tx, streams map[string]readmodel.History) (
	[]trade.Parked, error) {
	const insert = `
INSERT INTO curves (curve, delivery, starts, ends, price, currency, effective_at, version)
SELECT curve, delivery, starts, ends, price, currency, effective_at, version
FROM jsonb_to_recordset($1::jsonb) AS c(curve text, delivery text, starts date, ends date,
     price numeric, currency text, effective_at timestamptz, version bigint)
ON CONFLICT (curve, delivery) DO UPDATE SET price = excluded.price, currency = excluded.currency,
    effective_at = excluded.effective_at, version = excluded.version`
	var (
		whole  []string
		points []pointRow
		parked []trade.Parked
	)
	for _, stream := range sortedKeys(streams) {
		name, ok := strings.CutPrefix(stream, trade.CurveStream(""))
		if !ok {
			continue
		}
		h := streams[stream]
		if h.Skipped == 0 {
			whole = append(whole, name)
		}
		curve, illegal := trade.FoldCurve(name, h.Events, trade.AsOf{})
		if illegal != nil {
			parked = append(parked, *illegal)
		}
		//determinism:unordered each point becomes a row of its own
		for delivery, mark := range curve.Points {
			if h.Skipped > 0 && mark.Version == h.Skipped+1 {
				continue // an earlier mark: a late one, which does not count here, may be the last
			}
			points = append(points, pointRow{name, delivery.String(), delivery.Start.String(),
				delivery.End.String(), mark.Price, mark.Currency, mark.EffectiveAt, mark.Version})
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM curves WHERE curve = ANY($1)", whole); err != nil {
		return nil, err
	}
	_, err := tx.Exec(ctx, insert, notNull(points))
	return parked, err
}

// readCurves returns all curves, by name.
func readCurves(ctx context.Context, tx pgx.Tx) (map[string]trade.Curve, error) {
	rows, err := tx.Query(ctx,
		"SELECT curve, delivery, price::text, currency, effective_at, version FROM curves")
	if err != nil {
		return nil, err
	}
	curves := map[string]trade.Curve{}
	var name, delivery, price string
	var mark trade.Mark
	columns := []any{&name, &delivery, &price, &mark.Currency, &mark.EffectiveAt, &mark.Version}
	_, err = pgx.ForEachRow(rows, columns, func() error {
		mark.EffectiveAt = mark.EffectiveAt.UTC()
		period, err := trade.ParsePeriod(delivery)
		if err != nil {
			return fmt.Errorf("curve %s: %w", name, err)
		}
		if err := mark.Price.UnmarshalText([]byte(price)); err != nil {
			return fmt.Errorf("curve %s, %s: %w", name, delivery, err)
		}
		if curves[name].Points == nil {
			curves[name] = trade.Curve{Points: map[trade.Period]trade.Mark{}}
		}
		curves[name].Points[period] = mark
		return nil
	})
	return curves, err
}
