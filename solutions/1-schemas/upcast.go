package codec

import (
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// oldFormats lists the versions that are no longer written (L1.I4). Each has its own type in this
// file, a walk over its fields in the order of its schema, and a step to the next version: the
// value that a producer of the next version would have written for the same fact. Steps are
// chained, and each knows two versions only. A step never fails, and reads nothing but the recorded
// fields. A field that did not exist then stays empty.
//
// When a type gets its next version, copy its current type and walk to this file, write the step,
// and leave the rest of this file unchanged.
var oldFormats = []format{
	oldFormat("price.marked", 1, markedV1.walk, markedV1.next),
	oldFormat("trade.settled", 1, settledV1.walk, settledV1.next),
}

// markedV1 is price.marked, version 1. It named the curve in one text.
type markedV1 struct {
	curve    string
	currency trade.Currency
	points   []trade.Point
}

func (b markedV1) walk(f fields) markedV1 {
	f.text("curve", &b.curve)
	f.text("currency", (*string)(&b.currency))
	points(f, &b.points)
	return b
}

// next splits the curve's name. No registry would notice a missing step: every backward mode lets
// new readers read version 1 under the schema of version 2, and the result has two nulls.
func (b markedV1) next() marked {
	m := marked{currency: b.currency, points: b.points}
	m.commodity, m.market = splitCurve(b.curve)
	return m
}

// splitCurve divides a curve's name at its first slash, and marked.body joins the two again. That
// holds for any name: a mark means the same whether it was recorded in one field or in two.
func splitCurve(curve string) (trade.Commodity, *string) {
	commodity, market, found := strings.Cut(curve, "/")
	if !found {
		return trade.Commodity(commodity), nil
	}
	return trade.Commodity(commodity), &market
}

// settledV1 is trade.settled, version 1. It did not have the source of the price.
type settledV1 struct {
	quantity trade.Quantity
	price    trade.Decimal
}

func (b settledV1) walk(f fields) settledV1 {
	quantity(f, "quantity", &b.quantity)
	f.decimal("price", &b.price, unitScale)
	return b
}

func (b settledV1) next() trade.Settle {
	return trade.Settle{Quantity: b.quantity, Price: b.price}
}
