// Code generated from solutions/1-schemas/trade_amended.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// amended is trade.amended, version 1. A price of zero is a price, so its absence is a nil pointer.
func amended(f fields, b *trade.Amend) {
	enum(f, "kind", &b.Kind, trade.Amendment, trade.Update)
	optionalQuantity(f, "quantity", &b.Quantity)
	if f.present("price", b.Price != nil) {
		f.decimal("price", at(&b.Price), unitScale)
	}
	optionalText(f, "trader", &b.Trader)
	optionalText(f, "counterparty", &b.Counterparty)
}
