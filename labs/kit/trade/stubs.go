package trade

import (
	"time"
	_ "time/tzdata"

	"github.com/google/uuid"
)

// A Decision is what Decide puts on record.
type Decision struct {
	EffectiveAt time.Time
	Corrects    uuid.UUID
	Body        Body
}

func Decide(uti string, history []Event, cmd Command) (Decision, error) { panic("not yet") }

// A SlotError is a slot of a history that is illegal.
type SlotError struct {
	Version int64
	Refusal *Refusal
}

func (e *SlotError) Error() string { panic("not yet") }

func Fold(uti string, events []Event, at AsOf) (Trade, error) { panic("not yet") }

func FollowUps(uti string, history []Event, cause Event) []Command { panic("not yet") }

func (k LegKey) Compare(o LegKey) int { panic("not yet") }

func (k PoolKey) Compare(o PoolKey) int { panic("not yet") }

func (k PoolKey) Curve() string { panic("not yet") }

// Pool nets legs by both cost methods.
type Pool struct{}

func (p *Pool) Apply(l Leg) { panic("not yet") }

// Curve is a price curve as marked.
type Curve struct{}

func FoldCurve(name string, events []Event, at AsOf) Curve { panic("not yet") }

func PositionOf(key PoolKey, p Pool, c Curve) Position { panic("not yet") }

func StateOf(streams map[string][]Event, at AsOf) (State, error) { panic("not yet") }

func (s State) Canonical() []byte { panic("not yet") }

func (s State) Digest() [32]byte { panic("not yet") }

// Book is the incremental read model in memory.
type Book struct{}

func NewBook() *Book { return &Book{} }

func (b *Book) Apply(stream string, e Event) error { panic("not yet") }

func (b *Book) State() State { panic("not yet") }

func (b *Book) Trade(uti string) (Trade, bool) { panic("not yet") }

func Changed(before, after []Leg) map[PoolKey]LegKey { panic("not yet") }

func Hours(i Instrument, from time.Time) (int64, error) { panic("not yet") }

func Zone(name string) (*time.Location, error) { panic("not yet") }

// ParseBookTime reads an instant (RFC 3339) or a date, which means the last microsecond of that day in the book's zone.
func ParseBookTime(s string) (time.Time, error) { panic("not yet") }
