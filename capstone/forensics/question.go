package forensics

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A Kind is a kind of question whose answer is a list of events.
type Kind string

// The kinds of questions.
const (
	Field      Kind = "field"        // every change of one field of a contract or a curve
	Principal  Kind = "principal"    // every event that a principal touched
	OutOfHours Kind = "out-of-hours" // every event that was entered out of hours
	FourEyes   Kind = "four-eyes"    // every breach of four eyes
	Late       Kind = "late"         // every event over a delay, the longest delay first
	AfterClose Kind = "after-close"  // every event of a contract that was closed before
	Rebook     Kind = "rebook"       // every contract that was booked after the like was cancelled
)

// Kinds returns all kinds.
func Kinds() []Kind {
	return []Kind{Field, Principal, OutOfHours, FourEyes, Late, AfterClose, Rebook}
}

// Limits of a question about rebooked contracts. Pairs beyond them are not kept.
const (
	MostWithin    = 7 * 24 * time.Hour
	MostTolerance = 100_000 // parts per million
)

// A Question asks for events. A zero time sets no limit.
type Question struct {
	Kind        Kind
	trade.AsOf            // only events that are known and effective by these times
	From, Until time.Time // recorded within, both included; for OutOfHours: entered within
	Limit       int       // the number of findings; zero is all

	Stream    string        // Field: of the contract or the curve
	Field     string        // Field: a name of Fields, or a delivery of the curve
	Principal string        // Principal: who; OutOfHours: the actor, or empty for all
	Zone      string        // OutOfHours: the name of a delivery point, whose clocks count
	Entry     bool          // Late: by recorded_at - entered_at, and not recorded_at - effective_at
	Over      time.Duration // Late: the threshold, included
	Within    time.Duration // Rebook: the time from the CANCEL to the NEW, included
	Tolerance int64         // Rebook: of quantity and price, in parts per million, included
}

// Check returns an error that names the fault of a question.
func (q Question) Check() error {
	switch {
	case q.Kind == Field && (q.Stream == "" || q.Field == ""):
		return fmt.Errorf("a question about a field needs a contract or a curve, and a field")
	case q.Kind == Principal && q.Principal == "":
		return fmt.Errorf("a question about a principal needs one")
	case q.Kind == Late && q.Over < 0:
		return fmt.Errorf("the threshold %v is negative", q.Over)
	case q.Kind == Rebook && (q.Within < 0 || q.Within > MostWithin):
		return fmt.Errorf("the time between cancel and rebook is at most %v, not %v",
			MostWithin, q.Within)
	case q.Kind == Rebook && (q.Tolerance < 0 || q.Tolerance > MostTolerance):
		return fmt.Errorf("the tolerance is at most %d parts per million, not %d",
			int64(MostTolerance), q.Tolerance)
	case !q.Until.IsZero() && q.Until.Before(q.From):
		return fmt.Errorf("the window ends at %s, before it begins",
			q.Until.UTC().Format(time.RFC3339Nano))
	}
	if q.Kind == OutOfHours {
		_, err := trade.Zone(q.Zone)
		return err
	}
	return nil
}

// A Fact is the envelope of one event.
type Fact struct {
	ID          uuid.UUID `json:"id"`
	Stream      string    `json:"stream"`
	Version     int64     `json:"version"`
	Type        string    `json:"type"`
	EffectiveAt time.Time `json:"effective_at"`
	EnteredAt   time.Time `json:"entered_at"`
	RecordedAt  time.Time `json:"recorded_at"`
	Actor       string    `json:"actor"`
	Approver    string    `json:"approver,omitempty"`
	SubmittedBy string    `json:"submitted_by,omitempty"`
	Reason      string    `json:"reason"`
	CommandID   string    `json:"command_id"`
	Source      string    `json:"source"`
	Corrects    uuid.UUID `json:"corrects,omitzero"`
	Correlation uuid.UUID `json:"correlation_id,omitzero"`
	Causation   uuid.UUID `json:"causation_id,omitzero"`
}

// Backdating returns the time from the effect of the event to its record. It is negative for an
// event that takes effect later.
func (f Fact) Backdating() time.Duration { return f.RecordedAt.Sub(f.EffectiveAt) }

// Delay returns the time from the entry of the event to its record.
func (f Fact) Delay() time.Duration { return f.RecordedAt.Sub(f.EnteredAt) }

// compare orders events by recorded time, stream and version.
func (f Fact) compare(o Fact) int {
	if c := f.RecordedAt.Compare(o.RecordedAt); c != 0 {
		return c
	}
	return f.compareStream(o)
}

func (f Fact) compareStream(o Fact) int {
	if c := strings.Compare(f.Stream, o.Stream); c != 0 {
		return c
	}
	return int(f.Version - o.Version)
}

// A Finding is one event of an answer, with the property that the question was about.
type Finding struct {
	Fact
	Old      string       `json:"old,omitempty"`      // Field
	New      string       `json:"new,omitempty"`      // Field
	Roles    string       `json:"roles,omitempty"`    // Principal: actor, approver, submitter
	Breach   Breach       `json:"breach,omitempty"`   // FourEyes
	Status   trade.Status `json:"status,omitempty"`   // AfterClose: that of the contract before
	Seconds  int64        `json:"seconds,omitempty"`  // Late: the delay, in whole seconds
	Booked   *Deal        `json:"booked,omitempty"`   // Rebook
	Replaced *Deal        `json:"replaced,omitempty"` // Rebook: the cancelled deal
}

// An Index answers questions, and finds events by their ids and links. Answers are in the order of
// recorded_at, stream and version; those about late events in the order of the delay.
type Index interface {
	// Find answers a question that Check accepts.
	Find(ctx context.Context, q Question) ([]Finding, error)
	// Facts returns the events with some ids, as far as they are in the index.
	Facts(ctx context.Context, ids []uuid.UUID) ([]Fact, error)
	// Effects returns the events that some events caused, or that correct them.
	Effects(ctx context.Context, ids []uuid.UUID) ([]Fact, error)
	// Links returns the links from and to some contracts.
	Links(ctx context.Context, utis []string) ([]Link, error)
	// Book returns the streams of the contracts that were ever in a book, and of all curves.
	Book(ctx context.Context, book string) (map[string][]trade.Event, error)
	// History returns the events of a stream in version order.
	History(ctx context.Context, stream string) ([]Fact, []trade.Event, error)
}
