package trade

// PositionOf is what the pool is worth on the curve. It needs no contract for that: the instrument's id says what is delivered
// and when. A flat pool is worth nothing, marked or not.
func PositionOf(key PoolKey, p Pool, c Curve) Position {
	pos := Position{
		PoolKey: key, Quantity: p.Average.Quantity,
		AverageCost: Result{Cost: p.Average.Cost, Realised: p.Average.Realised},
		FIFO:        Result{Cost: p.FIFO.Cost(), Realised: p.FIFO.Realised},
	}
	i, err := ParseInstrumentID(key.Instrument)
	if err != nil {
		panic("trade: a pool of no instrument: " + err.Error()) // legs come from contracts, whose terms were checked
	}
	pos.Unit = i.Commodity.Unit()
	var value Decimal
	if !pos.Quantity.IsZero() { // most pools of an old book are flat, and hours take long to count
		var ok bool
		if value, ok = c.Value(i, pos.Quantity, key.Currency); !ok {
			return pos
		}
	}
	pos.MarketValue = &value
	pos.AverageCost.Unrealised = less(value, pos.AverageCost.Cost)
	pos.FIFO.Unrealised = less(value, pos.FIFO.Cost)
	return pos
}

func less(value, cost Decimal) *Decimal {
	d := value.Sub(cost)
	return &d
}
