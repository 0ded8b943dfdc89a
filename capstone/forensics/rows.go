package forensics

import (
	"maps"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// An Entry is an event as recorded and as decoded. Body is nil for a type that the domain of trades
// does not know.
type Entry struct {
	contract.Recorded
	Body trade.Body
}

// event returns the entry as the domain sees it.
func (e Entry) event() trade.Event {
	return trade.Event{ID: e.ID, Version: e.Version, Corrects: e.Corrects,
		EffectiveAt: e.EffectiveAt, EnteredAt: e.EnteredAt, RecordedAt: e.RecordedAt,
		Actor: e.Actor, Body: e.Body}
}

// A Breach names the way in which an event breaks the rule of four eyes.
type Breach string

// The breaches, in the order in which they are looked for.
const (
	OwnApprover Breach = "the actor approved it"
	SentByThird Breach = "the approver sent it" // one principal signed in for both
	NoApprover  Breach = "no second principal"  // it changes the past of its contract
	Attempt     Breach = "refused for want of a second principal"
)

// A Row is an event with everything that the questions need of it.
type Row struct {
	Fact
	Closed    trade.Status // of its contract before the event, if it was closed
	Breach    Breach
	Changes   []Change
	Links     []Link
	Cancelled *Deal // that a CANCEL took out
	Booked    *Deal // that a NEW began
}

// A Change is the value of a field after an event. The value before is that of the change before.
type Change struct{ Field, Value string }

// A Link is an event by which a contract goes on in another one. For a NEW it is the producer's
// statement of the contract before.
type Link struct {
	Fact
	FromUTI string `json:"from_uti"`
	ToUTI   string `json:"to_uti"`
}

// A Deal is a quantity of a contract that was booked or cancelled.
type Deal struct {
	UTI          string        `json:"uti"`
	Book         string        `json:"book"`
	Instrument   string        `json:"instrument"`
	Side         trade.Side    `json:"side"`
	Counterparty string        `json:"counterparty"`
	Quantity     trade.Decimal `json:"quantity"`
	Price        trade.Decimal `json:"price"`
}

// RowsOf returns the rows of entries of one stream, in version order, after the earlier events of
// the stream. Only the rows of a contract depend on earlier events.
func RowsOf(stream string, earlier []trade.Event, entries []Entry) []Row {
	uti, isTrade := strings.CutPrefix(stream, trade.TradeStream(""))
	var before trade.Trade
	earlier = slices.Clip(earlier) // the caller's array stays as it is
	if isTrade {
		before, _ = trade.Fold(uti, earlier, trade.AsOf{})
	}
	rows := make([]Row, 0, len(entries))
	for _, e := range entries {
		row := Row{Fact: factOf(e.Recorded)}
		if isTrade {
			after, _ := trade.Fold(uti, append(earlier, e.event()), trade.AsOf{})
			row.ofContract(uti, earlier, e, before, after)
			earlier, before = append(earlier, e.event()), after
		} else if mark, ok := e.Body.(trade.PriceMarked); ok {
			row.Changes = pointsOf(mark)
		}
		if row.Breach == "" {
			row.Breach = breachOf(e)
		}
		rows = append(rows, row)
	}
	return rows
}

func factOf(r contract.Recorded) Fact {
	return Fact{
		ID: r.ID, Stream: r.Stream, Version: r.Version, Type: r.Type,
		EffectiveAt: r.EffectiveAt.UTC(), EnteredAt: r.EnteredAt.UTC(),
		RecordedAt: r.RecordedAt.UTC(), Actor: r.Actor, Approver: r.Approver,
		SubmittedBy: r.SubmittedBy, Reason: r.Reason, CommandID: r.CommandID, Source: r.Source,
		Corrects: r.Corrects, Correlation: r.Correlation, Causation: r.Causation,
	}
}

// ofContract fills the parts of a row that depend on the contract before and after the event.
func (row *Row) ofContract(uti string, earlier []trade.Event, e Entry, before, after trade.Trade) {
	if before.Status != "" && before.Status != trade.Live {
		row.Closed = before.Status
	}
	row.Changes = changed(FieldsOf(before), FieldsOf(after))
	if to := trade.LinkedUTI(e.Body); to != "" {
		row.Links = []Link{{row.Fact, uti, to}}
		if _, begins := e.Body.(trade.New); begins {
			row.Links = []Link{{row.Fact, to, uti}}
		}
	}
	switch body := e.Body.(type) {
	case trade.New:
		if before.Status == "" && after.Status != "" && after.PriorUTI == "" {
			row.Booked = dealOf(after, after.Contracted)
		}
	case trade.Cancel:
		row.Cancelled = cancelled(before, after, body)
	}
	second := e.Approver != "" && e.Approver != e.Actor
	if !second && trade.NeedsApproval(uti, earlier, e.event()) {
		row.Breach = NoApprover
	}
}

// cancelled returns the deal that a CANCEL took out, or nil if it took out none. A void takes out
// all that was contracted.
func cancelled(before, after trade.Trade, c trade.Cancel) *Deal {
	switch {
	case before.Status == "" || after.Status == before.Status && after.Open.Equal(before.Open):
		return nil // it is illegal, or a correction that restates the same quantity
	case c.Kind == trade.Void:
		return dealOf(before, before.Contracted)
	}
	return dealOf(before, c.Quantity.Value)
}

func dealOf(t trade.Trade, quantity trade.Decimal) *Deal {
	return &Deal{t.UTI, t.Book, t.Instrument, t.Side, t.Counterparty, quantity, t.Price}
}

// breachOf returns the breach that an event shows without its contract. A skip and an adoption
// always need a second principal; the desk requires one, too.
func breachOf(e Entry) Breach {
	_, skips := e.Body.(trade.EventSkipped)
	_, adopts := e.Body.(trade.BackfillAdopted)
	refused, _ := e.Body.(trade.CommandRefused)
	switch {
	case e.Approver != "" && e.Approver == e.Actor:
		return OwnApprover
	case e.Approver != "" && e.Approver == e.SubmittedBy:
		return SentByThird
	case (skips || adopts) && e.Approver == "":
		return NoApprover
	case refused.Rule == string(trade.NeedsApprover):
		return Attempt
	}
	return ""
}

// FieldsOf returns the fields of a contract. A contract that has not begun has none.
func FieldsOf(t trade.Trade) map[string]string {
	if t.Status == "" {
		return nil
	}
	n := t.Terms
	f := map[string]string{
		"status": string(t.Status), "book": t.Book, "counterparty": t.Counterparty,
		"trader": t.Trader, "side": string(t.Side), "instrument": t.Instrument,
		"currency": string(t.Currency), "unit": string(t.Unit), "prior_uti": t.PriorUTI,
		"price": t.Price.String(), "fee": n.Fee.String(), "capacity": n.Capacity.String(),
		"carried_in": n.CarriedIn.String(), "contracted": t.Contracted.String(),
		"open": t.Open.String(), "settled": t.Settled.String(), "novated": t.Novated.String(),
		"exercised": t.Exercised.String(), "terminated": t.Terminated.String(),
		"settled_amount": t.SettledAmount.String(),
	}
	if o := n.Instrument.Option; o != nil {
		f["option_from"] = o.From.UTC().Format(time.RFC3339Nano)
		f["option_until"] = o.Until.UTC().Format(time.RFC3339Nano)
	}
	return f
}

// changed returns the fields that differ, sorted by name.
func changed(before, after map[string]string) (all []Change) {
	for _, name := range slices.Sorted(maps.Keys(after)) {
		if after[name] != before[name] {
			all = append(all, Change{name, after[name]})
		}
	}
	return all
}

// pointsOf returns the points of a mark. A point that is marked twice has its last price.
func pointsOf(m trade.PriceMarked) []Change {
	prices := map[string]string{}
	for _, p := range m.Points {
		prices[p.Delivery.String()] = p.Price.String()
	}
	return changed(nil, prices)
}

// Names of the roles of a principal.
const (
	roleActor     = "actor"
	roleApprover  = "approver"
	roleSubmitter = "submitter"
)

// Touches returns the principals of an event, each with its roles, such as "actor submitter".
func (f Fact) Touches() map[string]string {
	all := map[string]string{}
	for _, p := range [][2]string{
		{f.Actor, roleActor}, {f.Approver, roleApprover}, {f.SubmittedBy, roleSubmitter},
	} {
		if p[0] != "" {
			all[p[0]] = strings.TrimSpace(all[p[0]] + " " + p[1])
		}
	}
	return all
}

// The hours of a desk, on the clocks of a zone.
const (
	opens  = 7
	closes = 19
)

// IsOutOfHours reports whether a time is out of hours on the clocks of a zone.
func IsOutOfHours(at time.Time, zone *time.Location) bool {
	at = at.In(zone)
	day := at.Weekday()
	return day == time.Saturday || day == time.Sunday || at.Hour() < opens || at.Hour() >= closes
}
