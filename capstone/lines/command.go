package lines

import (
	"example.com/blotter/labs/kit/trade"
)

// command reads a whole line: the envelope, then what its op asks for.
func (p *parser) command(text []byte) (trade.Command, []string) {
	o := p.whole(text)
	if p.err != nil {
		return trade.Command{}, nil
	}
	c := trade.Command{
		ID:          o.commandID(o.need("command_id")),
		EnteredAt:   o.enteredAt(o.need("entered_at")),
		EffectiveAt: o.time(o.ask("effective_at")),
		Actor:       o.str(o.need("actor")),
		Approver:    o.str(o.ask("approver")),
		Reason:      o.str(o.need("reason")),
	}
	op := o.op()
	if op == "AMEND" && oneOf(o, o.ask("kind"), trade.Amendment, trade.Update, correction) == correction {
		o.corrected(&c)
	} else {
		c.Body = o.body(op)
	}
	if _, mark := c.Body.(trade.PriceMarked); !mark && op != "" {
		c.UTI = o.uti(o.need("uti"))
	}
	o.done(op)
	if p.err != nil {
		return trade.Command{}, nil
	}
	return c, names(c)
}

// correction is the kind of AMEND that is no body of its own: it restates another.
const correction = "correction"

func (o *object) op() string {
	return oneOf(o, o.need("op"), "NEW", "AMEND", "CANCEL", "NOVATE", "SETTLE", "EXERCISE", "MARK")
}

// corrected reads what is corrected, and by what.
func (o *object) corrected(c *trade.Command) {
	command, event := o.ask("corrects"), o.ask("corrects_event")
	switch {
	case command != nil && event != nil:
		o.fail(o.path+"corrects_event", Conflict, "corrects names the same by its command: give one of the two")
	case command != nil:
		c.Corrects = trade.EventID(o.name(command), 0)
	case event != nil:
		c.Corrects = o.eventID(event)
	default:
		o.fail(o.path+"corrects", Missing, "a correction names a command (corrects) or an event (corrects_event)")
	}
	m := o.need("restated")
	if m == nil {
		return
	}
	restated := o.sub(m)
	op := restated.op()
	c.Body = restated.body(op)
	restated.done(op)
}

// body reads the fields of an operation.
func (o *object) body(op string) trade.Body {
	switch op {
	case "NEW":
		return o.newTrade()
	case "AMEND":
		return o.amend()
	case "CANCEL":
		return o.cancel()
	case "NOVATE":
		return trade.Novate{
			Role:     oneOf(o, o.need("role"), trade.Transferor, trade.Remaining),
			Quantity: o.quantity(),
			Fee:      o.decimal(o.ask("fee")),
			NewUTI:   o.uti(o.need("new_uti")),
			Incoming: o.name(o.need("incoming")),
		}
	case "SETTLE":
		return trade.Settle{Quantity: o.quantity(), Price: o.decimal(o.need("price")), PriceSource: o.name(o.ask("price_source"))}
	case "EXERCISE":
		return trade.Exercise{
			Quantity:        o.quantity(),
			UnderlyingPrice: o.decimal(o.need("underlying_price")),
			Settlement:      oneOf(o, o.need("settlement"), trade.Physical, trade.Cash),
			NewUTI:          o.uti(o.ask("new_uti")),
		}
	case "MARK":
		return o.mark()
	}
	return nil // op has failed
}

func (o *object) newTrade() trade.New {
	n := trade.New{
		Book:         o.name(o.need("book")),
		Counterparty: o.name(o.need("counterparty")),
		Trader:       o.name(o.need("trader")),
		Side:         oneOf(o, o.need("side"), trade.Buy, trade.Sell),
		Instrument: trade.Instrument{
			Commodity: oneOf(o, o.need("commodity"), trade.Power, trade.Gas, trade.Oil),
			Zone:      o.name(o.need("zone")),
			Profile:   oneOf(o, o.ask("profile"), "base", "peak"),
			Delivery:  o.period(o.need("delivery")),
			Option:    o.option(),
		},
		Price:     o.decimal(o.need("price")),
		Currency:  o.currency(),
		Fee:       o.decimal(o.ask("fee")),
		PriorUTI:  o.uti(o.ask("prior_uti")),
		CarriedIn: o.decimal(o.ask("carried_in")),
	}
	o.need("quantity") // nothing is there yet that it could be "in full" of
	n.Quantity = o.quantity()
	return n
}

func (o *object) option() *trade.Option {
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

func (o *object) amend() trade.Amend {
	a := trade.Amend{
		Kind:         oneOf(o, o.need("kind"), trade.Amendment, trade.Update),
		Quantity:     o.quantity(),
		Trader:       o.name(o.ask("trader")),
		Counterparty: o.name(o.ask("counterparty")),
	}
	if m := o.ask("price"); m != nil {
		price := o.decimal(m)
		a.Price = &price
	}
	return a
}

func (o *object) cancel() trade.Cancel {
	c := trade.Cancel{Kind: oneOf(o, o.need("kind"), trade.Void, trade.Terminate)}
	if c.Kind != trade.Void { // a void leaves nothing to count or to pay
		c.Quantity, c.Fee = o.quantity(), o.decimal(o.ask("fee"))
	}
	return c
}

func (o *object) mark() trade.PriceMarked {
	m := trade.PriceMarked{Curve: o.name(o.need("curve")), Currency: o.currency()}
	for _, point := range o.list(o.need("points")) {
		m.Points = append(m.Points, trade.Point{
			Delivery: point.period(point.need("delivery")),
			Price:    point.decimal(point.need("price")),
		})
		point.done("a point")
	}
	return m
}

// names is Line.Names, each once.
func names(c trade.Command) []string {
	list := []string{c.Stream(), "command/" + c.ID}
	add := func(uti string) {
		if stream := trade.TradeStream(uti); uti != "" && stream != list[0] {
			list = append(list, stream)
		}
	}
	switch b := c.Body.(type) {
	case trade.New:
		add(b.PriorUTI)
	case trade.Novate:
		add(b.NewUTI)
	case trade.Exercise:
		add(b.NewUTI)
	}
	return list
}
