package codec

import "example.com/blotter/labs/kit/trade"

// This file is where the past meets the present (L1.I4). A version that is no longer written has its own type here, its walk over the
// fields in the order of its schema, and its step: what one would have written in the next version to say the same. Steps
// are chained, so each knows two versions and none knows today's. A step never fails and never looks anything up: what was said then
// is all there is, and a field that nobody was asked for stays empty.
//
// When a type gets its next version: copy the walk and the type of the one before to here, write the step, and leave what is here alone.
var older = []format{
	before("price.marked", 1, marked1.walk, marked1.next),
	before("trade.settled", 1, settled1.walk, settled1.next),
}

// marked1 is price.marked, version 1: it named the curve in one text.
type marked1 struct {
	curve    string
	currency trade.Currency
	points   []trade.Point
}

func (b marked1) walk(f fields) marked1 {
	f.text("curve", &b.curve)
	f.text("currency", (*string)(&b.currency))
	points(f, &b.points)
	return b
}

// next splits the curve's name. No registry would find it out if this step were missing: to read version 1 under the schema of
// version 2 is allowed by every rule for new readers, and gives two nulls.
func (b marked1) next() marked {
	m := marked{currency: b.currency, points: b.points}
	m.commodity, m.market = split(b.curve)
	return m
}

// settled1 is trade.settled, version 1: nobody was asked who published the price.
type settled1 struct {
	quantity trade.Quantity
	price    trade.Decimal
}

func (b settled1) walk(f fields) settled1 {
	quantity(f, "quantity", &b.quantity)
	f.decimal("price", &b.price, unitScale)
	return b
}

func (b settled1) next() trade.Settle {
	return trade.Settle{Quantity: b.quantity, Price: b.price}
}
