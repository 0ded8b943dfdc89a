// Code generated from solutions/1-schemas/trade_cancelled.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// cancelled is trade.cancelled, version 1.
func cancelled(f fields, b *trade.Cancel) {
	enum(f, "kind", &b.Kind, trade.Void, trade.Terminate)
	optionalQuantity(f, "quantity", &b.Quantity)
	f.decimal("fee", &b.Fee, amountScale)
}
