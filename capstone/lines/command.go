package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// command reads a whole line: the envelope, then the fields of its operation.
func (p *parser) command(text []byte) (trade.Command, []string) {
	o := p.wholeLine(text)
	if p.err != nil {
		return trade.Command{}, nil
	}
	c := trade.Command{
		ID:          o.commandID(o.need("command_id")),
		EnteredAt:   o.enteredAt(o.need("entered_at")),
		EffectiveAt: o.time(o.ask("effective_at")),
		Actor:       o.actor(),
		Approver:    o.principal(o.ask("approver")),
		Reason:      o.str(o.need("reason")),
	}
	op := o.operation()
	if op == "AMEND" && oneOf(o, o.ask("kind"), trade.Amendment, trade.Update,
		correction) == correction {
		o.correction(&c)
	} else {
		c.Body = o.body(op)
	}
	if _, mark := c.Body.(trade.PriceMarked); !mark && op != "" {
		c.UTI = o.uti(o.need("uti"))
	}
	o.done(op)
	c.PriceUnit = p.priceUnit
	if p.err != nil {
		return trade.Command{}, nil
	}
	return c, names(c)
}

// correction is the kind of AMEND that has no body of its own: it restates the body of another
// event.
const correction = "correction"

// correction reads the corrected event, and the body that restates it.
func (o *object) correction(c *trade.Command) {
	c.Corrects = o.eventOf("corrects")
	m := o.need("restated")
	if m == nil {
		return
	}
	restated := o.sub(m)
	op := restated.operation()
	c.Body = restated.body(op)
	restated.done(op)
}

// eventOf reads the id of an event, which a field names by its command, or the same field with the
// suffix _event by its id.
func (o *object) eventOf(field string) uuid.UUID {
	command, event := o.ask(field), o.ask(field+"_event")
	switch {
	case command != nil && event != nil:
		o.fail(o.path+field+"_event", Conflict,
			"%s also names the event: give one of the two", field)
	case command != nil:
		return trade.EventID(o.name(command, trade.CommandIDs), 0)
	case event != nil:
		return o.eventID(event)
	default:
		o.fail(o.path+field, Missing,
			"give a command (%s) or an event (%s_event)", field, field)
	}
	return uuid.Nil
}

const commandName = "command/"

// IsCommand reports whether a name of a line is that of its command, and not that of a stream.
func IsCommand(name string) bool { return strings.HasPrefix(name, commandName) }

// names returns Line.Names, each once.
func names(c trade.Command) []string {
	list := []string{c.Stream(), commandName + c.ID}
	if _, confirms := c.Body.(trade.Confirm); confirms {
		list = append(list, trade.TradeStream(c.UTI))
	}
	if uti := trade.LinkedUTI(c.Body); uti != "" && trade.TradeStream(uti) != list[0] {
		list = append(list, trade.TradeStream(uti))
	}
	return list
}

// flat is a written line. The order of its fields is their order in the text.
type flat struct {
	CommandID     string `json:"command_id,omitempty"`
	EnteredAt     string `json:"entered_at,omitempty"`
	EffectiveAt   string `json:"effective_at,omitempty"`
	Actor         string `json:"actor,omitempty"`
	Approver      string `json:"approver,omitempty"`
	Reason        string `json:"reason,omitempty"`
	Op            string `json:"op"`
	Kind          string `json:"kind,omitempty"`
	UTI           string `json:"uti,omitempty"`
	CorrectsEvent string `json:"corrects_event,omitempty"`
	ConfirmsEvent string `json:"confirms_event,omitempty"`
	Restated      *flat  `json:"restated,omitempty"`

	Book            string      `json:"book,omitempty"`
	Counterparty    string      `json:"counterparty,omitempty"`
	Trader          string      `json:"trader,omitempty"`
	Side            trade.Side  `json:"side,omitempty"`
	Commodity       string      `json:"commodity,omitempty"`
	Zone            string      `json:"zone,omitempty"`
	Profile         string      `json:"profile,omitempty"`
	Delivery        string      `json:"delivery,omitempty"`
	Role            string      `json:"role,omitempty"`
	Settlement      string      `json:"settlement,omitempty"`
	Quantity        string      `json:"quantity,omitempty"`
	Unit            trade.Unit  `json:"unit,omitempty"`
	Curve           string      `json:"curve,omitempty"`
	Price           string      `json:"price,omitempty"`
	PriceUnit       trade.Unit  `json:"price_unit,omitempty"`
	PriceSource     string      `json:"price_source,omitempty"`
	From            string      `json:"from,omitempty"`
	To              string      `json:"to,omitempty"`
	UnderlyingPrice string      `json:"underlying_price,omitempty"`
	Currency        string      `json:"currency,omitempty"`
	Fee             string      `json:"fee,omitempty"`
	Option          *flatOption `json:"option,omitempty"`
	NewUTI          string      `json:"new_uti,omitempty"`
	Incoming        string      `json:"incoming,omitempty"`
	PriorUTI        string      `json:"prior_uti,omitempty"`
	CarriedIn       string      `json:"carried_in,omitempty"`
	Points          []flatPoint `json:"points,omitempty"`
	Reference       string      `json:"reference,omitempty"`
	Method          string      `json:"method,omitempty"`

	Differences []trade.Difference `json:"differences,omitempty"`
}

type flatOption struct {
	Kind   string        `json:"kind"`
	Strike trade.Decimal `json:"strike"`
	From   string        `json:"from"`
	Until  string        `json:"until"`
}

type flatPoint struct {
	Delivery string        `json:"delivery"`
	Price    trade.Decimal `json:"price"`
}

// Format returns the canonical line of c, without its end. Parse reads it back as c. A correction
// names the event that it replaces.
func Format(c trade.Command) []byte {
	var f flat
	if c.Corrects != uuid.Nil {
		f = flat{Op: "AMEND", Kind: correction, CorrectsEvent: c.Corrects.String(),
			Restated: new(flat)}
		f.Restated.fill(c.Body)
		f.Restated.PriceUnit = c.PriceUnit
	} else {
		f.fill(c.Body)
		f.PriceUnit = c.PriceUnit
	}
	f.CommandID, f.UTI = c.ID, c.UTI
	f.EnteredAt, f.EffectiveAt = instant(c.EnteredAt), instant(c.EffectiveAt)
	f.Actor, f.Approver, f.Reason = c.Actor, c.Approver, c.Reason
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f); err != nil { // every field is text
		panic(fmt.Sprintf("lines: a line that does not marshal: %v", err))
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func (f *flat) quantity(q trade.Quantity) {
	if !q.IsZero() {
		f.Quantity, f.Unit = q.Value.String(), q.Unit
	}
}

func unlessZero(d trade.Decimal) string {
	if d.IsZero() {
		return ""
	}
	return d.String()
}

func instant(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}
