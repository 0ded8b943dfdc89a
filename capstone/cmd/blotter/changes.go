package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A change is the value of one field before and after an event.
type change struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new,omitempty"`
}

func (c change) String() string {
	switch {
	case c.Old == "":
		return c.New
	case c.New == "":
		return c.Old + " → nothing"
	}
	return c.Old + " → " + c.New
}

// fields are the values of a JSON object by name, in its order.
type fields struct {
	names  []string
	values map[string]string
}

const enteredPrefix = "entered "

// fieldsOf returns the fields of an object. Those of nested objects have names such as
// quantity.value. A point of a price curve has the name of its delivery. A value that was entered
// in another unit has a field of its own, such as entered quantity.
func fieldsOf(text json.RawMessage) (fields, error) {
	f := fields{values: map[string]string{}}
	return f, flattenRaw(text, "", func(name string, value json.RawMessage) error {
		var points []struct{ Delivery, Price string }
		if name == "points" && json.Unmarshal(value, &points) == nil {
			for _, p := range points {
				f.set(p.Delivery, p.Price)
			}
			return nil
		}
		var all []trade.Entered
		if name == "entered" && json.Unmarshal(value, &all) == nil {
			for _, e := range all {
				f.set(enteredPrefix+e.Field, e.String())
			}
			return nil
		}
		var shown string
		if json.Unmarshal(value, &shown) != nil {
			shown = string(value)
		}
		f.set(name, shown)
		return nil
	})
}

func (f *fields) set(name, value string) {
	if _, known := f.values[name]; !known {
		f.names = append(f.names, name)
	}
	f.values[name] = value
}

// since returns the fields that differ from those before, in their order, and then those that are
// gone.
func (f fields) since(before fields) (all []change) {
	for _, name := range f.names {
		if c := (change{name, before.values[name], f.values[name]}); c.Old != c.New {
			all = append(all, c)
		}
	}
	for _, name := range before.names {
		if _, kept := f.values[name]; !kept && before.values[name] != "" {
			all = append(all, change{name, before.values[name], ""})
		}
	}
	return all
}

// A changeLog computes the changes of events. It reads the stream of an event once.
type changeLog struct {
	log     contract.Store
	codec   contract.Codec
	streams map[string]*streamChanges
}

type streamChanges struct {
	events []trade.Event
	bodies map[uuid.UUID]fields
	legal  []trade.Event    // those that count
	notes  map[int64]change // about illegal events, by version
}

// of returns the changes of one event. A correction changes fields of the event that it replaces; a
// price mark changes points of its curve; any other event states its own fields. The changes of a
// contract's terms and quantities follow. They are left out from an event that does not count.
// An event that parks its stream, or that is skipped, names the broken rule instead.
func (l *changeLog) of(ctx context.Context, r contract.Recorded) ([]change, error) {
	s, err := l.stream(ctx, r.Stream)
	if err != nil {
		return nil, err
	}
	n := 0
	for n < len(s.events) && s.events[n].Version < r.Version {
		n++
	}
	if n == len(s.events) {
		return nil, fmt.Errorf("stream %s has no version %d", r.Stream, r.Version)
	}
	var before fields
	_, isMark := s.events[n].Body.(trade.PriceMarked)
	switch {
	case r.Corrects != uuid.Nil:
		before = s.bodies[r.Corrects]
	case isMark:
		before = s.marked(n)
	}
	own := s.bodies[r.ID].since(before)
	if note, ok := s.notes[r.Version]; ok {
		own = append(own, note)
	}
	counts := func(e trade.Event) bool { return e.Version == r.Version }
	uti, isTrade := strings.CutPrefix(r.Stream, trade.TradeStream(""))
	if !isTrade || !slices.ContainsFunc(s.legal, counts) {
		return own, nil
	}
	effect := s.effect(uti, r.Version)
	switch s.events[n].Body.(type) {
	case trade.New, trade.Amend: // its fields are the terms, except for the values as entered
		if len(effect) > 0 {
			own = slices.DeleteFunc(own, func(c change) bool {
				return !strings.HasPrefix(c.Field, enteredPrefix)
			})
		}
	}
	return append(own, effect...), nil
}

// marked returns the latest value of each point of a curve before its event n. A point that a mark
// leaves out stays, so no name is listed as gone.
func (s *streamChanges) marked(n int) fields {
	known := fields{values: map[string]string{}}
	for _, e := range s.events[:n] {
		maps.Copy(known.values, s.bodies[e.ID].values)
	}
	maps.DeleteFunc(known.values, func(name, _ string) bool {
		return strings.HasPrefix(name, enteredPrefix)
	})
	return known
}

// effect returns the changes of a contract by its legal event with a version.
func (s *streamChanges) effect(uti string, version int64) (all []change) {
	n := 0
	for s.legal[n].Version < version {
		n++
	}
	before, wrong := contractFields(uti, s.legal[:n])
	after, alsoWrong := contractFields(uti, s.legal[:n+1])
	if wrong != nil || alsoWrong != nil {
		return nil
	}
	for _, c := range after.since(before) {
		if c.Old != "" || strings.Trim(c.New, "0.") != "" { // not from nothing to zero
			all = append(all, c)
		}
	}
	return all
}

func (l *changeLog) stream(ctx context.Context, name string) (*streamChanges, error) {
	if s := l.streams[name]; s != nil {
		return s, nil
	}
	s := &streamChanges{bodies: map[uuid.UUID]fields{}, notes: map[int64]change{}}
	for r, err := range l.log.Stream(ctx, name) {
		if err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, l.codec, r)
		if err != nil {
			return nil, err
		}
		text, err := dataOf(r, e.Body)
		if err != nil {
			return nil, fmt.Errorf("stream %s, version %d: %w", name, r.Version, err)
		}
		if s.bodies[e.ID], err = fieldsOf(text); err != nil {
			return nil, err
		}
		s.events = append(s.events, e)
	}
	var parked *trade.Parked
	if s.legal, parked = trade.Legal(name, s.events); parked != nil {
		s.notes[parked.Version] = change{"parked", "", string(parked.Rule) + ": " + parked.Detail}
	}
	for _, k := range trade.Skips(name, s.events) {
		s.notes[k.Version] = change{"skipped", "", string(k.Rule) + ", by event " + k.By.String()}
	}
	l.streams[name] = s
	return s, nil
}

// contractFields returns the terms and the quantities of a contract after some events.
func contractFields(uti string, events []trade.Event) (fields, error) {
	f := fields{values: map[string]string{}}
	if len(events) == 0 {
		return f, nil
	}
	t, _ := trade.Fold(uti, events, trade.AsOf{})
	terms, err := session.JSON(t.Terms)
	if err != nil {
		return f, err
	}
	if f, err = fieldsOf(terms); err != nil {
		return f, err
	}
	for _, c := range []change{
		{Field: "status", New: string(t.Status)}, {Field: "open", New: t.Open.String()},
		{Field: "settled", New: t.Settled.String()}, {Field: "novated", New: t.Novated.String()},
		{Field: "exercised", New: t.Exercised.String()},
		{Field: "terminated", New: t.Terminated.String()},
		{Field: "settled_amount", New: t.Currency.Show(t.SettledAmount)},
	} {
		f.set(c.Field, c.New)
	}
	return f, nil
}
