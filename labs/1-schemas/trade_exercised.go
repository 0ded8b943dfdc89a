// Code generated from solutions/1-schemas/trade_exercised.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// exercised is trade.exercised, version 1.
func exercised(f fields, b *trade.Exercise) {
	quantity(f, "quantity", &b.Quantity)
	f.decimal("underlying_price", &b.UnderlyingPrice, unitScale)
	enum(f, "settlement", &b.Settlement, trade.Physical, trade.Cash)
	optionalText(f, "new_uti", &b.NewUTI)
}
