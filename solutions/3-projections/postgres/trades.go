package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
)

// A tradeRow travels to Postgres as JSON, and is a row there.
type tradeRow struct {
	UTI   string      `json:"uti"`
	State trade.Trade `json:"state"`
	Terms trade.New   `json:"terms"`
}

// refoldTrades folds each trade among streams from its first event, and replaces its row, and its legs if they changed.
// It says from which leg on each pool has to be folded again (L3.I4).
func refoldTrades(ctx context.Context, tx pgx.Tx, streams map[string]history) (map[trade.PoolKey]trade.LegKey, error) {
	before, err := legsOf(ctx, tx, keys(streams))
	if err != nil {
		return nil, err
	}
	changed := map[trade.PoolKey]trade.LegKey{}
	var (
		rows    []tradeRow
		renewed []string // streams whose legs changed
		legs    []legRow
	)
	for _, stream := range keys(streams) {
		uti, ok := strings.CutPrefix(stream, trade.TradeStream(""))
		if !ok {
			continue
		}
		t, err := trade.Fold(uti, streams[stream].events, trade.AsOf{})
		if err != nil {
			return nil, fmt.Errorf("stream %s: %w", stream, err)
		}
		rows = append(rows, tradeRow{uti, t, t.Terms})
		moved := trade.Changed(before[stream], t.Legs)
		if len(moved) == 0 {
			continue
		}
		renewed, legs = append(renewed, stream), append(legs, legRows(t.Legs)...)
		earliest(changed, moved)
	}
	if err := upsertTrades(ctx, tx, rows); err != nil {
		return nil, err
	}
	return changed, replaceLegs(ctx, tx, renewed, legs)
}

// earliest takes into changed what moved, keeping the earlier leg of each pool.
func earliest(changed, moved map[trade.PoolKey]trade.LegKey) {
	for pool, leg := range moved {
		if first, ok := changed[pool]; !ok || leg.Compare(first) < 0 {
			changed[pool] = leg
		}
	}
}

func upsertTrades(ctx context.Context, tx pgx.Tx, rows []tradeRow) error {
	const upsert = `
INSERT INTO trades (uti, state, terms)
SELECT uti, state, terms FROM jsonb_to_recordset($1::jsonb) AS t(uti text, state jsonb, terms jsonb)
ON CONFLICT (uti) DO UPDATE SET state = excluded.state, terms = excluded.terms`
	_, err := tx.Exec(ctx, upsert, list(rows))
	return err
}

// keys are sorted, so that the same batch runs the same statements.
func keys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// list is rows for jsonb_to_recordset, where a nil slice would be null, and null is no set.
func list[R any](rows []R) []R { return append([]R{}, rows...) }
