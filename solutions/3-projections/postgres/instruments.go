package postgres

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// insertInstruments inserts the instruments of pools that are new to the model, for the function
// valuation. The calendar stays in Go: the tables have its months and hours.
func (f *folding) insertInstruments(ctx context.Context, tx pgx.Tx,
	pools map[trade.PoolKey]*poolChange) error {
	added, err := f.newInstruments(ctx, tx, pools)
	if err != nil || len(added) == 0 {
		return err
	}
	var instruments, months, spans [][]any
	for _, id := range added {
		i, err := trade.ParseInstrumentID(id)
		if err != nil {
			return err
		}
		hourly := i.Commodity != trade.Oil && i.Option == nil
		instruments = append(instruments,
			[]any{id, i.Curve(), i.Delivery.String(), expiry(i), hourly})
		for n, month := range i.Delivery.Months() {
			months = append(months, []any{id, n, month.Start.UTC(), month.End.UTC()})
		}
		own, err := spansOf(i)
		if err != nil {
			return err
		}
		for _, s := range own {
			spans = append(spans, []any{id, s.Month, s.Begins, s.Ends})
		}
	}
	return errors.Join(
		copyRows(ctx, tx, "instruments", instruments,
			"instrument", "curve", "delivery", "expires", "hourly"),
		copyRows(ctx, tx, "delivery_months", months, "instrument", "n", "starts", "ends"),
		copyRows(ctx, tx, "delivery_spans", spans, "instrument", "n", "begins", "ends"))
}

// newInstruments returns the instruments of pools that the model does not have.
func (f *folding) newInstruments(ctx context.Context, tx pgx.Tx,
	pools map[trade.PoolKey]*poolChange) ([]string, error) {
	const unknown = `
SELECT id FROM unnest($1::text[]) id WHERE id NOT IN (SELECT instrument FROM instruments)`
	ids := map[string]bool{}
	for pool := range pools {
		if !f.instruments[pool.Instrument] {
			ids[pool.Instrument] = true
		}
	}
	if len(ids) == 0 {
		return nil, nil
	}
	rows, err := tx.Query(ctx, unknown, slices.Sorted(maps.Keys(ids)))
	if err != nil {
		return nil, err
	}
	maps.Copy(f.instruments, ids)
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

func copyRows(ctx context.Context, tx pgx.Tx, table string, rows [][]any,
	columns ...string) error {
	_, err := tx.CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromRows(rows))
	return err
}

// spansOf returns the spans of a delivery. The delivery of oil, which has none, weighs one hour.
func spansOf(i trade.Instrument) ([]trade.Span, error) {
	if i.Commodity == trade.Oil {
		first := i.Delivery.Start.UTC()
		return []trade.Span{{Month: 0, Begins: first, Ends: first.Add(time.Hour)}}, nil
	}
	return i.Spans()
}

// expiry returns the end of an option's day of expiry, or nil for a forward.
func expiry(i trade.Instrument) *time.Time {
	if i.Option == nil {
		return nil
	}
	end := trade.DayOf(i.Option.Until.UTC()).UTC().AddDate(0, 0, 1)
	return &end
}
