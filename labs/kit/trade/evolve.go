package trade

// Evolve is what a contract becomes by what stands in a slot, or the rule that forbids it there:
//
//	from                    event                                                  to
//	nothing                 NEW                                                    LIVE
//	LIVE                    AMEND (amendment, update)                              LIVE
//	LIVE                    CANCEL terminate, NOVATE, SETTLE, EXERCISE in part     LIVE, reduced
//	LIVE                    the same, of all that is open                          TERMINATED, NOVATED, SETTLED, EXERCISED
//	any, VOIDED excepted    CANCEL void                                            VOIDED
//
// Corrections need no row: they have taken their slots before. Who may change a closed contract is Decide's affair,
// since that depends on what is known now and not on the slot.
func Evolve(t Trade, s Slot) (Trade, *Refusal) {
	b, ok := s.Event.Body.(transition)
	_, begins := s.Event.Body.(New)
	switch {
	case t.Status == "" && !begins:
		return t, refuse(NotBegun, "no contract %s has begun by %s", t.UTI, show(s.Event.EffectiveAt))
	case !ok:
		return t, refuse(WrongKind, "%T is not an event of a contract", s.Event.Body)
	}
	return b.evolve(t, s)
}

// live refuses what only a live contract takes.
func (t Trade) live() *Refusal {
	switch t.Status {
	case Live:
		return nil
	case Voided:
		return refuse(IsVoided, "%s is voided", t.UTI)
	}
	return refuse(NotLive, "%s is %s", t.UTI, t.Status)
}

// evolve makes the opening leg: what is bought, and what was paid for it.
func (n New) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if t.Status != "" {
		return t, refuse(AlreadyBegun, "%s is %s", t.UTI, t.Status)
	}
	if r := n.check(t.UTI); r != nil {
		return t, r
	}
	t = Trade{
		UTI: t.UTI, Status: Live, Book: n.Book, Counterparty: n.Counterparty, Trader: n.Trader, Side: n.Side,
		Instrument: n.Instrument.ID(), Unit: n.Quantity.Unit, Currency: n.Currency, Price: n.Price, PriorUTI: n.PriorUTI,
		Contracted: n.Quantity.Value, Open: n.Quantity.Value, Terms: n,
	}
	paid := n.Side.Sign().Mul(n.Currency.Amount(n.Price, n.Quantity.Value))
	return t.move(s, t.Open, paid.Neg().Add(n.Fee).Add(n.CarriedIn)), nil
}

// move adds a leg, the first or the next of its slot. The quantity is in the contract's own sense: more of it is positive. The amount is cash to us.
func (t Trade) move(s Slot, quantity, amount Decimal) Trade {
	if quantity.IsZero() && amount.IsZero() {
		return t
	}
	n := 0
	if last := len(t.Legs) - 1; last >= 0 && t.Legs[last].Key.Version == s.Version {
		n = t.Legs[last].Key.N + 1
	}
	leg := Leg{
		Key:      LegKey{EffectiveAt: s.Event.EffectiveAt.UTC(), Stream: TradeStream(t.UTI), Version: s.Version, N: n},
		Pool:     PoolKey{Book: t.Book, Instrument: t.Instrument, Currency: t.Currency},
		Side:     t.Side,
		Quantity: t.Side.Sign().Mul(quantity),
		Amount:   amount,
	}
	t.Legs = append(t.Legs[:len(t.Legs):len(t.Legs)], leg) // never into an array that another Trade may share
	return t
}

// void makes it as if the contract had never been: no terms, no legs.
func void(t Trade) (Trade, *Refusal) {
	if t.Status == Voided {
		return t, t.live()
	}
	t.Status, t.Legs = Voided, nil
	t.Contracted, t.Open, t.Settled, t.Novated, t.Exercised, t.Terminated = Decimal{}, Decimal{}, Decimal{}, Decimal{}, Decimal{}, Decimal{}
	t.SettledAmount = Decimal{}
	return t, nil
}
