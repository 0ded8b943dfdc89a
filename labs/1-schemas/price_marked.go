// Code generated from solutions/1-schemas/price_marked.go by make generate; DO NOT EDIT.

package codec

import (
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// marked is price.marked, version 2. A body names its curve in one text, as contracts do; on record the name is in two fields, so
// that a reader of the topic can choose by commodity without taking names apart.
type marked struct {
	currency  trade.Currency
	points    []trade.Point
	commodity trade.Commodity
	market    *string
}

func markedOf(b trade.PriceMarked) marked {
	m := marked{currency: b.Currency, points: b.Points}
	m.commodity, m.market = split(b.Curve)
	return m
}

// split takes a curve's name apart at its first slash, and marked.body puts it together again: for any name, so that it matters to nobody
// whether a mark was recorded in one field or in two.
func split(curve string) (trade.Commodity, *string) {
	commodity, market, found := strings.Cut(curve, "/")
	if !found {
		return trade.Commodity(commodity), nil
	}
	return trade.Commodity(commodity), &market
}

func (b marked) body() trade.PriceMarked {
	curve := string(b.commodity)
	if b.market != nil {
		curve += "/" + *b.market
	}
	return trade.PriceMarked{Curve: curve, Currency: b.currency, Points: b.points}
}

func walkMarked(f fields, b *marked) {
	f.text("currency", (*string)(&b.currency))
	points(f, &b.points)
	if f.present("commodity", true) {
		enum(f, "commodity", &b.commodity, trade.Power, trade.Gas, trade.Oil)
	}
	if f.present("market", b.market != nil) {
		f.text("market", at(&b.market))
	}
}

func points(f fields, all *[]trade.Point) {
	grow := func() { *all = append(*all, trade.Point{}) }
	f.list("points", len(*all), grow, func(i int) {
		p := &(*all)[i]
		f.period("delivery", &p.Delivery)
		f.decimal("price", &p.Price, unitScale)
	})
}
