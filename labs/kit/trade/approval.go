package trade

import "time"

// checkApproval requires a second principal for a command that changes the past of a contract: the
// contract is closed, or one of its existing reductions would have another quantity, price or
// amount. now is the contract before the command; before and after are its ordered slots.
//
//	a correction or a void of a closed contract            approver
//	a void of a contract that is settled in part           approver
//	an amended price that takes effect before a settlement approver
//	a new settlement of a live contract                    none
//
// Effects on other contracts do not count: not by a pool, and not by a follow-up, which has an
// approver of its own.
func checkApproval(now Trade, before, after []Slot, cmd Command) *Refusal {
	if cmd.Approver != "" && cmd.Approver != cmd.Actor || now.Status == "" {
		return nil
	}
	if now.Status != Live {
		return refuse(NeedsApprover, "%s is %s: a change needs an approver other than %q",
			now.UTI, now.Status, cmd.Actor)
	}
	were, are := reductions(now.UTI, before), reductions(now.UTI, after)
	for _, s := range before {
		was, reduces := were[s.Version]
		if is, still := are[s.Version]; reduces && (!still || !is.same(was)) {
			return refuse(NeedsApprover, "the command changes version %d, a %s of %s: it needs an "+
				"approver other than %q", s.Version, KindOf(s.Event.Body).Operation,
				was.quantity, cmd.Actor)
		}
	}
	return nil
}

// NeedsApproval reports whether an event needed a second principal when it was recorded, after the
// earlier events of its contract. An event that was illegal then needed none: it counts for
// nothing. Decide requires the approver, so an event without one came from elsewhere.
func NeedsApproval(uti string, earlier []Event, e Event) bool {
	l := legalityOf(TradeStream(uti), earlier, AsOf{})
	if l.parked != nil || l.now.Status == "" {
		return false
	}
	now, before := l.now, effective(l.line.slots, time.Time{})
	if _, skips := e.Body.(EventSkipped); skips || !l.take(e) {
		return false
	}
	after := effective(l.line.slots, time.Time{})
	return checkApproval(now, before, after, Command{Actor: e.Actor}) != nil
}

// A reduction is the quantity that one slot took out of a contract, at the contract's price, and
// the amount of its legs.
type reduction struct {
	quantity Quantity
	price    Decimal // of the contract at that slot
	amount   Decimal
	currency Currency
}

func (r reduction) same(o reduction) bool {
	return r.quantity.Unit == o.quantity.Unit && r.quantity.Value.Equal(o.quantity.Value) &&
		r.price.Equal(o.price) && r.amount.Equal(o.amount) && r.currency == o.currency
}

// reductions returns the reductions of ordered, legal slots by version. A voided contract has none.
func reductions(uti string, slots []Slot) map[int64]reduction {
	all, t := map[int64]reduction{}, Trade{UTI: uti}
	for _, s := range slots {
		before := t
		if t, _ = Evolve(t, s); t.Status == Voided {
			return nil
		}
		q, reduces := Reduction(s.Event.Body)
		if !reduces || annuls(s.Event) {
			continue
		}
		r := reduction{quantity: q, price: before.Price, currency: before.Currency}
		for _, l := range t.Legs[len(before.Legs):] {
			r.amount = r.amount.Add(l.Amount)
		}
		all[s.Version] = r
	}
	return all
}
