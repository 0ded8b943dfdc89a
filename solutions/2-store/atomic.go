package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// ValidateAll returns an error for an atomic append that every store refuses: one that wraps
// contract.ErrInvalid, or *contract.ApartError.
func ValidateAll(appends []contract.StreamAppend, guards []contract.Guard) error {
	invalid := func(format string, args ...any) error {
		return fmt.Errorf("%w: %s", contract.ErrInvalid, fmt.Sprintf(format, args...))
	}
	if len(appends) == 0 {
		return invalid("an atomic append has no stream")
	}
	events, bytes, group := 0, 0, contract.GroupOf(appends...)
	ids := map[uuid.UUID]bool{}
	for _, a := range appends {
		if err := Validate(a.Stream, a.Events); err != nil {
			return err
		}
		for i := range a.Events {
			e := &a.Events[i]
			if ids[e.ID] {
				return fmt.Errorf("%w %s: its id occurs twice in the append", contract.ErrInvalid,
					e.ID)
			}
			if e.AppendGroup != uuid.Nil && e.AppendGroup != group {
				return fmt.Errorf("%w %s: its append group is %s, and that of its append is %s",
					contract.ErrInvalid, e.ID, e.AppendGroup, group)
			}
			ids[e.ID] = true
			bytes += len(e.Data)
		}
		events += len(a.Events)
	}
	if events > contract.MaxAppend || bytes > contract.MaxData {
		return invalid("an atomic append has %d events with %d bytes of data, at most %d with %d "+
			"go in", events, bytes, contract.MaxAppend, contract.MaxData)
	}
	streams := StreamsOf(appends, guards)
	seen := map[string]bool{}
	for _, s := range streams {
		if seen[s] {
			return invalid("stream %q occurs twice in an atomic append", s)
		}
		seen[s] = true
	}
	for _, g := range guards {
		if g.Stream == "" || g.Version < 0 {
			return invalid("the guard of stream %q has version %d", g.Stream, g.Version)
		}
	}
	return contract.Apart(streams...)
}

// StreamsOf returns the streams of an atomic append, then those of its guards.
func StreamsOf(appends []contract.StreamAppend, guards []contract.Guard) []string {
	var streams []string
	for _, a := range appends {
		streams = append(streams, a.Stream)
	}
	for _, g := range guards {
		streams = append(streams, g.Stream)
	}
	return streams
}

// Named names an append for people.
func Named(appends []contract.StreamAppend) string {
	if len(appends) == 0 {
		return "no stream"
	}
	if len(appends) == 1 {
		return appends[0].Stream
	}
	return fmt.Sprintf("%s and %d more", appends[0].Stream, len(appends)-1)
}

// Grouped returns a deep enough copy of an atomic append whose events have their append group: the
// caller's events stay as they are.
func Grouped(appends []contract.StreamAppend) []contract.StreamAppend {
	group := contract.GroupOf(appends...)
	copied := make([]contract.StreamAppend, len(appends))
	for i, a := range appends {
		copied[i] = contract.StreamAppend{Stream: a.Stream, Expected: a.Expected}
		for _, e := range a.Events {
			e.AppendGroup = group
			copied[i].Events = append(copied[i].Events, e)
		}
	}
	return copied
}

// DecideAll decides a valid atomic append whose events have their append group. Its answers are
// those of Decide. A guard is compared after the streams, and a stream that has ended keeps the
// version that guards name.
func DecideAll(
	known Known, appends []contract.StreamAppend, guards []contract.Guard,
) ([][]contract.Receipt, error) {
	receipts, err := recordedAll(known, appends)
	if err != nil || receipts != nil {
		return receipts, err
	}
	for _, a := range appends {
		if err := fits(known, a.Stream, a.Expected); err != nil {
			return nil, err
		}
	}
	for _, g := range guards {
		if actual, _ := known.Version(g.Stream); actual != g.Version {
			return nil, &contract.ConflictError{
				Stream: g.Stream, Expected: g.Version, Actual: actual,
			}
		}
	}
	return nil, nil
}

// recordedAll returns the receipts of an atomic append that is recorded, and nil for one of new
// events.
func recordedAll(
	known Known, appends []contract.StreamAppend,
) (all [][]contract.Receipt, err error) {
	found, events := 0, 0
	for _, a := range appends {
		var receipts []contract.Receipt
		for i := range a.Events {
			e := &a.Events[i]
			was, ok, err := lookUp(known, e)
			if err != nil {
				return nil, err
			}
			if !ok {
				continue
			}
			if was.Group != e.AppendGroup {
				return nil, fmt.Errorf("%w: event %s was recorded by another append",
					contract.ErrPartial, e.ID)
			}
			receipts = append(receipts, was.Receipt)
		}
		all = append(all, receipts)
		found, events = found+len(receipts), events+len(a.Events)
	}
	if found == 0 {
		return nil, nil
	}
	if err := partial(found, events); err != nil {
		return nil, err
	}
	return all, nil
}
