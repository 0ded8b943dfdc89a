package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// A pointRow is a point of a curve as a JSON object.
type pointRow struct {
	Curve    string         `json:"curve"`
	Delivery string         `json:"delivery"`
	Price    trade.Decimal  `json:"price"`
	Currency trade.Currency `json:"currency"`
}

// refoldCurves folds each curve among streams from its first mark, and replaces its points.
func refoldCurves(ctx context.Context, tx pgx.Tx, streams map[string][]trade.Event) error {
	const insert = `
INSERT INTO curves (curve, delivery, price, currency)
SELECT curve, delivery, price, currency
FROM jsonb_to_recordset($1::jsonb) AS c(curve text, delivery text, price numeric, currency text)`
	var (
		names  []string
		points []pointRow
	)
	for _, stream := range keys(streams) {
		name, ok := strings.CutPrefix(stream, trade.CurveStream(""))
		if !ok {
			continue
		}
		// FoldCurve panics on a history that could never be decided; what a feed brings is an error.
		if _, err := trade.StateOf(map[string][]trade.Event{stream: streams[stream]}, trade.AsOf{}); err != nil {
			return err
		}
		names = append(names, name)
		for delivery, mark := range trade.FoldCurve(name, streams[stream], trade.AsOf{}).Points {
			points = append(points, pointRow{name, delivery.String(), mark.Price, mark.Currency})
		}
	}
	if len(names) == 0 {
		return nil
	}
	if _, err := tx.Exec(ctx, "DELETE FROM curves WHERE curve = ANY($1)", names); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, insert, list(points))
	return err
}

// readCurves are all curves, by name.
func readCurves(ctx context.Context, tx pgx.Tx) (map[string]trade.Curve, error) {
	rows, err := tx.Query(ctx, "SELECT curve, delivery, price::text, currency FROM curves")
	if err != nil {
		return nil, err
	}
	curves := map[string]trade.Curve{}
	var name, delivery, price string
	var mark trade.Mark
	_, err = pgx.ForEachRow(rows, []any{&name, &delivery, &price, &mark.Currency}, func() error {
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
