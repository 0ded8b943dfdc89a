// Code generated from solutions/1-schemas/trade_novated.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// novated is trade.novated, version 1.
func novated(f fields, b *trade.Novate) {
	enum(f, "role", &b.Role, trade.Transferor, trade.Remaining)
	quantity(f, "quantity", &b.Quantity)
	f.decimal("fee", &b.Fee, amountScale)
	f.text("new_uti", &b.NewUTI)
	f.text("incoming", &b.Incoming)
}
