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
)

// A pointRow is a point of a curve as a JSON object.
type pointRow struct {
	Curve    string         `json:"curve"`
	Delivery string         `json:"delivery"`
	Price    trade.Decimal  `json:"price"`
	Currency trade.Currency `json:"currency"`
}

// ahead is the curves to which fresh only adds: it corrects no mark of theirs, and brings none that is effective before one that was
// taken. Such marks replace points and leave the others alone, so the years before them are not read. Of each curve the history is
// given that the fresh events continue: empty, behind so many.
func ahead(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (map[string]history, error) {
	const query = `
SELECT s.stream, last.version, latest.effective_at
FROM unnest($1::text[]) AS s (stream)
CROSS JOIN LATERAL (SELECT version FROM events e WHERE e.stream = s.stream ORDER BY version DESC LIMIT 1) last
CROSS JOIN LATERAL (SELECT effective_at FROM events e WHERE e.stream = s.stream AND e.type = 'price.marked'
                    ORDER BY effective_at DESC LIMIT 1) latest`
	marks := map[string][]contract.Recorded{}
	for _, r := range fresh {
		if strings.HasPrefix(r.Stream, trade.CurveStream("")) {
			marks[r.Stream] = append(marks[r.Stream], r)
		}
	}
	only := map[string]history{}
	rows, err := tx.Query(ctx, query, keys(marks))
	if err != nil {
		return nil, fmt.Errorf("find where curves have come to: %w", err)
	}
	var stream string
	var taken history
	var latest time.Time
	_, err = pgx.ForEachRow(rows, []any{&stream, &taken.before, &latest}, func() error {
		late := func(r contract.Recorded) bool { return r.Corrects != uuid.Nil || r.EffectiveAt.Before(latest) }
		if !slices.ContainsFunc(marks[stream], late) {
			only[stream] = taken
		}
		return nil
	})
	return only, err
}

// refoldCurves sets the points of each curve among streams that its events come to; those of a curve that is folded from its first mark
// take the place of all it had.
func refoldCurves(ctx context.Context, tx pgx.Tx, streams map[string]history) error {
	const insert = `
INSERT INTO curves (curve, delivery, price, currency)
SELECT curve, delivery, price, currency
FROM jsonb_to_recordset($1::jsonb) AS c(curve text, delivery text, price numeric, currency text)
ON CONFLICT (curve, delivery) DO UPDATE SET price = excluded.price, currency = excluded.currency`
	var (
		whole  []string
		points []pointRow
	)
	for _, stream := range keys(streams) {
		name, ok := strings.CutPrefix(stream, trade.CurveStream(""))
		if !ok {
			continue
		}
		h := streams[stream]
		// FoldCurve panics on a history that could never be decided; what a feed brings is an error.
		if _, err := trade.StateOf(map[string][]trade.Event{stream: h.events}, trade.AsOf{}); err != nil {
			return err
		}
		if h.before == 0 {
			whole = append(whole, name)
		}
		for delivery, mark := range trade.FoldCurve(name, h.events, trade.AsOf{}).Points {
			points = append(points, pointRow{name, delivery.String(), mark.Price, mark.Currency})
		}
	}
	if _, err := tx.Exec(ctx, "DELETE FROM curves WHERE curve = ANY($1)", whole); err != nil {
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
