package capstone

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A ParkedStream is a parked stream, with its illegal event as recorded.
type ParkedStream struct {
	trade.Parked
	Illegal contract.Recorded
}

// Parked folds the log before end from scratch, and returns the parked streams, sorted. An event
// that cannot be decoded parks every stream, also one that no state has.
func (s *System) Parked(ctx context.Context, end contract.Cursor) ([]ParkedStream, error) {
	streams, err := s.Streams(ctx, end)
	if err != nil {
		return nil, err
	}
	var all []ParkedStream
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		_, parked := trade.Legal(stream, streams[stream])
		if parked == nil {
			continue
		}
		illegal, err := s.version(ctx, stream, parked.Version)
		if err != nil {
			return nil, err
		}
		all = append(all, ParkedStream{*parked, illegal})
	}
	return all, nil
}

// A StaleError names a parked stream as the read model has it. A fold of the log parks it at
// another event or by another rule, or not at all: another program made the row. A read model folds
// a stream again only when it gets an event.
type StaleError struct {
	trade.Parked
	Now *trade.Parked // by a fold of the log; nil if the stream is not parked
}

func (e *StaleError) Error() string {
	now := "does not park it"
	if e.Now != nil {
		now = fmt.Sprintf("parks it at version %d by %s", e.Now.Version, e.Now.Rule)
	}
	return fmt.Sprintf("the read model is out of date: it parks stream %s at version %d by %s; "+
		"a fold of the log %s", e.Stream, e.Version, e.Rule, now)
}

// Hint implements the hint of a command.
func (e *StaleError) Hint() string {
	return "fold the stream again: blotter parked retry " + e.Stream
}

// Stale returns the stale rows of parked streams in the read model, without bringing it up to date.
func (s *System) Stale(ctx context.Context) ([]*StaleError, error) {
	state, cursor, err := s.stateAtCursor(ctx)
	if err != nil {
		return nil, err
	}
	return s.staleIn(ctx, state, cursor)
}

// staleIn compares the parked streams of a state with a fold of the log before its cursor.
func (s *System) staleIn(
	ctx context.Context, state trade.State, cursor contract.Cursor,
) (stale []*StaleError, err error) {
	for _, kept := range state.Parked {
		h, err := s.Desk.history(ctx, kept.Stream, math.MaxInt64)
		if err != nil {
			return nil, err
		}
		later := func(r contract.Recorded) bool { return !cursor.Covers(r.Position) }
		if n := slices.IndexFunc(h.recorded, later); n >= 0 {
			h.events = h.events[:n]
		}
		_, parked := trade.Legal(kept.Stream, h.events)
		if parked == nil || !sameParked(*parked, kept) {
			stale = append(stale, &StaleError{kept, parked})
		}
	}
	return stale, nil
}

// sameParked reports whether two parked streams are the same in the canonical state, which leaves
// out the detail.
func sameParked(a, b trade.Parked) bool {
	a.Detail, b.Detail = "", ""
	return a == b
}

// version returns one event of a stream, as recorded.
func (s *System) version(
	ctx context.Context, stream string, n int64,
) (r contract.Recorded, err error) {
	for r, err := range s.Log.Stream(ctx, stream) {
		if err != nil || r.Version == n {
			return r, err
		}
	}
	return r, fmt.Errorf("stream %s ends before version %d", stream, n)
}

// Retried is the result of folding a parked stream again.
type Retried struct {
	Stream  string        `json:"stream"`
	Applied int           `json:"applied"` // events that the read model had kept out
	Waiting int           `json:"waiting"` // events from the illegal one on
	Parked  *trade.Parked `json:"parked,omitempty"`

	Orphaned []OrphanedFollowUp `json:"-"` // of events that waited
}

// Retry folds a stream of the log with the present rules and schemas, and has rebuild replace the
// read models: each may have an old row of the stream. If the stream is not parked, Retry issues
// the follow-ups of events that waited. A stream that is not on record is contract.ErrNotFound.
//
// A crash leaves old models, or follow-ups undone. Retry does all of it again.
func (s *System) Retry(
	ctx context.Context, stream string, rebuild func(context.Context) error,
) (Retried, error) {
	r := Retried{Stream: stream}
	h, err := s.Desk.history(ctx, stream, math.MaxInt64)
	if err == nil && len(h.events) == 0 {
		err = fmt.Errorf("stream %s: %w", stream, contract.ErrNotFound)
	}
	if err != nil {
		return r, err
	}
	legal, _ := trade.Legal(stream, h.events)
	r = retried(stream, h.events, len(legal))
	if err := s.catchUp(ctx); err != nil {
		return r, err
	}
	stale, err := s.Stale(ctx)
	if err != nil {
		return r, err
	}
	i := slices.IndexFunc(stale, func(kept *StaleError) bool { return kept.Stream == stream })
	if i >= 0 {
		for _, e := range legal {
			if e.Version >= stale[i].Version {
				r.Applied++
			}
		}
	}
	if err := rebuild(ctx); err != nil || r.Parked != nil {
		return r, err
	}
	if err := s.FollowUps.SweepAll(ctx); err != nil {
		return r, err
	}
	all, err := s.FollowUps.Orphaned(ctx)
	r.Orphaned = slices.DeleteFunc(all, func(o OrphanedFollowUp) bool {
		return o.Cause.Stream != stream
	})
	return r, err
}

// A Skip asks to leave out the event that parks a stream.
type Skip struct {
	Stream                  string
	Version                 int64
	Actor, Approver, Reason string
}

// A SkipError is a Skip that was refused.
type SkipError struct{ What, Todo string }

func (e *SkipError) Error() string { return e.What }

// Hint implements the hint of a command.
func (e *SkipError) Hint() string { return e.Todo }

// A SkippedEvent is the result of a Skip. The stream may be parked again, by a later event.
type SkippedEvent struct {
	Retried
	Event contract.Recorded // the trade.EventSkipped
}

// Skip records that the event which parks a stream is left out. The events that waited count from
// then on, as far as they are legal, and Skip issues their follow-ups. A Skip that is on record is
// not recorded again.
//
// A crash after the record leaves the follow-ups undone, and the next sweep issues them.
func (s *System) Skip(ctx context.Context, k Skip) (done SkippedEvent, err error) {
	if err := k.check(); err != nil {
		return done, err
	}
	for {
		done, err = s.skip(ctx, k)
		if !overtaken(err) {
			break
		}
	}
	if err != nil {
		return done, err
	}
	done.Orphaned, err = s.FollowUps.Issue(ctx, Outcome{Event: done.Event, read: histories{}})
	return done, err
}

func (k Skip) check() error {
	what, todo := unapproved("skip", k.Actor, k.Approver, k.Reason)
	if what != "" {
		return &SkipError{what, todo}
	}
	return nil
}

// unapproved returns the fault of an act that needs two principals and a reason, and the hint for
// it. Both are empty for an act without fault.
func unapproved(act, actor, approver, reason string) (what, todo string) {
	unprintable := func(r rune) bool { return !trade.IsPrintable(r) }
	switch {
	case !trade.Principals.Has(actor) || !trade.Principals.Has(approver):
		return fmt.Sprintf("actor %q or approver %q is no principal", actor, approver),
			"a principal has " + trade.Principals.Want
	case actor == approver:
		return fmt.Sprintf("%s cannot approve an own %s", actor, act),
			"name another principal with --approver"
	case reason == "" || strings.ContainsFunc(reason, unprintable):
		return fmt.Sprintf("the reason %q is no printable text", reason),
			"state with --reason the cause of the " + act
	}
	return "", ""
}

func (s *System) skip(ctx context.Context, k Skip) (done SkippedEvent, err error) {
	h, err := s.Desk.history(ctx, k.Stream, math.MaxInt64)
	if err != nil {
		return done, err
	}
	legal, parked := trade.Legal(k.Stream, h.events)
	for _, earlier := range trade.Skips(k.Stream, h.events) {
		if earlier.Version == k.Version {
			done.Event, err = s.Log.Find(ctx, earlier.By)
			done.Retried = retried(k.Stream, h.events, len(legal))
			return done, err
		}
	}
	if parked == nil || parked.Version != k.Version {
		return done, notSkippable(k, parked)
	}
	if h.recorded[len(h.recorded)-1].Ends {
		return done, &SkipError{"stream " + k.Stream + " has ended: no event can follow its void",
			"keep the stream as it is: the events before the illegal one count"}
	}
	if done.Event, err = s.recordSkip(ctx, k, *parked, int64(len(h.events))); err != nil {
		return done, err
	}
	if h, err = s.Desk.extend(ctx, h, done.Event); err == nil {
		done.Retried = retried(k.Stream, h.events, len(legal))
	}
	return done, err
}

func notSkippable(k Skip, parked *trade.Parked) error {
	if parked == nil {
		return &SkipError{fmt.Sprintf("stream %s is not parked", k.Stream),
			"list the parked streams: blotter parked list"}
	}
	return &SkipError{fmt.Sprintf("version %d of %s is not the event that parks it: version %d is",
		k.Version, k.Stream, parked.Version), "look at it: blotter parked show " + k.Stream}
}

// recordSkip appends the event of a Skip, at the time that is now for a question.
func (s *System) recordSkip(
	ctx context.Context, k Skip, parked trade.Parked, expected int64,
) (contract.Recorded, error) {
	now, err := s.times(ctx, trade.AsOf{})
	if err != nil {
		return contract.Recorded{}, err
	}
	body := trade.EventSkipped{
		Version: parked.Version, Event: parked.Event, Rule: string(parked.Rule),
	}
	cmd := trade.Command{
		ID: trade.SkipID(parked.Event), EnteredAt: now.Known, Actor: k.Actor,
		Approver: k.Approver, Reason: k.Reason, Body: body,
	}
	r := request{
		Command: cmd, correlation: trade.EventID(cmd.ID, 0), causation: cmd.ContentID(),
	}
	return s.Desk.append(contract.At(ctx, now.Known), r, k.Stream, expected,
		trade.Decision{EffectiveAt: now.Known, Body: body})
}

// retried folds a history of which counted events counted before.
func retried(stream string, history []trade.Event, counted int) Retried {
	legal, parked := trade.Legal(stream, history)
	r := Retried{Stream: stream, Applied: len(legal) - counted, Parked: parked}
	for _, e := range history {
		_, skips := e.Body.(trade.EventSkipped)
		if parked != nil && e.Version >= parked.Version && !skips {
			r.Waiting++
		}
	}
	return r
}
