package trade

func (a Amend) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if r := t.live(); r != nil {
		return t, r
	}
	switch a.Kind {
	case Update:
		return update(t, a)
	case Amendment:
		return renegotiate(t, s, a)
	}
	return t, refuse(BadTerms, "kind of amend %q: want amendment or update", a.Kind)
}

// update changes names and nothing that is worth money.
func update(t Trade, a Amend) (Trade, *Refusal) {
	if !a.Quantity.IsZero() || a.Price != nil || a.Trader == "" && a.Counterparty == "" {
		return t, refuse(NoChange, "an update changes the trader or the counterparty, and nothing else")
	}
	if a.Trader != "" {
		t.Trader, t.Terms.Trader = a.Trader, a.Trader
	}
	if a.Counterparty != "" {
		t.Counterparty, t.Terms.Counterparty = a.Counterparty, a.Counterparty
	}
	return t, checkTexts("trader", t.Trader, "counterparty", t.Counterparty)
}

// renegotiate changes quantity or price from here on. What was taken out before keeps its old price.
func renegotiate(t Trade, s Slot, a Amend) (Trade, *Refusal) {
	if a.Quantity.IsZero() && a.Price == nil || a.Trader != "" || a.Counterparty != "" {
		return t, refuse(NoChange, "an amendment changes the quantity or the price, and nothing else")
	}
	price, contracted, taken := t.Price, t.Contracted, t.Contracted.Sub(t.Open)
	if a.Price != nil {
		price = *a.Price
	}
	if r := t.Terms.Instrument.checkPremium(price); r != nil {
		return t, r
	}
	if !a.Quantity.IsZero() {
		if r := checkQuantity(a.Quantity, t.Unit); r != nil {
			return t, r
		}
		contracted = a.Quantity.Value
	}
	if contracted.Cmp(taken) < 0 {
		return t, refuse(BelowReduced, "%s in all, but %s is already taken out", contracted, taken)
	}
	return t.agree(s, price, contracted, contracted.Sub(taken)), nil
}

// agree puts new terms in place. The new price is a leg of its own, before that of the quantity: first the open part costs what
// was agreed now, then some of it is added or given back at that price. In one leg, a lower quantity at a higher price would
// look like a sale far below cost.
//
// An amendment down to what is already taken out leaves nothing open, and so closes the contract as the last reduction
// would have.
func (t Trade) agree(s Slot, price, contracted, open Decimal) Trade {
	was, repriced, is := t.Currency.Amount(t.Price, t.Open), t.Currency.Amount(price, t.Open), t.Currency.Amount(price, open)
	paid := t.Side.Sign().Neg()
	t = t.move(s, Decimal{}, paid.Mul(repriced.Sub(was)))
	t = t.move(s, open.Sub(t.Open), paid.Mul(is.Sub(repriced)))
	if !contracted.Equal(t.Contracted) {
		t.Terms.Quantity.Value, t.Terms.Capacity = contracted, Decimal{}
	}
	t.Price, t.Terms.Price, t.Contracted, t.Open = price, price, contracted, open
	if open.IsZero() {
		t.Status = t.reducedBy
	}
	return t
}
