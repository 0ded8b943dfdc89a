package trade

// decideMark checks a price mark. Nothing hangs on the marks of a curve but the curve, so no later one can break.
func decideMark(_ string, history []Event, cmd Command) (Decision, *Refusal) {
	_, slot, r := propose(history, cmd)
	if r != nil {
		return Decision{}, r
	}
	if r := cmd.Body.(PriceMarked).check(); r != nil {
		return Decision{}, r
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
