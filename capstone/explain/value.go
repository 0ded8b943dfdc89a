package explain

import (
	"maps"
	"slices"

	"example.com/blotter/labs/kit/trade"
)

// A Value is a P&L, or a change of one. Where a mark is missing, the unrealised part is nil, and
// never zero.
type Value struct {
	Realised   trade.Decimal
	Unrealised *trade.Decimal
}

// nothing is the value of a pool without legs.
func nothing() Value { return Value{Unrealised: new(trade.Decimal)} }

// Total returns the realised and the unrealised part together; nil where a mark is missing.
func (v Value) Total() *trade.Decimal {
	if v.Unrealised == nil {
		return nil
	}
	total := v.Realised.Add(*v.Unrealised)
	return &total
}

// IsZero reports whether both parts are known, and zero.
func (v Value) IsZero() bool {
	return v.Realised.IsZero() && v.Unrealised != nil && v.Unrealised.IsZero()
}

// Plus returns v + o. A part is nil if it is nil in one of them.
func (v Value) Plus(o Value) Value { return v.with(o, trade.Decimal.Add) }

// Minus returns v - o. A part is nil if it is nil in one of them.
func (v Value) Minus(o Value) Value { return v.with(o, trade.Decimal.Sub) }

func (v Value) with(o Value, op func(a, b trade.Decimal) trade.Decimal) Value {
	r := Value{Realised: op(v.Realised, o.Realised)}
	if v.Unrealised != nil && o.Unrealised != nil {
		unrealised := op(*v.Unrealised, *o.Unrealised)
		r.Unrealised = &unrealised
	}
	return r
}

// sorted returns the pools of m in their order.
func sorted[V any](m map[trade.PoolKey]V) []trade.PoolKey {
	return slices.SortedFunc(maps.Keys(m), trade.PoolKey.Compare)
}
