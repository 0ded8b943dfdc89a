package trade

// decideMark checks a price mark. Nothing hangs on the marks of a curve but the curve, so no later one can break. A curve has one
// currency: points are kept by delivery, so a mark in another would take away the worth of what was marked before. Where it is the
// only one, a mark may be corrected to another currency; the second settles it for good.
func decideMark(_ string, history []Event, cmd Command) (Decision, *Refusal) {
	line, slot, r := propose(history, cmd)
	if r != nil {
		return Decision{}, r
	}
	m := cmd.Body.(PriceMarked)
	if r := m.check(); r != nil {
		return Decision{}, r
	}
	for _, other := range line.without(slot) {
		if is, ok := other.Event.Body.(PriceMarked); ok && is.Currency != m.Currency {
			return Decision{}, refuse(OtherCurrency, "a mark in %s, but %s is marked in %s", m.Currency, m.Curve, is.Currency)
		}
	}
	return Decision{slot.Event.EffectiveAt, cmd.Corrects, cmd.Body}, nil
}

func (m PriceMarked) check() *Refusal {
	i, err := ParseCurve(m.Curve)
	if err != nil {
		return refuse(BadTerms, "%v", err)
	}
	if _, err := ParseCurrency(string(m.Currency)); err != nil {
		return refuse(BadTerms, "%v", err)
	}
	if len(m.Points) == 0 {
		return refuse(BadTerms, "a mark of %s without points", m.Curve)
	}
	seen := map[Period]bool{}
	for _, p := range m.Points {
		if r := p.Delivery.check(); r != nil {
			return r
		}
		if seen[p.Delivery] {
			return refuse(BadTerms, "%s is marked twice", p.Delivery)
		}
		seen[p.Delivery] = true
		if r := i.checkPrice("mark", p.Price); r != nil {
			return r
		}
	}
	return nil
}
