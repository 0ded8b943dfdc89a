package trade

import "crypto/sha256"

// A Body says what happened; the envelope around it says to what, when, by whom and why. Quantities on record are
// energy or volume; in commands they may be MW, or left out for "in full".
//
// Amounts of money are cash to us: positive received, negative paid.
type Body interface{ body() }

// Side is ours.
type Side string

const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// Sign is 1 for Buy and -1 for Sell.
func (s Side) Sign() Decimal {
	if s == Sell {
		return Int(-1)
	}
	return Int(1)
}

// Opposite is the other side.
func (s Side) Opposite() Side {
	if s == Buy {
		return Sell
	}
	return Buy
}

// New begins a contract.
type New struct {
	Book         string
	Counterparty string
	Trader       string
	Side         Side
	Instrument   Instrument
	Quantity     Quantity // contracted
	Capacity     Decimal  // MW as agreed; zero where the contract was agreed in energy or volume
	Price        Decimal  // per unit of Quantity; an option's premium
	Currency     Currency
	Fee          Decimal
	PriorUTI     string  // the contract this one continues: after a novation or an exercise
	CarriedIn    Decimal // option value brought into an exercised contract: its P&L starts at the market, not at the strike
}

// The kinds of Amend on record. The third kind, the correction, is not a body: it is an event with Corrects set
// whose body restates the event it replaces.
const (
	Amendment = "amendment" // agreed with the counterparty: changes quantity or price from its effective time on
	Update    = "update"    // ours alone: changes nothing that is worth money
)

// Amend changes a live contract.
type Amend struct {
	Kind         string
	Quantity     Quantity // amendment: contracted in all from now on; zero leaves it
	Price        *Decimal // amendment: the price from now on; nil leaves it
	Trader       string   // update: empty leaves it
	Counterparty string   // update: the counterparty's name or reference; empty leaves it
}

// The kinds of Cancel.
const (
	Void      = "void"      // it should never have been: every term becomes zero
	Terminate = "terminate" // ended by agreement before delivery, in full or in part
)

// Cancel ends a contract.
type Cancel struct {
	Kind     string
	Quantity Quantity // terminate: how much; zero in a command means all that is open
	Fee      Decimal  // terminate
}

// Our roles in a novation.
const (
	Transferor = "transferor" // we leave: the new contract is others', and its UTI only named
	Remaining  = "remaining"  // we stay: a new contract of ours begins, under NewUTI, with Incoming
)

// Novate hands the contract, or a part of it, to another party.
type Novate struct {
	Role     string
	Quantity Quantity
	Fee      Decimal
	NewUTI   string
	Incoming string // the party that steps in
}

// Settle delivers a part of the contract or all of it.
type Settle struct {
	Quantity    Quantity
	Price       Decimal // the settlement price per unit, such as the day-ahead average
	PriceSource string  `json:",omitempty"` // who published it; empty where nobody said. Left out of digests then: commands from before it keep theirs
}

// How an exercise ends.
const (
	Physical = "physical" // into the underlying: a contract begins under NewUTI, at the strike
	Cash     = "cash"     // paid out at intrinsic value
)

// Exercise uses an option.
type Exercise struct {
	Quantity        Quantity
	UnderlyingPrice Decimal
	Settlement      string
	NewUTI          string // physical only
}

// CommandRefused records that a command was decided against. Its Digest tells the same command sent again from another
// that reuses the id.
type CommandRefused struct {
	CommandID string
	Digest    [sha256.Size]byte // Command.Digest
	Rule      string            // of the Refusal
	Detail    string
}

// A Point is one price of a curve.
type Point struct {
	Delivery Period
	Price    Decimal
}

// PriceMarked sets points of a price curve, as of the event's effective time.
type PriceMarked struct {
	Curve    string // Instrument.Curve
	Currency Currency
	Points   []Point
}

func (New) body()            {}
func (Amend) body()          {}
func (Cancel) body()         {}
func (Novate) body()         {}
func (Settle) body()         {}
func (Exercise) body()       {}
func (CommandRefused) body() {}
func (PriceMarked) body()    {}
