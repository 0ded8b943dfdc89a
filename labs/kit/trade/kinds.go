package trade

import (
	"fmt"
	"reflect"
	"slices"

	"github.com/google/uuid"
)

// A Kind is one kind of event: its two names, the streams that hold it, and the type of its body.
type Kind struct {
	Operation string // the name in import lines and for people, such as NOVATE
	Type      string // the stable name on record, such as trade.novated
	Stream    string // the prefix of the names of the streams that hold it
	Zero      Body   // the zero value of its body
}

// kinds is the one table of kinds. Every other list of operations, types or bodies is derived from
// it. .github/CONTRIBUTING.md names the files that a new kind needs.
var kinds = []Kind{
	{"NEW", "trade.new", tradeStreams, New{}},
	{"AMEND", "trade.amended", tradeStreams, Amend{}},
	{"CANCEL", "trade.cancelled", tradeStreams, Cancel{}},
	{"NOVATE", "trade.novated", tradeStreams, Novate{}},
	{"SETTLE", "trade.settled", tradeStreams, Settle{}},
	{"EXERCISE", "trade.exercised", tradeStreams, Exercise{}},
	{"MARK", "price.marked", curveStreams, PriceMarked{}},
	{"REFUSED", "command.refused", refusedStreams, CommandRefused{}},
}

// Kinds returns every kind, in the order of the table.
func Kinds() []Kind { return slices.Clone(kinds) }

// FindKind returns the kind of a body. ok is false for a body that is not in the table.
func FindKind(b Body) (k Kind, ok bool) {
	return findKind(func(k Kind) bool { return reflect.TypeOf(k.Zero) == reflect.TypeOf(b) })
}

// KindOf returns the kind of a body, and panics for a body that is not in the table.
func KindOf(b Body) Kind {
	k, ok := FindKind(b)
	if !ok {
		panic(fmt.Sprintf("trade: no kind for body %T", b))
	}
	return k
}

// KindOfType returns the kind with an event type. ok is false for a type that is not in the table.
func KindOfType(typ string) (k Kind, ok bool) {
	return findKind(func(k Kind) bool { return k.Type == typ })
}

func findKind(match func(Kind) bool) (Kind, bool) {
	if i := slices.IndexFunc(kinds, match); i >= 0 {
		return kinds[i], true
	}
	return Kind{}, false
}

// IsCommand reports whether a command can ask for this kind. Only a refusal is never asked for.
func (k Kind) IsCommand() bool { return k.Stream != refusedStreams }

// Begins reports whether another contract may begin from an event of this kind.
func (k Kind) Begins() bool {
	_, ok := k.Zero.(Beginner)
	return ok
}

// ChangesTerms reports whether an event of this kind may change the terms of its contract, which
// the contracts that began from it share. A new kind is taken for one unless it is a Reducer.
func (k Kind) ChangesTerms() bool {
	_, begins := k.Zero.(New)
	_, reduces := k.Zero.(Reducer)
	return k.Stream == tradeStreams && !begins && !reduces
}

// A transition is a body that changes a contract.
type transition interface {
	Body
	evolve(t Trade, s Slot) (Trade, *Refusal) // see Evolve
}

var _ = []transition{New{}, Amend{}}

// A Reducer is a body that takes a quantity out of its contract.
type Reducer interface {
	transition
	// Reduction returns the quantity that the event takes out. ok is false for an event that takes
	// out none by its nature, such as a void.
	Reduction() (q Quantity, ok bool)
	// WithReduction returns the same body with another quantity.
	WithReduction(q Quantity) Body
}

// A Beginner is a Reducer whose quantity may go on in another contract.
type Beginner interface {
	Reducer
	// Successor returns the UTI of the contract that takes over the quantity, and whether that
	// contract is ours. It is empty where no contract takes over.
	Successor() (uti string, ours bool)
	// carryOver makes n, the terms of t, those of the successor.
	carryOver(t Trade, n *New)
}

var (
	_ = []Reducer{Cancel{}, Settle{}}
	_ = []Beginner{Novate{}, Exercise{}}
)

// Reduction returns the quantity that b takes out of its contract. ok is false for a body that
// takes out none.
func Reduction(b Body) (q Quantity, ok bool) {
	if r, reduces := b.(Reducer); reduces {
		return r.Reduction()
	}
	return Quantity{}, false
}

// WithReduction returns b with another quantity to take out. It panics for a body that is not a
// Reducer.
func WithReduction(b Body, q Quantity) Body {
	r, ok := b.(Reducer)
	if !ok {
		panic(fmt.Sprintf("trade: a body %T reduces nothing", b))
	}
	return r.WithReduction(q)
}

// Begun returns the UTI of the contract of ours that begins from b, or "".
func Begun(b Body) string {
	if s, ok := b.(Beginner); ok {
		if uti, ours := s.Successor(); ours {
			return uti
		}
	}
	return ""
}

// successorOf returns the UTI of the contract that takes over from b, ours or not, or "".
func successorOf(b Body) string {
	if s, ok := b.(Beginner); ok {
		uti, _ := s.Successor()
		return uti
	}
	return ""
}

// LinkedUTI returns the UTI of another contract that b names, ours or not: the one that it
// continues, or the one that takes over from it. It is "" for a body that names none.
func LinkedUTI(b Body) string {
	if n, ok := b.(New); ok {
		return n.PriorUTI
	}
	return successorOf(b)
}

// Label names a command for people: its operation, and which variant of it, such as
// "NOVATE remaining".
func (c Command) Label() string {
	if c.Corrects != uuid.Nil {
		return "AMEND correction"
	}
	operation := KindOf(c.Body).Operation
	if v, ok := c.Body.(interface{ variant() string }); ok {
		operation += " " + v.variant()
	}
	return operation
}

func (a Amend) variant() string    { return a.Kind }
func (c Cancel) variant() string   { return c.Kind }
func (n Novate) variant() string   { return n.Role }
func (e Exercise) variant() string { return e.Settlement }

// Reduction returns the quantity of a termination. A void takes out none: it leaves no contract.
func (c Cancel) Reduction() (Quantity, bool) { return c.Quantity, c.Kind == Terminate }

// WithReduction returns c with another quantity.
func (c Cancel) WithReduction(q Quantity) Body {
	c.Quantity = q
	return c
}

// Reduction returns the quantity that goes over to the other party.
func (n Novate) Reduction() (Quantity, bool) { return n.Quantity, true }

// WithReduction returns n with another quantity.
func (n Novate) WithReduction(q Quantity) Body {
	n.Quantity = q
	return n
}

// Successor returns the UTI of the new contract, which is ours where we remain.
func (n Novate) Successor() (string, bool) { return n.NewUTI, n.Role == Remaining }

// Reduction returns the quantity that is delivered.
func (s Settle) Reduction() (Quantity, bool) { return s.Quantity, true }

// WithReduction returns s with another quantity.
func (s Settle) WithReduction(q Quantity) Body {
	s.Quantity = q
	return s
}

// Reduction returns the quantity that is exercised.
func (e Exercise) Reduction() (Quantity, bool) { return e.Quantity, true }

// WithReduction returns e with another quantity.
func (e Exercise) WithReduction(q Quantity) Body {
	e.Quantity = q
	return e
}

// Successor returns the UTI of the contract on the underlying, which a physical exercise begins.
func (e Exercise) Successor() (string, bool) { return e.NewUTI, e.Settlement == Physical }
