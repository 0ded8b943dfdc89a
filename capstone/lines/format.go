package lines

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// flat is a line as it is written: the order of its fields is that of the text.
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
	PriceSource     string      `json:"price_source,omitempty"`
	UnderlyingPrice string      `json:"underlying_price,omitempty"`
	Currency        string      `json:"currency,omitempty"`
	Fee             string      `json:"fee,omitempty"`
	Option          *flatOption `json:"option,omitempty"`
	NewUTI          string      `json:"new_uti,omitempty"`
	Incoming        string      `json:"incoming,omitempty"`
	PriorUTI        string      `json:"prior_uti,omitempty"`
	CarriedIn       string      `json:"carried_in,omitempty"`
	Points          []flatPoint `json:"points,omitempty"`
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

// Format is the canonical line of c, without its end: Parse reads it back as c. A correction names the event it replaces.
func Format(c trade.Command) []byte {
	var f flat
	if c.Corrects != uuid.Nil {
		f = flat{Op: "AMEND", Kind: correction, CorrectsEvent: c.Corrects.String(), Restated: new(flat)}
		f.Restated.fill(c.Body)
	} else {
		f.fill(c.Body)
	}
	f.CommandID, f.UTI = c.ID, c.UTI
	f.EnteredAt, f.EffectiveAt = instant(c.EnteredAt), instant(c.EffectiveAt)
	f.Actor, f.Approver, f.Reason = c.Actor, c.Approver, c.Reason
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(f); err != nil {
		panic(fmt.Sprintf("lines: a line that does not marshal: %v", err)) // every field is text
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
