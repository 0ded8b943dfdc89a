package capstone

import (
	"cmp"
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
