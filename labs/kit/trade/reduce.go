package trade

import "github.com/google/uuid"

// reduce takes a part of a contract out, at a price and with a fee: every way out of a contract is an opposite leg. Where
// nothing is left open, the contract is closed with the status of what took out the last of it.
//
// A correction that restates the quantity as zero says that the reduction did not happen. It leaves the contract as it
// is, be that live or not.
func (t Trade) reduce(s Slot, b Reducer, price, fee Decimal, as Status) (Trade, *Refusal) {
	q, _ := b.Reduction()
	if annuls(s.Event) && q.Unit == t.Unit {
		return t, nil
	}
	if r := t.live(); r != nil {
		return t, r
	}
	if r := checkQuantity(q, t.Unit); r != nil {
		return t, r
	}
	if q.Value.Cmp(t.Open) > 0 {
		return t, refuse(Exceeds, "%s asked for, %s %s is open", q, t.Open, t.Unit)
	}
	received := t.Side.Sign().Mul(t.Currency.Amount(price, q.Value))
	t = t.move(s, q.Value.Neg(), received.Add(fee))
	t.Open, t.reducedBy = t.Open.Sub(q.Value), as
	if t.Open.IsZero() {
		t.Status = as
	}
	return t.book(as, q.Value), nil
}

// book adds to the account of what was taken out, and how.
func (t Trade) book(as Status, q Decimal) Trade {
	switch as {
	case Settled:
		t.Settled = t.Settled.Add(q)
	case Novated:
		t.Novated = t.Novated.Add(q)
	case Exercised:
		t.Exercised = t.Exercised.Add(q)
	case Terminated:
		t.Terminated = t.Terminated.Add(q)
	}
	return t
}

// annuls says whether e is a correction after which a reduction did not happen.
func annuls(e Event) bool {
	q, ok := Reduction(e.Body)
	return ok && e.Corrects != uuid.Nil && q.Unit != "" && q.Value.IsZero()
}

// settle is delivery, paid for at the contract price and worth the settlement price.
func (b Settle) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if r := t.Terms.Instrument.checkPrice("settlement price", b.Price); r != nil {
		return t, r
	}
	if b.PriceSource != "" {
		if r := checkTexts("price source", b.PriceSource); r != nil {
			return t, r
		}
	}
	t, r := t.reduce(s, b, b.Price, Decimal{}, Settled)
	if r != nil {
		return t, r
	}
	t.SettledAmount = t.SettledAmount.Add(t.Currency.Amount(t.Price, b.Quantity.Value))
	return t, nil
}

func (b Cancel) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if b.Kind != Void && b.Kind != Terminate {
		return t, refuse(BadTerms, "kind of cancel %q: want void or terminate", b.Kind)
	}
	if b.Kind == Void && (!b.Quantity.IsZero() || !b.Fee.IsZero()) {
		return t, refuse(BadTerms, "a void has neither quantity nor fee: it is as if the contract had never been")
	}
	if r := checkFee(b.Fee, t.Currency); r != nil {
		return t, r
	}
	if b.Kind == Void {
		return void(t)
	}
	return t.reduce(s, b, t.Price, b.Fee, Terminated)
}

// novate is the same for this contract whether we leave or stay: what we have afterwards in our second role is another
// contract (see FollowUps).
func (b Novate) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if b.Role != Transferor && b.Role != Remaining {
		return t, refuse(BadTerms, "role %q: want transferor or remaining", b.Role)
	}
	if b.NewUTI == t.UTI {
		return t, refuse(BadTerms, "the new contract has the UTI of the old one")
	}
	if r := checkUTI("new UTI", b.NewUTI); r != nil {
		return t, r
	}
	if r := checkTexts("incoming party", b.Incoming); r != nil {
		return t, r
	}
	if r := checkFee(b.Fee, t.Currency); r != nil {
		return t, r
	}
	return t.reduce(s, b, t.Price, b.Fee, Novated)
}

// exercise gives the option back for what it is worth inside, which a contract on the underlying then carries in (see
// FollowUps), or which is paid out.
func (b Exercise) evolve(t Trade, s Slot) (Trade, *Refusal) {
	o := t.Terms.Instrument.Option
	if o == nil {
		return t, refuse(NotAnOption, "%s is on %s", t.UTI, t.Instrument)
	}
	if r := t.checkExercise(b); r != nil {
		return t, r
	}
	if at := s.Event.EffectiveAt; !annuls(s.Event) && (at.Before(o.From) || at.After(o.Until)) {
		return t, refuse(OutsideWindow, "%s, but the window is from %s to %s", show(at), show(o.From), show(o.Until))
	}
	return t.reduce(s, b, o.intrinsic(b.UnderlyingPrice), Decimal{}, Exercised)
}

func (t Trade) checkExercise(b Exercise) *Refusal {
	switch {
	case b.Settlement != Physical && b.Settlement != Cash:
		return refuse(BadTerms, "settlement %q: want physical or cash", b.Settlement)
	case (b.Settlement == Physical) != (b.NewUTI != ""):
		return refuse(BadTerms, "a physical exercise names the UTI of the contract it begins, a cash-settled one none")
	case b.NewUTI == t.UTI:
		return refuse(BadTerms, "the new contract has the UTI of the option")
	}
	if b.NewUTI != "" {
		if r := checkUTI("new UTI", b.NewUTI); r != nil {
			return r
		}
	}
	return t.Terms.Instrument.Underlying().checkPrice("underlying price", b.UnderlyingPrice)
}

// intrinsic is what the right is worth per unit when the underlying is worth s.
func (o Option) intrinsic(s Decimal) Decimal {
	worth := s.Sub(o.Strike)
	if o.Kind == Put {
		worth = worth.Neg()
	}
	if worth.Sign() < 0 {
		return Decimal{}
	}
	return worth
}
