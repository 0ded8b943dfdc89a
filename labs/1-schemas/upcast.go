package codec

import (
	"example.com/blotter/labs/kit/check"
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

// next returns the value that a producer of version 2 would have written for the same mark (L1.I4).
//
// Exercise 7. settledV1.next, below, is an example.
func (b markedV1) next() marked { panic(check.TODO("L1.split")) }

// splitCurve divides the name of a curve into its commodity and its market (L1.I3, L1.I4). Whatever
// the name, marked.body (walks.go) must make the same name of the two again. The walk of version 2
// uses it, too.
//
// Exercise 7.
func splitCurve(curve string) (trade.Commodity, *string) {
	if todo := check.TODO("L1.split"); todo != nil {
		panic(todo)
	}
	return "", nil
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
