package trade

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Status is the stage of a contract's life.
type Status string

const (
	Live       Status = "LIVE"
	Voided     Status = "VOIDED"
	Terminated Status = "TERMINATED"
	Novated    Status = "NOVATED"
	Settled    Status = "SETTLED"
	Exercised  Status = "EXERCISED"
)

// A Trade is the state of one contract.
type Trade struct {
	UTI          string   `json:"uti"`
	Status       Status   `json:"status"`
	Book         string   `json:"book"`
	Counterparty string   `json:"counterparty"`
	Trader       string   `json:"trader"`
	Side         Side     `json:"side"`
	Instrument   string   `json:"instrument"` // Instrument.ID
	Unit         Unit     `json:"unit"`
	Currency     Currency `json:"currency"`
	Price        Decimal  `json:"price"`
	PriorUTI     string   `json:"prior_uti,omitempty"`

	// Contracted is always the sum of the other five. None of them is ever negative.
	Contracted Decimal `json:"contracted"`
	Open       Decimal `json:"open"`
	Settled    Decimal `json:"settled"`
	Novated    Decimal `json:"novated"`
	Exercised  Decimal `json:"exercised"`
	Terminated Decimal `json:"terminated"`

	SettledAmount Decimal `json:"settled_amount"` // the settled quantity at the contract price

	Terms New    `json:"-"` // as agreed now
	Flows []Flow `json:"-"` // what changed the quantity to deliver, in the order of their slots
	Legs  []Leg  `json:"-"` // in the order of their keys

	entered   time.Time // of version 1
	booked    Decimal   // the cost of the open quantity, fees included; signed as Average.Cost
	reducedBy Status    // the status with which the last reduction would have closed the contract
	rounding  Rounding
}

// unbegun returns the contract before its first event.
func (t Trade) unbegun() Trade { return Trade{UTI: t.UTI, rounding: t.rounding} }

func (t *Trade) amount(price, quantity Decimal) Decimal {
	return t.rounding.amount(t.Currency, price, quantity)
}

// Evolve returns the contract after the event in a slot, or the rule that forbids it there:
//
//	from                event                                       to
//	nothing             NEW                                         LIVE
//	LIVE                AMEND (amendment, update)                   LIVE
//	LIVE                CANCEL terminate, NOVATE, SETTLE, EXERCISE
//	                      in part                                   LIVE, reduced
//	                      in full                                   TERMINATED, NOVATED, SETTLED,
//	                                                                EXERCISED
//	any except VOIDED   CANCEL void                                 VOIDED
//
// A correction needs no row: it has taken its slot before. Decide, and not Evolve, requires an
// approver for a change to the past (see checkApproval), because that depends on the whole history.
func Evolve(t Trade, s Slot) (Trade, *Refusal) {
	change, ok := s.Event.Body.(transition)
	_, begins := s.Event.Body.(New)
	switch {
	case t.Status == "" && !begins:
		return t, refuse(NotBegun, "no contract %s has begun by %s",
			t.UTI, rfc3339(s.Event.EffectiveAt))
	case !ok:
		return t, refuse(WrongKind, "%s is not an event of a contract", operation(s.Event.Body))
	}
	return change.evolve(t, s)
}

// live refuses an event that only a live contract takes.
func (t *Trade) live() *Refusal {
	switch t.Status {
	case Live:
		return nil
	case Voided:
		return refuse(IsVoided, "%s is voided", t.UTI)
	}
	return refuse(NotLive, "%s is %s", t.UTI, t.Status)
}

// addLeg adds a leg: the first of its slot, or the next. Its quantity counts in the contract's own
// direction: positive is more of it. Its amount is cash to us. A leg that takes no quantity out
// lowers the booked cost by its amount. Any other leg takes its share of the booked cost out; the
// share of an exit is its own cost.
func (t *Trade) addLeg(s *Slot, leg Leg) {
	if leg.Quantity.IsZero() && leg.Amount.IsZero() {
		return
	}
	out := leg.Amount
	if leg.Quantity.Sign() < 0 {
		out = share(t.booked, leg.Quantity, t.Open, t.Currency, t.rounding)
	}
	if leg.Exit {
		leg.OwnCost = out
	}
	t.booked = t.booked.Sub(out)
	leg.Key = LegKey{EffectiveAt: s.Event.EffectiveAt.UTC(), EnteredAt: t.entered,
		Version: s.Version}
	if n := len(t.Legs); n == 0 {
		leg.Key.Stream = TradeStream(t.UTI)
	} else if last := t.Legs[n-1].Key; last.Version == s.Version {
		leg.Key.Stream, leg.Key.N = last.Stream, last.N+1
	} else {
		leg.Key.Stream = last.Stream
	}
	leg.Pool = PoolKey{Book: t.Book, Instrument: t.Instrument, Currency: t.Currency}
	leg.Side, leg.Quantity = t.Side, t.Side.Sign().Mul(leg.Quantity)
	t.Legs = slices.Concat(t.Legs, []Leg{leg}) // another Trade may share the array
}

// setTerms sets new terms. The new price is a leg of its own, before the leg of the quantity:
// first the open quantity is repriced, then a part is added or given back at the new price. In one
// leg, a lower quantity at a higher price would look like a sale far below cost.
//
// An amendment down to the quantity that is already taken out leaves nothing open. It closes the
// contract as the last reduction would have.
func (t *Trade) setTerms(s *Slot, price, contracted, open Decimal) {
	before := t.amount(t.Price, t.Open)
	repriced := t.amount(price, t.Open)
	after := t.amount(price, open)
	paid := t.Side.Sign().Neg()
	t.addLeg(s, Leg{Amount: paid.Mul(repriced.Sub(before))})
	more := open.Sub(t.Open)
	t.addLeg(s, Leg{Quantity: more, Amount: paid.Mul(after.Sub(repriced)),
		Exit: more.Sign() < 0})
	t.addFlow(s, more)
	if !contracted.Equal(t.Contracted) {
		t.Terms.Quantity.Value, t.Terms.Capacity = contracted, Decimal{}
	}
	t.Price, t.Terms.Price, t.Contracted, t.Open = price, price, contracted, open
	if open.IsZero() {
		t.Status = t.reducedBy
	}
}

// reduce takes the quantity of b out of the contract, at a price and with a fee. Every way out of
// a contract is an opposite leg. When nothing is left open, the contract closes with the status of
// the last reduction.
//
// A correction to the quantity zero says that the reduction did not happen. It leaves the contract
// as it is, live or not.
func (t *Trade) reduce(s *Slot, b Reducer, price, fee Decimal, as Status) *Refusal {
	q, _ := b.Reduction()
	if annuls(s.Event) && q.Unit == t.Unit {
		return nil
	}
	if r := t.live(); r != nil {
		return r
	}
	if r := checkQuantity(q, t.Unit); r != nil {
		return r
	}
	if q.Value.Cmp(t.Open) > 0 {
		return refuse(Exceeds, "%s asked for, %s %s is open", q, t.Open, t.Unit)
	}
	received := t.Side.Sign().Mul(t.amount(price, q.Value))
	t.addLeg(s, Leg{Quantity: q.Value.Neg(), Amount: received.Add(fee),
		Exit: as == Novated || as == Terminated})
	if as != Settled { // a settlement pays for what is delivered, and changes no delivery
		t.addFlow(s, q.Value.Neg())
	}
	t.Open, t.reducedBy = t.Open.Sub(q.Value), as
	if t.Open.IsZero() {
		t.Status = as
	}
	taken := t.account(as)
	*taken = taken.Add(q.Value)
	return nil
}

// exitPrice returns the price at which a part leaves that no contract of ours takes over. The
// premium of an option was paid in cash and does not come back.
func (t *Trade) exitPrice() Decimal {
	if t.Terms.Instrument.Option != nil {
		return Decimal{}
	}
	return t.Price
}

// account returns the total that was taken out with a status.
func (t *Trade) account(as Status) *Decimal {
	switch as {
	case Settled:
		return &t.Settled
	case Novated:
		return &t.Novated
	case Exercised:
		return &t.Exercised
	case Terminated:
		return &t.Terminated
	}
	panic("trade: no account for a reduction to " + string(as))
}

// annuls reports whether e is a correction after which a reduction did not happen.
func annuls(e Event) bool {
	q, ok := Reduction(e.Body)
	return ok && e.Corrects != uuid.Nil && q.Unit != "" && q.Value.IsZero()
}

// void leaves the contract as if it had never been: with no quantities and no legs.
func (t Trade) void() (Trade, *Refusal) {
	if t.Status == Voided {
		return t, t.live()
	}
	t.Status, t.Legs, t.Flows = Voided, nil, nil
	t.Contracted, t.Open, t.SettledAmount = Decimal{}, Decimal{}, Decimal{}
	t.Settled, t.Novated, t.Exercised, t.Terminated = Decimal{}, Decimal{}, Decimal{}, Decimal{}
	return t, nil
}

// mustConserve panics unless the quantities of the contract add up: the contracted quantity is open
// or taken out, and none is negative.
func (t *Trade) mustConserve() {
	sum := Decimal{}
	for _, q := range []Decimal{t.Open, t.Settled, t.Novated, t.Exercised, t.Terminated} {
		if q.Sign() < 0 {
			panic(fmt.Sprintf("trade: %s has a negative quantity: %s", t.UTI, q))
		}
		sum = sum.Add(q)
	}
	if !sum.Equal(t.Contracted) {
		panic(fmt.Sprintf("trade: %s contracted %s, but accounts for %s", t.UTI, t.Contracted, sum))
	}
}
