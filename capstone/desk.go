package capstone

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Desk takes commands: it decides each against the history of its stream and puts the outcome on record.
type Desk struct {
	Store  contract.Store
	Codec  contract.Codec
	Source string // goes into every event: where its commands come from

	apart   atomic.Int64 // follow-ups that were refused, as far as this desk has seen: what MissingFollowUps may have to name
	settled sync.Map     // by a curve's stream: its first two marks, which its currency is known by
}

// An Outcome is what a command led to. A refusal is an outcome too, and on record like any other.
type Outcome struct {
	Event   contract.Recorded
	Refusal *trade.Refusal // nil if the command was accepted
	Again   bool           // the command was on record already, and nothing was written
}

// A ReusedCommandError is a command id that was used before for something else.
type ReusedCommandError struct{ CommandID string }

func (e *ReusedCommandError) Error() string {
	return fmt.Sprintf("command_id %q is on record with other content", e.CommandID)
}

// ErrReserved is a command under an id that only a follow-up may have (trade.IsFollowUp).
var ErrReserved = errors.New("command ids that begin with follow-up/ are kept for what follows from events")

// order is a command with what makes its event traceable.
type order struct {
	trade.Command
	causation   uuid.UUID // also tells the same order, sent again, from another under the same id
	correlation uuid.UUID
}

// Do decides cmd and records the outcome; then it does the same for the contracts that begin from it. Sending a
// command again gives the recorded outcome.
func (d *Desk) Do(ctx context.Context, cmd trade.Command) (Outcome, error) {
	if trade.IsFollowUp(cmd.ID) {
		return Outcome{}, fmt.Errorf("command %q: %w", cmd.ID, ErrReserved)
	}
	ctx = contract.At(ctx, cmd.EnteredAt) // only a simulated log's clock looks at it
	return d.do(ctx, order{cmd, cmd.ContentID(), trade.EventID(cmd.ID, 0)})
}

func (d *Desk) do(ctx context.Context, o order) (Outcome, error) {
	out, err := d.record(ctx, o)
	if err != nil {
		return Outcome{}, err
	}
	// A crash here leaves an event without what follows from it. The same command sent again comes this way again,
	// and so does FollowUps.Sweep: the ids are derived, so nothing is begun twice.
	if out.Refusal == nil {
		return out, d.follow(ctx, out.Event)
	}
	if trade.IsFollowUp(o.ID) && !nothingToVoid(o, out.Refusal.Rule) {
		d.apart.Add(1)
	}
	return out, nil
}

// record asks for the outcome on record BEFORE it decides: a decision taken again, later, could differ.
func (d *Desk) record(ctx context.Context, o order) (Outcome, error) {
	for {
		recorded, err := d.Store.Find(ctx, trade.EventID(o.ID, 0))
		if err == nil {
			return d.again(ctx, o, recorded)
		}
		if !errors.Is(err, contract.ErrNotFound) {
			return Outcome{}, err
		}
		out, err := d.decide(ctx, o)
		var conflict *contract.ConflictError
		var ended *contract.EndedError
		var reused *contract.ReusedError
		if !errors.As(err, &conflict) && !errors.As(err, &ended) && !errors.As(err, &reused) && !errors.Is(err, contract.ErrFenced) {
			return out, err
		}
		// Someone else wrote to the stream between our read and our append, or recorded this very command: look again. So too
		// where the store lost its place, as it does when a broker was away for long: it takes it back, or says who has it.
	}
}

// again is the outcome that is on record for o.
func (d *Desk) again(ctx context.Context, o order, recorded contract.Recorded) (Outcome, error) {
	if recorded.Causation != o.causation {
		return Outcome{}, &ReusedCommandError{o.ID}
	}
	out := Outcome{Event: recorded, Again: true}
	body, err := d.Codec.Decode(ctx, recorded.Type, recorded.Data)
	if err != nil {
		return Outcome{}, fmt.Errorf("event %s: %w", recorded.ID, err)
	}
	if r, refused := body.(trade.CommandRefused); refused {
		out.Refusal = &trade.Refusal{Rule: trade.Rule(r.Rule), Detail: r.Detail}
	}
	return out, nil
}

func (d *Desk) decide(ctx context.Context, o order) (Outcome, error) {
	history, expected, err := d.before(ctx, o)
	if err != nil {
		return Outcome{}, err
	}
	decision, err := trade.Decide(o.UTI, history, o.Command)
	var refusal *trade.Refusal
	if errors.As(err, &refusal) {
		event, err := d.append(ctx, o, o.RefusedStream(), contract.Any, trade.Decision{
			EffectiveAt: o.EnteredAt,
			Body: trade.CommandRefused{
				CommandID: o.ID, Digest: o.Digest(), Rule: string(refusal.Rule), Detail: refusal.Detail,
			},
		})
		return Outcome{Event: event, Refusal: refusal}, err
	}
	if err != nil {
		return Outcome{}, err
	}
	event, err := d.append(ctx, o, o.Stream(), expected, decision)
	return Outcome{Event: event}, err
}

// before is what o is decided against, and the version at which that must still be all.
func (d *Desk) before(ctx context.Context, o order) ([]trade.Event, int64, error) {
	if _, mark := o.Body.(trade.PriceMarked); mark && o.Corrects == uuid.Nil {
		return d.marks(ctx, o.Stream())
	}
	history, err := d.history(ctx, o.Stream())
	return history, int64(len(history)), err
}

// marks is what a mark is decided against that corrects none. It depends on the currency of its curve, which the second mark settles for good:
// once there are two, these are kept, and the years of the curve are not read.
func (d *Desk) marks(ctx context.Context, stream string) ([]trade.Event, int64, error) {
	if first, ok := d.settled.Load(stream); ok {
		return first.([]trade.Event), contract.Any, nil
	}
	history, err := d.history(ctx, stream)
	marks := 0
	for i, e := range history {
		if e.Corrects == uuid.Nil {
			marks++
		}
		if marks == 2 {
			first := slices.Clone(history[:i+1])
			d.settled.Store(stream, first)
			return first, contract.Any, nil
		}
	}
	return history, int64(len(history)), err
}

// append makes an event of a decision and stores it.
func (d *Desk) append(ctx context.Context, o order, stream string, expected int64, what trade.Decision) (contract.Recorded, error) {
	payload, err := d.Codec.Encode(ctx, what.Body)
	if err != nil {
		return contract.Recorded{}, err
	}
	event := contract.Event{
		ID:          trade.EventID(o.ID, 0),
		Stream:      stream,
		Type:        payload.Type,
		Schema:      payload.Schema,
		Fingerprint: payload.Fingerprint,
		EffectiveAt: what.EffectiveAt,
		Corrects:    what.Corrects,
		Actor:       o.Actor,
		Approver:    o.Approver,
		Reason:      o.Reason,
		Correlation: o.correlation,
		Causation:   o.causation,
		Source:      d.Source,
		Ends:        ends(what.Body),
		Data:        payload.Data,
	}
	receipts, err := d.Store.Append(ctx, stream, expected, event)
	if err != nil {
		return contract.Recorded{}, err
	}
	return contract.Recorded{Event: event, Version: receipts[0].Version, RecordedAt: receipts[0].RecordedAt}, nil
}

// ends says whether a body is the last of its stream: nothing follows a void, and the store holds every writer to that.
func ends(b trade.Body) bool {
	cancel, ok := b.(trade.Cancel)
	return ok && cancel.Kind == trade.Void
}

// history is the stream as the domain sees it.
func (d *Desk) history(ctx context.Context, stream string) ([]trade.Event, error) {
	var events []trade.Event
	for recorded, err := range d.Store.Stream(ctx, stream) {
		if err != nil {
			return nil, err
		}
		event, err := contract.Decoded(ctx, d.Codec, recorded)
		if err != nil {
			return nil, err
		}
		events = append(events, event)
	}
	return events, nil
}
