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
func continuedCurves(ctx context.Context, tx pgx.Tx, fresh map[string][]contract.Recorded) (
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
	names := slices.DeleteFunc(sortedKeys(fresh), func(name string) bool {
		return !strings.HasPrefix(name, trade.CurveStream(""))
	})
	continued := map[string]readmodel.History{}
	if len(names) == 0 {
		return continued, nil
	}
	rows, err := tx.Query(ctx, query, names)
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
		if !slices.ContainsFunc(fresh[stream], late) {
			continued[stream] = earlier
		}
		return nil
	})
	return continued, err
}

// addCurves adds the points of the curves with fresh events. Those of a refolded curve replace all
// its earlier points. No curve is kept: with its points it may be far larger than the bound of kept
// events, and the next batch continues it with the fresh points alone.
func (c *changes) addCurves(streams map[string]*stream,
	continued map[string]readmodel.History) {
	for _, stream := range sortedKeys(c.streams) {
		name, ok := strings.CutPrefix(stream, trade.CurveStream(""))
		if !ok {
			continue
		}
		if h, ok := continued[stream]; ok {
			c.continueCurve(name, h)
			continue
		}
		c.refolded = append(c.refolded, name)
		//determinism:unordered each point becomes a row of its own
		for delivery, mark := range streams[stream].Curve().Points {
			p := pointOf(name, delivery, mark)
			c.curves.Add(p.Curve, p.Delivery, p.Starts, p.Ends, p.Price, string(p.Currency),
				p.EffectiveAt, p.Version)
		}
		delete(streams, stream)
	}
}

func pointOf(curve string, delivery trade.Period, mark trade.Mark) pointRow {
	return pointRow{curve, delivery.String(), delivery.Start.String(), delivery.End.String(),
		mark.Price, mark.Currency, mark.EffectiveAt, mark.Version}
}

// continueCurve adds the points of fresh marks.
func (c *changes) continueCurve(name string, h readmodel.History) {
	curve, illegal := trade.FoldCurve(name, h.Events, trade.AsOf{})
	if illegal != nil {
		c.park(*illegal)
	}
	//determinism:unordered each point becomes a row of its own
	for delivery, mark := range curve.Points {
		if mark.Version > h.Skipped+1 { // an earlier mark may be late, and is in the table
			c.points = append(c.points, pointOf(name, delivery, mark))
		}
	}
}

// setPoints writes the points of continued curves, which replace points.
func (c *changes) setPoints(ctx context.Context, tx pgx.Tx) error {
	const upsert = `
INSERT INTO curves (curve, delivery, starts, ends, price, currency, effective_at, version)
SELECT curve, delivery, starts, ends, price, currency, effective_at, version
FROM jsonb_to_recordset($1::jsonb) AS c(curve text, delivery text, starts date, ends date,
     price numeric, currency text, effective_at timestamptz, version bigint)
ON CONFLICT (curve, delivery) DO UPDATE SET price = excluded.price, currency = excluded.currency,
    effective_at = excluded.effective_at, version = excluded.version`
	if len(c.points) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, upsert, c.points); err != nil {
		return fmt.Errorf("set the points of curves: %w", err)
	}
	return nil
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
