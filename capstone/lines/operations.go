package lines

import (
	"fmt"

	"example.com/blotter/labs/kit/trade"
)

// An operation reads and writes the fields of one kind of command.
type operation struct {
	kind  trade.Kind
	read  func(*object) trade.Body
	write func(*flat, trade.Body)
}

// operations has one row for each kind of command. A test fails for a kind without a row.
var operations = []operation{
	of(readNew, writeNew),
	of(readAmend, writeAmend),
	of(readCancel, writeCancel),
	of(readNovate, writeNovate),
	of(readSettle, writeSettle),
	of(readExercise, writeExercise),
	of(readMark, writeMark),
	of(readConfirm, writeConfirm),
}

func of[B trade.Body](read func(*object) B, write func(*flat, B)) operation {
	return operation{
		kind:  trade.KindOf(*new(B)),
		read:  func(o *object) trade.Body { return read(o) },
		write: func(f *flat, b trade.Body) { write(f, b.(B)) },
	}
}

// operationOf returns the operation with a name. ok is false where there is none.
func operationOf(name string) (op operation, ok bool) {
	for _, op := range operations {
		if op.kind.Operation == name {
			return op, true
		}
	}
	return operation{}, false
}

// operation reads the field op.
func (o *object) operation() string {
	var names []string
	for _, op := range operations {
		names = append(names, op.kind.Operation)
	}
	return oneOf(o, o.need("op"), names...)
}

// body reads the fields of an operation. It returns nil for an unknown operation, which operation
// has reported.
func (o *object) body(name string) trade.Body {
	op, ok := operationOf(name)
	if !ok {
		return nil
	}
	return op.read(o)
}

// fill writes the operation and its fields.
func (f *flat) fill(body trade.Body) {
	f.Op = trade.KindOf(body).Operation
	op, ok := operationOf(f.Op)
	if !ok {
		panic(fmt.Sprintf("lines: no operation writes a body %T", body))
	}
	op.write(f, body)
}

func readNew(o *object) trade.New {
	n := trade.New{
		Book:         o.reference(o.need("book")),
		Counterparty: o.reference(o.need("counterparty")),
		Trader:       o.principal(o.need("trader")),
		Side:         oneOf(o, o.need("side"), trade.Buy, trade.Sell),
		Instrument: trade.Instrument{
			Commodity: oneOf(o, o.need("commodity"), trade.Power, trade.Gas, trade.Oil),
			Zone:      o.reference(o.need("zone")),
			Profile:   oneOf(o, o.ask("profile"), "base", "peak"),
			Delivery:  o.period(o.need("delivery")),
			Option:    readOption(o),
		},
		Price:     o.decimal(o.need("price")),
		Currency:  o.currency(),
		Fee:       o.decimal(o.ask("fee")),
		PriorUTI:  o.uti(o.ask("prior_uti")),
		CarriedIn: o.decimal(o.ask("carried_in")),
	}
	o.perUnit()
	o.need("quantity") // there is no open quantity yet that "in full" could mean
	n.Quantity = o.quantity()
	return n
}

func writeNew(f *flat, n trade.New) {
	i := n.Instrument
	f.Book, f.Counterparty, f.Trader, f.Side = n.Book, n.Counterparty, n.Trader, n.Side
	f.Commodity, f.Zone, f.Profile = string(i.Commodity), i.Zone, i.Profile
	f.Delivery = i.Delivery.String()
	f.Price, f.Currency, f.Fee = n.Price.String(), string(n.Currency), unlessZero(n.Fee)
	f.PriorUTI, f.CarriedIn = n.PriorUTI, unlessZero(n.CarriedIn)
	f.quantity(n.Quantity)
	if o := i.Option; o != nil {
		f.Option = &flatOption{o.Kind, o.Strike, instant(o.From), instant(o.Until)}
	}
}

func readOption(o *object) *trade.Option {
	m := o.ask("option")
	if m == nil {
		return nil
	}
	sub := o.sub(m)
	option := &trade.Option{
		Kind:   oneOf(sub, sub.need("kind"), trade.Call, trade.Put),
		Strike: sub.decimal(sub.need("strike")),
		From:   sub.time(sub.need("from")),
		Until:  sub.time(sub.need("until")),
	}
	sub.done("an option")
	return option
}

func readAmend(o *object) trade.Amend {
	a := trade.Amend{
		Kind:         oneOf(o, o.need("kind"), trade.Amendment, trade.Update),
		Quantity:     o.quantity(),
		Trader:       o.principal(o.ask("trader")),
		Counterparty: o.reference(o.ask("counterparty")),
	}
	if m := o.ask("price"); m != nil {
		price := o.decimal(m)
		a.Price = &price
	} else if o.ask("price_unit") != nil {
		o.fail(o.path+"price", Missing, "required where price_unit is given")
	}
	o.perUnit()
	return a
}

func writeAmend(f *flat, a trade.Amend) {
	f.Kind, f.Trader, f.Counterparty = a.Kind, a.Trader, a.Counterparty
	f.quantity(a.Quantity)
	if a.Price != nil {
		f.Price = a.Price.String()
	}
}

func readCancel(o *object) trade.Cancel {
	c := trade.Cancel{Kind: oneOf(o, o.need("kind"), trade.Void, trade.Terminate)}
	if c.Kind != trade.Void { // a void leaves nothing to count or to pay
		c.Quantity, c.Fee = o.quantity(), o.decimal(o.ask("fee"))
	}
	return c
}

func writeCancel(f *flat, c trade.Cancel) {
	f.Kind, f.Fee = c.Kind, unlessZero(c.Fee)
	f.quantity(c.Quantity)
}

func readNovate(o *object) trade.Novate {
	return trade.Novate{
		Role:     oneOf(o, o.need("role"), trade.Transferor, trade.Remaining),
		Quantity: o.quantity(),
		Fee:      o.decimal(o.ask("fee")),
		NewUTI:   o.uti(o.need("new_uti")),
		Incoming: o.reference(o.need("incoming")),
	}
}

func writeNovate(f *flat, n trade.Novate) {
	f.Role, f.NewUTI, f.Incoming, f.Fee = n.Role, n.NewUTI, n.Incoming, unlessZero(n.Fee)
	f.quantity(n.Quantity)
}

func readSettle(o *object) trade.Settle {
	from, to := o.ask("from"), o.ask("to")
	switch {
	case from == nil && to != nil:
		o.fail(o.path+"from", Missing, "required where to is given")
	case from != nil && to == nil:
		o.fail(o.path+"to", Missing, "required where from is given")
	}
	o.perUnit()
	return trade.Settle{
		Quantity:    o.quantity(),
		Price:       o.decimal(o.need("price")),
		PriceSource: o.str(o.ask("price_source")),
		From:        o.time(from),
		To:          o.time(to),
	}
}

func writeSettle(f *flat, s trade.Settle) {
	f.Price, f.PriceSource = s.Price.String(), s.PriceSource
	f.From, f.To = instant(s.From), instant(s.To)
	f.quantity(s.Quantity)
}

func readExercise(o *object) trade.Exercise {
	o.perUnit()
	return trade.Exercise{
		Quantity:        o.quantity(),
		UnderlyingPrice: o.decimal(o.need("underlying_price")),
		Settlement:      oneOf(o, o.need("settlement"), trade.Physical, trade.Cash),
		NewUTI:          o.uti(o.ask("new_uti")),
	}
}

func writeExercise(f *flat, e trade.Exercise) {
	f.UnderlyingPrice, f.Settlement, f.NewUTI = e.UnderlyingPrice.String(), e.Settlement, e.NewUTI
	f.quantity(e.Quantity)
}

func readMark(o *object) trade.PriceMarked {
	o.perUnit()
	m := trade.PriceMarked{Curve: o.reference(o.need("curve")), Currency: o.currency()}
	for _, point := range o.list(o.need("points")) {
		m.Points = append(m.Points, trade.Point{
			Delivery: point.period(point.need("delivery")),
			Price:    point.decimal(point.need("price")),
		})
		point.done("a point")
	}
	return m
}

func writeMark(f *flat, m trade.PriceMarked) {
	f.Curve, f.Currency = m.Curve, string(m.Currency)
	for _, p := range m.Points {
		f.Points = append(f.Points, flatPoint{p.Delivery.String(), p.Price})
	}
}

func readConfirm(o *object) trade.Confirm {
	c := trade.Confirm{
		Kind:      oneOf(o, o.need("kind"), trade.Sent, trade.Matched, trade.Disputed),
		Event:     o.eventOf("confirms"),
		Reference: o.reference(o.need("reference")),
	}
	switch c.Kind {
	case trade.Sent:
		c.Method = o.reference(o.need("method"))
	case trade.Disputed:
		for _, d := range o.list(o.need("differences")) {
			c.Differences = append(c.Differences, trade.Difference{
				Term:   oneOf(d, d.need("term"), trade.ConfirmedTerms()...),
				Theirs: d.str(d.need("theirs")),
			})
			d.done("a difference")
		}
	}
	return c
}

func writeConfirm(f *flat, c trade.Confirm) {
	f.Kind, f.ConfirmsEvent = c.Kind, c.Event.String()
	f.Reference, f.Method, f.Differences = c.Reference, c.Method, c.Differences
}
