package governance

import (
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// HoldStream has the events of all holds.
const HoldStream = "governance/holds"

// Placed is the body of hold.placed. A record is on hold if it fits every field that is not empty.
type Placed struct {
	Hold         string `avro:"hold" json:"hold"`
	Trade        string `avro:"trade" json:"trade,omitempty"`
	Book         string `avro:"book" json:"book,omitempty"`
	Principal    string `avro:"principal" json:"principal,omitempty"`
	Counterparty string `avro:"counterparty" json:"counterparty,omitempty"`
	// Records from From on, before To. A zero time is no limit.
	From time.Time `avro:"from" json:"from,omitzero"`
	To   time.Time `avro:"to" json:"to,omitzero"`
}

// Lifted is the body of hold.lifted.
type Lifted struct {
	Hold string `avro:"hold"`
}

// Cleared is the body of hold.cleared: the holds before it allow an act that destroys something. It
// has the place in the stream of holds at which the act happens. A hold before it that the act did
// not see makes its append fail, and a hold after it came too late.
type Cleared struct {
	Act     string `avro:"act"` // ActErase or ActDispose
	Subject string `avro:"subject"`
}

// The acts that destroy something.
const (
	ActErase   = "erase"
	ActDispose = "dispose"
)

// EventType implements domain.Body.
func (Cleared) EventType() string { return "hold.cleared" }

// EventType implements domain.Body.
func (Placed) EventType() string { return "hold.placed" }

// EventType implements domain.Body.
func (Lifted) EventType() string { return "hold.lifted" }

// A Hold is a legal hold: the records that it covers stay, whatever their age.
type Hold struct {
	Placed
	By Act `json:"placed_by"`
	// Lifted is nil while the hold is in force.
	Lifted *Act `json:"lifted_by,omitempty"`
}

// An Act says who did something, and why.
type Act struct {
	Actor    string    `json:"actor"`
	Approver string    `json:"approver,omitempty"`
	Reason   string    `json:"reason"`
	At       time.Time `json:"recorded_at"`
	Event    string    `json:"event"`
}

// Holds are all holds of a log, in the order in which they were placed.
type Holds struct {
	Version int64 // of the stream
	All     []Hold
}

// FoldHolds returns the holds of their stream.
func FoldHolds(events iter.Seq2[contract.Recorded, error]) (h Holds, err error) {
	for r, err := range events {
		if err != nil {
			return h, err
		}
		if err := h.apply(r); err != nil {
			return h, err
		}
	}
	return h, nil
}

func (h *Holds) apply(r contract.Recorded) error {
	h.Version = r.Version
	act := Act{r.Actor, r.Approver, r.Reason, r.RecordedAt, r.ID.String()}
	if r.Type == (Placed{}).EventType() {
		body, err := domain.Decode[Placed](r)
		h.All = append(h.All, Hold{Placed: body, By: act})
		return err
	}
	if r.Type == (Cleared{}).EventType() {
		return nil
	}
	body, err := domain.Decode[Lifted](r)
	if hold := h.find(body.Hold); hold != nil {
		hold.Lifted = &act
	}
	return err
}

func (h *Holds) find(id string) *Hold {
	i := slices.IndexFunc(h.All, func(hold Hold) bool { return hold.Hold == id })
	if i < 0 {
		return nil
	}
	return &h.All[i]
}

// A Refusal is a command that a rule of governance forbids.
type Refusal struct{ Rule, What string }

func (r *Refusal) Error() string { return r.What + " (" + r.Rule + ")" }

func refuse(rule, format string, args ...any) error {
	return &Refusal{rule, fmt.Sprintf(format, args...)}
}

// Place decides whether a hold may be placed. One person is enough: a hold destroys nothing.
func (h *Holds) Place(p Placed) error {
	scope := p
	scope.Hold = ""
	switch {
	case !trade.Principals.Has(p.Hold):
		return refuse("hold.bad-name", "hold %q: want %s", p.Hold, trade.Principals.Want)
	case h.find(p.Hold) != nil:
		return refuse("hold.exists", "hold %s was placed before", p.Hold)
	case scope == Placed{}:
		return refuse("hold.no-scope", "hold %s covers nothing: name a trade, book, principal, "+
			"counterparty or time", p.Hold)
	case !p.To.IsZero() && !p.From.Before(p.To):
		return refuse("hold.no-time", "hold %s ends before it begins", p.Hold)
	}
	return nil
}

// Lift decides whether a hold may be lifted, which needs two people.
func (h *Holds) Lift(id, actor, approver string) error {
	hold := h.find(id)
	switch {
	case hold == nil:
		return refuse("hold.unknown", "there is no hold %s", id)
	case hold.Lifted != nil:
		return refuse("hold.lifted", "hold %s was lifted before", id)
	}
	return fourEyes("lift a hold", actor, approver)
}

func fourEyes(act, actor, approver string) error {
	if approver == "" || approver == actor {
		return refuse("approval.four-eyes", "to %s, %s needs the approval of a second person",
			act, actor)
	}
	return nil
}

// covers reports whether a hold in force keeps a record: by its contract, or by one of those that
// it follows.
func (h Hold) covers(r Record, f *Facts) bool {
	if h.Lifted != nil || r.At.Before(h.From) || !h.To.IsZero() && !r.At.Before(h.To) {
		return false
	}
	all := r.Follows
	if r.Contract != "" || len(all) == 0 {
		all = []string{r.Contract}
	}
	return slices.ContainsFunc(all, func(uti string) bool { return h.fits(r, uti, f) })
}

func (h Hold) fits(r Record, uti string, f *Facts) bool {
	c := f.contracts[uti]
	if c == nil {
		c = &contractFacts{}
	}
	is := func(want string, all ...string) bool {
		return want == "" || slices.Contains(all, want)
	}
	return is(h.Trade, uti) && is(h.Counterparty, c.counterparties...) &&
		(is(h.Book, c.books...) || r.moves(h.Book)) &&
		(is(h.Principal, c.traders...) || is(h.Principal, r.Principals...) ||
			r.Party == h.Principal)
}

// moves reports whether a record moves an account of a book, such as assets:cash:gas-prop:EUR.
func (r Record) moves(book string) bool {
	return slices.ContainsFunc(r.Accounts, func(account string) bool {
		return strings.Contains(":"+account+":", ":"+book+":")
	})
}

// over returns the holds in force that keep a record.
func (h Holds) over(r Record, f *Facts) (ids []string) {
	for _, hold := range h.All {
		if hold.covers(r, f) {
			ids = append(ids, hold.Hold)
		}
	}
	return ids
}
