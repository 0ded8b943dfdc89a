package codec

import "example.com/blotter/labs/kit/trade"

// marked is price.marked, version 1.
func marked(f fields, b *trade.PriceMarked) {
	f.text("curve", &b.Curve)
	f.text("currency", (*string)(&b.Currency))
	grow := func() { b.Points = append(b.Points, trade.Point{}) }
	f.list("points", len(b.Points), grow, func(i int) {
		f.period("delivery", &b.Points[i].Delivery)
		f.decimal("price", &b.Points[i].Price, unitScale)
	})
}
