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
	op := o.operation()
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
	op := restated.operation()
	c.Body = restated.body(op)
	restated.done(op)
}

// names is Line.Names, each once.
func names(c trade.Command) []string {
	list := []string{c.Stream(), "command/" + c.ID}
	if uti := trade.LinkedUTI(c.Body); uti != "" && trade.TradeStream(uti) != list[0] {
		list = append(list, trade.TradeStream(uti))
	}
	return list
}
