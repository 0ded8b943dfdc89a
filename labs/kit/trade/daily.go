package trade

import (
	"cmp"
	"slices"
	"time"
)

// An Earning is the P&L that a book realised on one day in one currency, by average cost.
type Earning struct {
	Book     string
	Currency Currency
	Day      string // of the legs' effective times, such as 2025-03-31
	Realised Decimal
}

// Earnings returns what each book realised on each day of a zone, sorted by book, currency and day.
// Days that add up to zero are left out. The trades are those of a State.
func Earnings(trades []Trade, zone *time.Location) (all []Earning) {
	pools, sums := map[PoolKey][]Leg{}, map[Earning]Decimal{} // the keys have no Realised
	for _, t := range trades {
		for _, l := range t.Legs {
			pools[l.Pool] = append(pools[l.Pool], l)
		}
	}
	for key, legs := range pools {
		slices.SortFunc(legs, func(a, b Leg) int { return a.Key.Compare(b.Key) })
		var p Pool
		for _, l := range legs {
			before := p.Average.Realised
			p.Apply(l)
			of := Earning{Book: key.Book, Currency: key.Currency,
				Day: l.Key.EffectiveAt.In(zone).Format(time.DateOnly)}
			sums[of] = sums[of].Add(p.Average.Realised.Sub(before))
		}
	}
	for of, sum := range sums {
		if of.Realised = sum; !sum.IsZero() {
			all = append(all, of)
		}
	}
	slices.SortFunc(all, Earning.compare)
	return all
}

func (e Earning) compare(o Earning) int {
	return cmp.Or(cmp.Compare(e.Book, o.Book), cmp.Compare(e.Currency, o.Currency),
		cmp.Compare(e.Day, o.Day))
}
