package trade

import (
	"time"

	"github.com/google/uuid"
)

// A contract that began from another one is owned by its cause: the event that began it. The cause
// determines its quantity, side, price, currency, instrument, prior UTI, carried-in amount and
// time, so that quantities are conserved across contracts. They are corrected at the cause. Book,
// trader, counterparty and fee follow the cause until a correction by hand changes one of them.
// That field then keeps its value, and the others go on following.
//
// Ownership concerns the beginning of the contract, its NEW. Later events of the contract are its
// own: an amendment, for example, is agreed with the new counterparty.

// owned reports whether the contract began from another one. A prior UTI that was entered by hand
// is a reference, and has no effect.
func (l timeline) owned() bool { return len(l.slots) > 0 && l.slots[0].By == FollowUpActor }

// admitTerms refuses a NEW by hand, or a correction of one, with terms that only a cause can set.
func (l timeline) admitTerms(cmd Command) *Refusal {
	n, isNew := cmd.Body.(New)
	if !isNew || IsFollowUp(cmd.ID) {
		return nil
	}
	if i, corrects := l.find(cmd.Corrects); corrects && l.owned() {
		standing := l.slots[i].Event
		was := standing.Body.(New)
		moved := !cmd.EffectiveAt.IsZero() &&
			!cmd.EffectiveAt.Truncate(time.Microsecond).Equal(standing.EffectiveAt)
		if what := was.determined(n, moved); what != "" {
			return refuse(ContinuesAnother, "%s continues %s, which determines its %s: correct "+
				"the event that began it there", cmd.UTI, was.PriorUTI, what)
		}
		return nil
	}
	if !n.CarriedIn.IsZero() {
		return refuse(BadTerms, "%s is carried in by hand: only an exercise carries an amount in",
			n.CarriedIn)
	}
	return nil
}

// determined names a term of the cause that differs between n and o, or "".
func (n New) determined(o New, moved bool) string {
	switch {
	case n.Quantity.Unit != o.Quantity.Unit || !n.Quantity.Value.Equal(o.Quantity.Value) ||
		!n.Capacity.Equal(o.Capacity):
		return "quantity"
	case n.Side != o.Side:
		return "side"
	case !n.Price.Equal(o.Price):
		return "price"
	case n.Currency != o.Currency:
		return "currency"
	case !(New{Instrument: n.Instrument}).same(New{Instrument: o.Instrument}):
		return "instrument"
	case n.PriorUTI != o.PriorUTI:
		return "prior UTI"
	case !n.CarriedIn.Equal(o.CarriedIn):
		return "carried-in amount"
	case moved:
		return "effective time"
	}
	return ""
}

// keepHandChanges returns the body of a command. If it is a follow-up that restates a NEW, fields
// that a correction by hand changed before keep their values. All NEWs of a history, which is in
// version order, are in one slot.
func keepHandChanges(history []Event, cmd Command) Body {
	n, isNew := cmd.Body.(New)
	if !isNew || cmd.Corrects == uuid.Nil || !IsFollowUp(cmd.ID) {
		return cmd.Body
	}
	var last New
	var book, trader, counterparty, fee bool // whether it was changed by hand
	for _, e := range history {
		next, isNew := e.Body.(New)
		if !isNew {
			continue
		}
		if e.Corrects != uuid.Nil && e.Actor != FollowUpActor {
			book = book || next.Book != last.Book
			trader = trader || next.Trader != last.Trader
			counterparty = counterparty || next.Counterparty != last.Counterparty
			fee = fee || !next.Fee.Equal(last.Fee)
		}
		last = next
	}
	keep(book, &n.Book, last.Book)
	keep(trader, &n.Trader, last.Trader)
	keep(counterparty, &n.Counterparty, last.Counterparty)
	keep(fee, &n.Fee, last.Fee)
	return n
}

func keep[T any](byHand bool, field *T, value T) {
	if byHand {
		*field = value
	}
}
