// Code generated from solutions/1-schemas/trade_new.go by make generate; DO NOT EDIT.

package codec

import "example.com/blotter/labs/kit/trade"

// begun is trade.new, version 1.
func begun(f fields, b *trade.New) {
	f.text("book", &b.Book)
	f.text("counterparty", &b.Counterparty)
	f.text("trader", &b.Trader)
	enum(f, "side", &b.Side, trade.Buy, trade.Sell)
	f.record("instrument", func() { instrument(f, &b.Instrument) })
	quantity(f, "quantity", &b.Quantity)
	optionalDecimal(f, "capacity", &b.Capacity, unitScale)
	f.decimal("price", &b.Price, unitScale)
	f.text("currency", (*string)(&b.Currency))
	f.decimal("fee", &b.Fee, amountScale)
	optionalText(f, "prior_uti", &b.PriorUTI)
	optionalDecimal(f, "carried_in", &b.CarriedIn, amountScale)
}

func instrument(f fields, i *trade.Instrument) {
	enum(f, "commodity", &i.Commodity, trade.Power, trade.Gas, trade.Oil)
	f.text("zone", &i.Zone)
	optionalText(f, "profile", &i.Profile)
	f.period("delivery", &i.Delivery)
	if f.present("option", i.Option != nil) {
		option := at(&i.Option)
		f.record("option", func() {
			enum(f, "kind", &option.Kind, trade.Call, trade.Put)
			f.decimal("strike", &option.Strike, unitScale)
			f.instant("from", &option.From)
			f.instant("until", &option.Until)
		})
	}
}
