package capstone

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// An Exposure is the delta of positions to one price: the change of their market value if the price
// of a curve for one month moves by one. It is the quantity that is not delivered yet.
type Exposure struct {
	Point    string         `json:"point"` // the delivery point
	Curve    string         `json:"curve"`
	Month    string         `json:"month"`    // of the delivery, such as 2025-03
	Currency trade.Currency `json:"currency"` // of the price
	Unit     trade.Unit     `json:"unit"`
	Delta    trade.Decimal  `json:"delta"` // bought is positive, sold is negative
}

// Exposures adds up positions that were valued at a time, by curve, month of delivery and currency.
// A mark values only the positions in its currency, so deltas in two currencies do not offset each
// other. A quantity is spread over the hours of its delivery that are left, and its share of a
// month is rounded to six decimals; the last month takes the rest. A delivered quantity has a
// price, and no exposure.
//
// An option is exposed to its own curve, the price of its premium. Its delta to the underlying
// would need a model of volatility.
func Exposures(positions []trade.Valuation, at time.Time) ([]Exposure, error) {
	type key struct {
		curve, month string
		currency     trade.Currency
	}
	all := map[key]*Exposure{}
	for _, p := range positions {
		i, err := trade.ParseInstrumentID(p.Instrument)
		if err != nil {
			return nil, err
		}
		months := i.Delivery.Months()
		shares, err := spread(p.Undelivered, i, at)
		if err != nil {
			return nil, err
		}
		for n, q := range shares {
			k := key{i.Curve(), months[n].Start.UTC().Format("2006-01"), p.Currency}
			if all[k] == nil {
				all[k] = &Exposure{Point: i.Zone, Curve: k.curve, Month: k.month,
					Currency: k.currency, Unit: p.Unit}
			}
			all[k].Delta = all[k].Delta.Add(q)
		}
	}
	var list []Exposure
	//determinism:unordered the list is sorted
	for _, e := range all {
		if !e.Delta.IsZero() {
			list = append(list, *e)
		}
	}
	slices.SortFunc(list, func(a, b Exposure) int {
		return cmp.Or(cmp.Compare(a.Point, b.Point), cmp.Compare(a.Curve, b.Curve),
			cmp.Compare(a.Month, b.Month), cmp.Compare(a.Currency, b.Currency))
	})
	return list, nil
}

// spread returns the shares of a quantity in the months of a delivery, by the hours that are left.
// Oil has one month. The delivery of an option has not begun.
func spread(q trade.Decimal, i trade.Instrument, at time.Time) ([]trade.Decimal, error) {
	months := i.Delivery.Months()
	shares := make([]trade.Decimal, len(months))
	if i.Commodity == trade.Oil {
		shares[0] = q
		return shares, nil
	}
	if i.Option != nil {
		at = time.Time{}
	}
	left, all := make([]int64, len(months)), int64(0)
	for n, month := range months {
		part := i
		part.Delivery = month
		var err error
		if left[n], err = trade.Hours(part, at); err != nil {
			return nil, err
		}
		all += left[n]
	}
	rest := q
	for n, hours := range left {
		if hours == 0 {
			continue
		}
		shares[n] = rest
		if all > hours {
			shares[n] = trade.MulDiv(rest, trade.Int(hours), trade.Int(all), 6)
		}
		rest, all = rest.Sub(shares[n]), all-hours
	}
	return shares, nil
}

// A Move is the P&L of a historical price move: the marks of one day, and of another day, applied
// to a delta of today.
type Move struct {
	Book string `json:"book"`
	Exposure
	From *trade.UsedMark `json:"from"` // nil where the mark is missing
	To   *trade.UsedMark `json:"to"`
	PnL  *trade.Decimal  `json:"pnl"` // delta times the change; nil where a mark is missing
}

// A MoveTotal adds up the moves of a book in one currency.
type MoveTotal struct {
	Book     string         `json:"book"`
	Currency trade.Currency `json:"currency"`
	PnL      *trade.Decimal `json:"pnl"`     // nil where a mark is missing
	Missing  int            `json:"missing"` // the moves without a P&L
	Moves    []Move         `json:"moves"`
}

// Moves applies the change between two sets of curves to positions that were valued at a time. A
// position has the deltas of Exposures, and each takes the mark that would value it: see
// trade.Curve.MarkOf. A P&L is rounded to the currency's minor unit, for each book, month and pair
// of marks. Without a mark there is no P&L, and no total.
func Moves(positions []trade.Valuation, from, to map[string]trade.Curve, at time.Time) (
	[]MoveTotal, error) {
	type key struct{ book, curve, month, currency, from, to string }
	all := map[key]*Move{}
	for _, p := range positions {
		i, err := trade.ParseInstrumentID(p.Instrument)
		if err != nil {
			return nil, err
		}
		shares, err := spread(p.Undelivered, i, at)
		if err != nil {
			return nil, err
		}
		for n, month := range i.Delivery.Months() {
			before, was := from[i.Curve()].MarkOf(i, month, p.Currency, at)
			after, is := to[i.Curve()].MarkOf(i, month, p.Currency, at)
			name := month.Start.UTC().Format("2006-01")
			k := key{p.Book, i.Curve(), name, string(p.Currency), before.Delivery, after.Delivery}
			if all[k] == nil {
				e := Exposure{i.Zone, i.Curve(), name, p.Currency, p.Unit, trade.Decimal{}}
				all[k] = &Move{Book: p.Book, Exposure: e, From: &before, To: &after}
			}
			m := all[k]
			m.Delta = m.Delta.Add(shares[n])
			if !was {
				m.From = nil
			}
			if !is {
				m.To = nil
			}
		}
	}
	var moves []Move
	//determinism:unordered the list is sorted
	for _, m := range all {
		if !m.Delta.IsZero() {
			moves = append(moves, m.priced())
		}
	}
	slices.SortFunc(moves, Move.compare)
	return totalsOf(moves), nil
}

// priced returns m with its P&L.
func (m Move) priced() Move {
	if m.From != nil && m.To != nil {
		pnl := m.Currency.Amount(m.To.Price.Sub(m.From.Price), m.Delta)
		m.PnL = &pnl
	}
	return m
}

func (m Move) compare(o Move) int {
	marked := func(u *trade.UsedMark) string {
		if u == nil {
			return ""
		}
		return u.Delivery
	}
	return cmp.Or(cmp.Compare(m.Book, o.Book), cmp.Compare(m.Currency, o.Currency),
		cmp.Compare(m.Curve, o.Curve), cmp.Compare(m.Month, o.Month),
		cmp.Compare(marked(m.From), marked(o.From)), cmp.Compare(marked(m.To), marked(o.To)))
}

// totalsOf adds up moves, which are sorted by book and currency.
func totalsOf(moves []Move) (all []MoveTotal) {
	for _, m := range moves {
		n := len(all) - 1
		if n < 0 || all[n].Book != m.Book || all[n].Currency != m.Currency {
			all, n = append(all, MoveTotal{m.Book, m.Currency, &trade.Decimal{}, 0, nil}), n+1
		}
		t := &all[n]
		t.Moves = append(t.Moves, m)
		switch {
		case m.PnL == nil:
			t.PnL, t.Missing = nil, t.Missing+1
		case t.PnL != nil:
			sum := t.PnL.Add(*m.PnL)
			t.PnL = &sum
		}
	}
	return all
}

// CurvesAt returns the curves of positions, as known and as effective at the given times.
func (s *System) CurvesAt(
	ctx context.Context, positions []trade.Valuation, at trade.AsOf,
) (map[string]trade.Curve, error) {
	curves := map[string]trade.Curve{}
	for _, p := range positions {
		name := p.Curve()
		if _, done := curves[name]; done {
			continue
		}
		h, err := s.Desk.history(ctx, trade.CurveStream(name), math.MaxInt64)
		if err != nil {
			return nil, err
		}
		s.atSource(h)
		curves[name], _ = trade.FoldCurve(name, h.events, at) // the answer names a parked curve
	}
	return curves, nil
}
