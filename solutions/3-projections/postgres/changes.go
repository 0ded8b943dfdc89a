package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// The changes of a batch are the rows that it deletes and adds, those of pools apart.
type changes struct {
	streams map[string]bool // with fresh events
	pools   map[trade.PoolKey]*poolChange

	listed   []string // contracts whose rows go
	setAside []string // streams whose rows in parked go
	refolded []string // curves whose points go
	gone     legIDs   // legs that go

	refusals, trades, legs, parked, curves *readmodel.Rows
	points                                 []pointRow // of continued curves
}

func newChanges() *changes {
	return &changes{
		streams: map[string]bool{}, pools: map[trade.PoolKey]*poolChange{},
		refusals: readmodel.NewRows(
			"refusals (stream, version, command_id, rule, detail, recorded_at)"),
		trades: readmodel.NewRows("trades (uti, state, terms, flows)"),
		legs: readmodel.NewRows("legs (effective_at, entered_at, stream, version, n, book, " +
			"instrument, currency, side, quantity, amount, is_exit, own_cost)"),
		parked: readmodel.NewRows(
			"parked (stream, version, event, actor, rule, detail, book, skipped_by)"),
		curves: readmodel.NewRows("curves (curve, delivery, starts, ends, price, currency, " +
			"effective_at, version)"),
	}
}

// legIDs name legs, in columns.
type legIDs struct {
	streams  []string
	versions []int64
	ns       []int
}

// addTrades adds the rows of contracts and curves with fresh events: the contract, the legs that
// differ from those of before (L3.I4), and the events that are set aside.
func (c *changes) addTrades(streams map[string]*stream) error {
	for _, name := range sortedKeys(c.streams) {
		s := streams[name]
		if s == nil || !trade.Folds(name) {
			continue
		}
		c.setEventsAside(name, s)
		uti, ok := strings.CutPrefix(name, trade.TradeStream(""))
		if !ok {
			continue
		}
		t := s.Trade()
		if s.listed {
			c.listed = append(c.listed, uti)
		}
		// A contract has not begun if its first event is illegal or skipped.
		if s.listed = t.Status != ""; s.listed {
			if err := c.addTrade(t); err != nil {
				return fmt.Errorf("trade %s: %w", uti, err)
			}
		}
		c.replaceLegs(s.legs, t.Legs)
		s.legs = t.Legs
	}
	return nil
}

func (c *changes) addTrade(t trade.Trade) error {
	var texts [3]readmodel.JSON
	for i, part := range []any{t, t.Terms, append([]trade.Flow{}, t.Flows...)} {
		text, err := json.Marshal(part)
		if err != nil {
			return err
		}
		texts[i] = text
	}
	c.trades.Add(t.UTI, texts[0], texts[1], texts[2])
	return nil
}

// replaceLegs compares two lists of a contract's legs, both in the order of their keys.
func (c *changes) replaceLegs(before, after []trade.Leg) {
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Key.Compare(after[0].Key) < 0:
			c.removeLeg(before[0])
			before = before[1:]
		case len(before) == 0 || after[0].Key.Compare(before[0].Key) < 0:
			c.addLeg(after[0])
			after = after[1:]
		default:
			if len(trade.Changed(before[:1], after[:1])) > 0 {
				c.removeLeg(before[0])
				c.addLeg(after[0])
			}
			before, after = before[1:], after[1:]
		}
	}
}

func (c *changes) removeLeg(l trade.Leg) {
	c.gone.streams = append(c.gone.streams, l.Key.Stream)
	c.gone.versions = append(c.gone.versions, l.Key.Version)
	c.gone.ns = append(c.gone.ns, l.Key.N)
	c.pool(l).gone[idOf(l)] = true
}

func (c *changes) addLeg(l trade.Leg) {
	c.legs.Add(l.Key.EffectiveAt, l.Key.EnteredAt, l.Key.Stream, l.Key.Version, l.Key.N,
		l.Pool.Book, l.Pool.Instrument, string(l.Pool.Currency), string(l.Side), l.Quantity,
		l.Amount, l.Exit, l.OwnCost)
	p := c.pool(l)
	p.added = append(p.added, l)
}

// pool returns the change of a leg's pool, which now begins at the leg or before it.
func (c *changes) pool(l trade.Leg) *poolChange {
	p := c.pools[l.Pool]
	if p == nil {
		p = &poolChange{first: l.Key, gone: map[legID]bool{}}
		c.pools[l.Pool] = p
	}
	if l.Key.Compare(p.first) < 0 {
		p.first = l.Key
	}
	return p
}

// write deletes and adds the rows.
func (c *changes) write(ctx context.Context, tx pgx.Tx) error {
	const legs = `
DELETE FROM legs l USING unnest($1::text[], $2::bigint[], $3::int[]) AS g(stream, version, n)
WHERE (l.stream, l.version, l.n) = (g.stream, g.version, g.n)`
	for _, gone := range []struct {
		statement string
		rows      int
		args      []any
	}{
		{"DELETE FROM trades WHERE uti = ANY($1)", len(c.listed), []any{c.listed}},
		{legs, len(c.gone.streams), []any{c.gone.streams, c.gone.versions, c.gone.ns}},
		{"DELETE FROM parked WHERE stream = ANY($1)", len(c.setAside), []any{c.setAside}},
		{"DELETE FROM curves WHERE curve = ANY($1)", len(c.refolded), []any{c.refolded}},
	} {
		if gone.rows == 0 {
			continue
		}
		if _, err := tx.Exec(ctx, gone.statement, gone.args...); err != nil {
			return fmt.Errorf("%s: %w", strings.TrimSpace(gone.statement), err)
		}
	}
	for _, rows := range []*readmodel.Rows{c.refusals, c.trades, c.legs, c.parked, c.curves} {
		if err := rows.Copy(ctx, tx); err != nil {
			return err
		}
	}
	return c.setPoints(ctx, tx)
}
