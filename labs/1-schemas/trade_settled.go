// Code generated from solutions/1-schemas/trade_settled.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// settled is trade.settled, version 2.
func settled(f fields, b *trade.Settle) {
	quantity(f, "quantity", &b.Quantity)
	f.decimal("price", &b.Price, unitScale)
	optionalText(f, "price_source", &b.PriceSource)
}
