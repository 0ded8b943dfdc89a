package trade

import (
	"crypto/sha256"
	"fmt"
	"reflect"
	"slices"
	"time"

	"github.com/google/uuid"
)

// A Body holds the facts of an event. The envelope around it has the contract, the times, the
// author and the reason.
//
// A quantity on record is energy or volume, in the unit of the delivery point. In a command it may
// be in MW, in another unit of energy, or left out for "in full". An amount of money is cash to us:
// positive is received, negative is paid.
type Body interface{ body() }

// A Kind is one kind of event: its two names, the streams that hold it, and the type of its body.
type Kind struct {
	Operation string // the name in import lines and for people, such as NOVATE
	Type      string // the stable name on record, such as trade.novated
	Stream    string // the prefix of the names of the streams that hold it; empty for any stream
	Zero      Body   // the zero value of its body
}

// kinds is the one table of kinds. Every other list of operations, types or bodies is derived from
// it. .github/CONTRIBUTING.md lists the files that a new kind needs.
var kinds = []Kind{
	{"NEW", "trade.new", tradeStreams, New{}},
	{"AMEND", "trade.amended", tradeStreams, Amend{}},
	{"CANCEL", "trade.cancelled", tradeStreams, Cancel{}},
	{"NOVATE", "trade.novated", tradeStreams, Novate{}},
	{"SETTLE", "trade.settled", tradeStreams, Settle{}},
	{"EXERCISE", "trade.exercised", tradeStreams, Exercise{}},
	{"MARK", "price.marked", curveStreams, PriceMarked{}},
	{"CONFIRM", "confirmation.reported", confirmationStreams, Confirm{}},
	{"REFUSED", "command.refused", refusedStreams, CommandRefused{}},
	{"SNAPSHOT", "snapshot.taken", SnapshotStream, SnapshotTaken{}},
	{"SKIP", "event.skipped", "", EventSkipped{}},
	{"BACKFILL", "backfill.adopted", BackfillStream, BackfillAdopted{}},
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

// operation returns the name of a body for people.
func operation(b Body) string {
	if k, ok := FindKind(b); ok {
		return k.Operation
	}
	return "an unknown kind"
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

// IsCommand reports whether a command can ask for this kind. No command asks for a refusal, and
// neither a snapshot nor a skip nor a backfill is a command of a desk.
func (k Kind) IsCommand() bool {
	return slices.Contains([]string{tradeStreams, curveStreams, confirmationStreams}, k.Stream)
}

// Begins reports whether another contract may begin from an event of this kind.
func (k Kind) Begins() bool {
	_, ok := k.Zero.(Beginner)
	return ok
}

// ChangesTerms reports whether an event of this kind may change the terms of its contract, which
// contracts that began from it share. A new kind on the streams of trades counts as one, unless it
// is a Reducer.
func (k Kind) ChangesTerms() bool {
	_, begins := k.Zero.(New)
	_, reduces := k.Zero.(Reducer)
	return k.Stream == tradeStreams && !begins && !reduces
}

// Exits reports whether an event of this kind takes a quantity out of its contract other than by a
// trade with the market: see Leg.Exit. An AMEND may do so, too.
func (k Kind) Exits() bool {
	switch k.Zero.(type) {
	case Cancel, Novate:
		return true
	}
	return false
}

// Measured reports whether a body of this kind has quantities or prices, which entry converts.
func (k Kind) Measured() bool {
	_, ok := k.Zero.(measured)
	return ok
}

// A transition is a body that changes a contract.
type transition interface {
	Body
	// evolve returns the contract after the event in slot s; see Evolve.
	evolve(t Trade, s Slot) (Trade, *Refusal)
}

// A Reducer is a body that takes a quantity out of its contract.
type Reducer interface {
	transition
	// Reduction returns the quantity that the event takes out. ok is false for an event that never
	// takes out any, such as a void.
	Reduction() (q Quantity, ok bool)
	// WithReduction returns the same body with another quantity.
	WithReduction(q Quantity) Body
}

// A Beginner is a Reducer whose quantity may go on in another contract.
type Beginner interface {
	Reducer
	// Successor returns the UTI of the contract that takes over the quantity, and whether that
	// contract is ours. The UTI is empty where no contract takes over.
	Successor() (uti string, ours bool)
	// carryOver turns n, the terms of t, into those of the successor.
	carryOver(t Trade, n *New)
}

var (
	_ = []transition{New{}, Amend{}}
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

// Begun returns the UTI of the contract of ours that begins from b, or "".
func Begun(b Body) string {
	uti, ours := successorOf(b)
	if !ours {
		return ""
	}
	return uti
}

// successorOf returns the UTI of the contract that takes over from b, and whether it is ours.
func successorOf(b Body) (uti string, ours bool) {
	if s, ok := b.(Beginner); ok {
		return s.Successor()
	}
	return "", false
}

// LinkedUTI returns the UTI of another contract that b names, ours or not: the one that it
// continues, or the one that takes over from it. It is "" for a body that names none.
func LinkedUTI(b Body) string {
	if n, ok := b.(New); ok {
		return n.PriorUTI
	}
	uti, _ := successorOf(b)
	return uti
}

// New begins a contract.
type New struct {
	Book         string
	Counterparty string
	Trader       string
	Side         Side
	Instrument   Instrument
	Quantity     Quantity // contracted
	Capacity     Decimal  // in MW, as agreed; zero if energy or volume was agreed
	Price        Decimal  // per unit of Quantity; the premium of an option
	Currency     Currency
	Fee          Decimal
	PriorUTI     string  // the contract that this one continues; without effect if entered by hand
	CarriedIn    Decimal // an exercised option's value, so that P&L starts at the market
	// Entered lists the values above that were entered in another unit. Only Decide sets it.
	Entered []Entered `json:"-"`
}

// Side is our side of a contract.
type Side string

const (
	Buy  Side = "buy"
	Sell Side = "sell"
)

// Sign returns 1 for Buy and -1 for Sell.
func (s Side) Sign() Decimal {
	if s == Sell {
		return Int(-1)
	}
	return Int(1)
}

// Opposite returns the other side.
func (s Side) Opposite() Side {
	if s == Buy {
		return Sell
	}
	return Buy
}

func (New) body() {}

func (n New) converted(c *converter) Body {
	n.Quantity = c.quantity(n.Quantity)
	n.Price = c.price("price", n.Price)
	if o := n.Instrument.Option; o != nil {
		option := *o
		option.Strike = c.price("option.strike", o.Strike)
		n.Instrument.Option = &option
	}
	n.Entered = c.entered
	return n
}

// evolve begins the contract with an opening leg: the quantity, and the cash paid for it.
func (n New) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if t.Status != "" {
		return t, refuse(AlreadyBegun, "%s is %s", t.UTI, t.Status)
	}
	if r := n.check(t.UTI); r != nil {
		return t, r
	}
	if r := n.checkDelivery(s); r != nil {
		return t, r
	}
	n.Entered = nil // the terms may change, and a successor has others
	t = Trade{
		UTI: t.UTI, Status: Live, Book: n.Book, Counterparty: n.Counterparty, Trader: n.Trader,
		Side: n.Side, Instrument: n.Instrument.ID(), Unit: n.Quantity.Unit, Currency: n.Currency,
		Price: n.Price, PriorUTI: n.PriorUTI,
		Contracted: n.Quantity.Value, Open: n.Quantity.Value, Terms: n, entered: s.EnteredAt.UTC(),
		rounding: t.rounding,
	}
	paid := n.Side.Sign().Mul(t.amount(n.Price, n.Quantity.Value))
	cash := paid.Neg().Add(n.Fee).Add(n.CarriedIn)
	t.addLeg(&s, Leg{Quantity: t.Open, Amount: cash})
	t.addFlow(&s, t.Open)
	return t, nil
}

// The kinds of Amend on record. The third kind in import lines, the correction, has no body of its
// own: it is an event with Corrects set, and its body restates the event that it replaces.
const (
	Amendment = "amendment" // agreed: changes quantity or price from its effective time on
	Update    = "update"    // ours: changes nothing that is worth money
)

// Amend changes a live contract.
type Amend struct {
	Kind         string
	Quantity     Quantity  // amendment: the contracted total from now on; zero keeps it
	Price        *Decimal  // amendment: the price from now on; nil keeps it
	Trader       string    // update: empty keeps it
	Counterparty string    // update: the reference of the counterparty; empty keeps it
	Entered      []Entered `json:"-"`
}

func (Amend) body()             {}
func (a Amend) variant() string { return a.Kind }

func (a Amend) converted(c *converter) Body {
	a.Quantity = c.quantity(a.Quantity)
	if a.Price != nil {
		price := c.price("price", *a.Price)
		a.Price = &price
	}
	a.Entered = c.entered
	return a
}

func (a Amend) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if r := t.live(); r != nil {
		return t, r
	}
	switch a.Kind {
	case Update:
		return a.update(t)
	case Amendment:
		return a.renegotiate(t, s)
	}
	return t, refuse(BadTerms, "kind of amend %q: want amendment or update", a.Kind)
}

// update changes names, and nothing that is worth money.
func (a Amend) update(t Trade) (Trade, *Refusal) {
	if !a.Quantity.IsZero() || a.Price != nil || a.Trader == "" && a.Counterparty == "" {
		return t, refuse(NoChange, "an update changes the trader or the counterparty, and "+
			"nothing else")
	}
	if a.Trader != "" {
		t.Trader, t.Terms.Trader = a.Trader, a.Trader
	}
	if a.Counterparty != "" {
		t.Counterparty, t.Terms.Counterparty = a.Counterparty, a.Counterparty
	}
	if r := Principals.check("trader", t.Trader); r != nil {
		return t, r
	}
	return t, References.check("counterparty", t.Counterparty)
}

// renegotiate changes the quantity or the price from now on. A quantity that was taken out before
// keeps its old price.
func (a Amend) renegotiate(t Trade, s Slot) (Trade, *Refusal) {
	if a.Quantity.IsZero() && a.Price == nil || a.Trader != "" || a.Counterparty != "" {
		return t, refuse(NoChange, "an amendment changes the quantity or the price, and nothing "+
			"else")
	}
	price, contracted, taken := t.Price, t.Contracted, t.Contracted.Sub(t.Open)
	if a.Price != nil {
		price = *a.Price
	}
	if r := t.Terms.Instrument.checkPrice("price", price); r != nil {
		return t, r
	}
	if !a.Quantity.IsZero() {
		if r := checkQuantity(a.Quantity, t.Unit); r != nil {
			return t, r
		}
		contracted = a.Quantity.Value
	}
	if contracted.Cmp(taken) < 0 {
		return t, refuse(BelowReduced, "%s in all, but %s is already taken out", contracted, taken)
	}
	t.setTerms(&s, price, contracted, contracted.Sub(taken))
	return t, nil
}

// The kinds of Cancel.
const (
	Void      = "void"      // the contract should never have been: every term becomes zero
	Terminate = "terminate" // ended by agreement before delivery, in full or in part
)

// Cancel ends a contract.
type Cancel struct {
	Kind     string
	Quantity Quantity  // terminate: the quantity that ends; zero in a command is all that is open
	Fee      Decimal   // terminate
	Entered  []Entered `json:"-"`
}

func (Cancel) body()             {}
func (c Cancel) variant() string { return c.Kind }

func (c Cancel) converted(conv *converter) Body {
	c.Quantity = conv.quantity(c.Quantity)
	c.Entered = conv.entered
	return c
}

// Reduction returns the quantity of a termination. A void takes out none: it leaves no contract.
func (c Cancel) Reduction() (Quantity, bool) { return c.Quantity, c.Kind == Terminate }

// WithReduction returns c with another quantity.
func (c Cancel) WithReduction(q Quantity) Body {
	c.Quantity = q
	return c
}

func (c Cancel) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if c.Kind != Void && c.Kind != Terminate {
		return t, refuse(BadTerms, "kind of cancel %q: want void or terminate", c.Kind)
	}
	if c.Kind == Void && (!c.Quantity.IsZero() || !c.Fee.IsZero()) {
		return t, refuse(BadTerms, "a void has neither quantity nor fee: it is as if the "+
			"contract had never been")
	}
	if r := checkFee(c.Fee, t.Currency); r != nil {
		return t, r
	}
	if c.Kind == Void {
		return t.void()
	}
	r := t.reduce(&s, c, t.exitPrice(), c.Fee, Terminated)
	return t, r
}

// Our roles in a novation.
const (
	Transferor = "transferor" // we leave: the new contract is not ours, and only its UTI is named
	Remaining  = "remaining"  // we stay: a new contract of ours begins with Incoming, under NewUTI
)

// Novate transfers the contract, or a part of it, to another party.
type Novate struct {
	Role     string
	Quantity Quantity
	Fee      Decimal
	NewUTI   string
	Incoming string    // the party that steps in
	Entered  []Entered `json:"-"`
}

func (Novate) body()             {}
func (n Novate) variant() string { return n.Role }

func (n Novate) converted(c *converter) Body {
	n.Quantity = c.quantity(n.Quantity)
	n.Entered = c.entered
	return n
}

// Reduction returns the quantity that is transferred.
func (n Novate) Reduction() (Quantity, bool) { return n.Quantity, true }

// WithReduction returns n with another quantity.
func (n Novate) WithReduction(q Quantity) Body {
	n.Quantity = q
	return n
}

// Successor returns the UTI of the new contract, which is ours where we remain.
func (n Novate) Successor() (string, bool) { return n.NewUTI, n.Role == Remaining }

func (n Novate) carryOver(_ Trade, terms *New) {
	terms.Quantity, terms.Counterparty = n.Quantity, n.Incoming
}

// evolve takes the transferred part out. Where we remain, the successor pays the price of that part
// again (see FollowUps), so an option leaves at its price there, too.
func (n Novate) evolve(t Trade, s Slot) (Trade, *Refusal) {
	if n.Role != Transferor && n.Role != Remaining {
		return t, refuse(BadTerms, "role %q: want transferor or remaining", n.Role)
	}
	if n.NewUTI == t.UTI {
		return t, refuse(BadTerms, "the new contract has the UTI of the old one")
	}
	if r := UTIs.check("new UTI", n.NewUTI); r != nil {
		return t, r
	}
	if r := References.check("incoming party", n.Incoming); r != nil {
		return t, r
	}
	if r := checkFee(n.Fee, t.Currency); r != nil {
		return t, r
	}
	price := t.exitPrice()
	if n.Role == Remaining {
		price = t.Price
	}
	r := t.reduce(&s, n, price, n.Fee, Novated)
	return t, r
}

// Settle delivers the contract, or a part of it.
type Settle struct {
	Quantity Quantity
	Price    Decimal // the settlement price per unit, such as the day-ahead average
	// From and To are the delivered period that is settled: its hours begin at or after From, and
	// before To. Both are zero if nobody named it.
	From time.Time `json:",omitzero"`
	To   time.Time `json:",omitzero"`
	// PriceSource names the publisher of the price, if anyone named it. A digest leaves it out
	// where it is empty, so commands from before this field keep their digests.
	PriceSource string    `json:",omitempty"`
	Entered     []Entered `json:"-"`
}

func (Settle) body() {}

func (s Settle) converted(c *converter) Body {
	s.Quantity = c.quantity(s.Quantity)
	s.Price = c.price("price", s.Price)
	s.Entered = c.entered
	return s
}

// Reduction returns the quantity that is delivered.
func (s Settle) Reduction() (Quantity, bool) { return s.Quantity, true }

// WithReduction returns s with another quantity.
func (s Settle) WithReduction(q Quantity) Body {
	s.Quantity = q
	return s
}

// evolve pays the contract price for a quantity that is worth the settlement price.
func (s Settle) evolve(t Trade, slot Slot) (Trade, *Refusal) {
	if r := t.Terms.Instrument.checkPrice("settlement price", s.Price); r != nil {
		return t, r
	}
	if s.PriceSource != "" {
		if r := checkText("price source", s.PriceSource); r != nil {
			return t, r
		}
	}
	if r := s.checkPeriod(t.Terms.Instrument, slot.Event); r != nil {
		return t, r
	}
	if r := t.reduce(&slot, s, s.Price, Decimal{}, Settled); r != nil {
		return t, r
	}
	t.SettledAmount = t.SettledAmount.Add(t.amount(t.Price, s.Quantity.Value))
	return t, nil
}

// checkPeriod checks the delivered period of a settlement, if it names one. Only forwards over
// hours are settled after the period: a premium or a cargo may be paid before.
func (s Settle) checkPeriod(i Instrument, e Event) *Refusal {
	switch overHours := i.Option == nil && i.Commodity != Oil; {
	case s.From.IsZero() && s.To.IsZero():
		return nil
	case s.From.IsZero() || !s.From.Before(s.To):
		return refuse(BadTerms, "the delivered period from %s to %s is empty",
			rfc3339(s.From), rfc3339(s.To))
	case !isMicros(s.From) || !isMicros(s.To):
		return refuse(BadTerms, "the delivered period is finer than a microsecond")
	case !hasFourDigitYear(s.From) || !hasFourDigitYear(s.To):
		return refuse(BadTerms, "the delivered period from %s to %s is not within the years 1 to "+
			"9999", rfc3339(s.From), rfc3339(s.To))
	case overHours && hoursBetween(i, s.From, s.To) == 0:
		return refuse(NothingToDeliver, "no hour of %s begins from %s to %s",
			i.ID(), rfc3339(s.From), rfc3339(s.To))
	case overHours && !annuls(e) && e.EffectiveAt.Before(s.To):
		return refuse(SettledEarly, "the settlement takes effect %s, but its delivered period "+
			"ends %s", rfc3339(e.EffectiveAt), rfc3339(s.To))
	}
	return nil
}

// The two ways to settle an exercise.
const (
	Physical = "physical" // a contract on the underlying begins at the strike, under NewUTI
	Cash     = "cash"     // the intrinsic value is paid out
)

// Exercise uses an option.
type Exercise struct {
	Quantity        Quantity
	UnderlyingPrice Decimal
	Settlement      string
	NewUTI          string    // physical only
	Entered         []Entered `json:"-"`
}

func (Exercise) body()             {}
func (e Exercise) variant() string { return e.Settlement }

func (e Exercise) converted(c *converter) Body {
	e.Quantity = c.quantity(e.Quantity)
	e.UnderlyingPrice = c.price("underlying_price", e.UnderlyingPrice)
	e.Entered = c.entered
	return e
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

// carryOver turns the terms of an option into those of the contract on its underlying. A long call
// and a short put buy; a long put and a short call sell. The value of the option's leg is carried
// in, so the P&L of the two contracts together is the same before and after.
func (e Exercise) carryOver(t Trade, terms *New) {
	o := t.Terms.Instrument.Option
	worth := terms.Currency.Amount(o.intrinsic(e.UnderlyingPrice), e.Quantity.Value)
	terms.CarriedIn = terms.Side.Sign().Mul(worth).Neg()
	if o.Kind == Put {
		terms.Side = terms.Side.Opposite()
	}
	terms.Instrument = terms.Instrument.Underlying()
	terms.Price, terms.Quantity = o.Strike, e.Quantity
}

// evolve gives the option back for its intrinsic value. The value is paid out, or the contract on
// the underlying carries it in (see FollowUps).
func (e Exercise) evolve(t Trade, s Slot) (Trade, *Refusal) {
	o := t.Terms.Instrument.Option
	if o == nil {
		return t, refuse(NotAnOption, "%s is on %s", t.UTI, t.Instrument)
	}
	if r := e.check(t); r != nil {
		return t, r
	}
	at := s.Event.EffectiveAt
	if !annuls(s.Event) && (at.Before(o.From) || at.After(o.Until)) {
		return t, refuse(OutsideWindow, "%s, but the window is from %s to %s",
			rfc3339(at), rfc3339(o.From), rfc3339(o.Until))
	}
	r := t.reduce(&s, e, o.intrinsic(e.UnderlyingPrice), Decimal{}, Exercised)
	return t, r
}

func (e Exercise) check(t Trade) *Refusal {
	switch {
	case e.Settlement != Physical && e.Settlement != Cash:
		return refuse(BadTerms, "settlement %q: want physical or cash", e.Settlement)
	case (e.Settlement == Physical) != (e.NewUTI != ""):
		return refuse(BadTerms, "a physical exercise names the UTI of the contract it begins, a "+
			"cash-settled one none")
	case e.NewUTI == t.UTI:
		return refuse(BadTerms, "the new contract has the UTI of the option")
	}
	if e.NewUTI != "" {
		if r := UTIs.check("new UTI", e.NewUTI); r != nil {
			return r
		}
	}
	return t.Terms.Instrument.Underlying().checkPrice("underlying price", e.UnderlyingPrice)
}

// PriceMarked sets points of a price curve, as of the event's effective time.
type PriceMarked struct {
	Curve    string // Instrument.Curve
	Currency Currency
	Points   []Point
	Entered  []Entered `json:"-"`
}

// A Point is one price of a curve.
type Point struct {
	Delivery Period
	Price    Decimal
}

func (PriceMarked) body() {}

func (m PriceMarked) converted(c *converter) Body {
	points := make([]Point, len(m.Points))
	for i, p := range m.Points {
		points[i] = Point{p.Delivery, c.price(fmt.Sprintf("points[%d].price", i), p.Price)}
	}
	m.Points, m.Entered = points, c.entered
	return m
}

// CommandRefused records that a command was refused. Its Digest distinguishes the same command,
// sent again, from another command that reuses the id.
type CommandRefused struct {
	CommandID string
	Digest    [sha256.Size]byte // Command.Digest
	Rule      string            // Refusal.Rule
	Detail    string            // Refusal.Detail
	Line      string            // the command as it was sent, as an import line
}

func (CommandRefused) body() {}

// SnapshotTaken records that a state was archived, under a name and with a digest. It is no part of
// any state. It makes the lack of an archived state visible, and a change of its place in the log.
type SnapshotTaken struct {
	Name            string
	Digest          [sha256.Size]byte // State.Digest
	Format          string            // StateFormat of the program that took it
	Cursor          []int64           // the first offset of each partition that is not in the state
	RecordedThrough time.Time         // the largest RecordedAt in the state
}

func (SnapshotTaken) body() {}

// EventSkipped records that an earlier event of its stream is left out, because that event parks
// the stream. The envelope has the actor, the approver and the reason. As known before it, the
// stream is parked.
type EventSkipped struct {
	Version int64     // of the skipped event
	Event   uuid.UUID // its id
	Rule    string    // Parked.Rule
}

func (EventSkipped) body() {}

// BackfillAdopted records that the history of another system was taken into the log. The envelope
// has the actor, the approver and the reason. It is recorded before the first event of the history.
type BackfillAdopted struct {
	File    string            // the name of the file
	Digest  [sha256.Size]byte // of the content of the file
	Streams int64             // that the file begins
	Events  int64             // in these streams, with those of follow-ups
	Breaks  int64             // differences that the approver accepted
}

func (BackfillAdopted) body() {}

// Unreadable stands for the body of an event that this program cannot decode. It is no kind: nobody
// records it, and it is illegal in every stream. A program that can decode the event folds it.
type Unreadable struct{ Cause string } // the error of the codec, for people

func (Unreadable) body() {}

// Foreign stands for the body of an event of a domain beside trading, such as the ledger, which
// capstone/domain decodes. It is no kind: no fold of trades reads the streams of other domains. In
// the stream of a trade, a curve or a confirmation it is illegal.
type Foreign struct{ Type string } // of the event

func (Foreign) body() {}
