package explain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// Without returns a history without some events. An event goes with its consequences: its
// corrections, its skip, the events of its follow-ups and, if it begins a contract, all events of
// that contract. An event that is illegal without them parks its stream. An error names an event
// that is not in the history.
func Without(
	streams map[string][]trade.Event, events ...uuid.UUID,
) (map[string][]trade.Event, error) {
	byID := map[uuid.UUID]placed{}
	for _, e := range recorded(streams) {
		byID[e.ID] = e
	}
	out := map[uuid.UUID]bool{}
	for len(events) > 0 {
		e, known := byID[events[0]]
		if !known {
			return nil, fmt.Errorf("no event %s of a trade or a curve is on record", events[0])
		}
		events = events[1:]
		if out[e.ID] {
			continue
		}
		out[e.ID] = true
		for _, id := range consequences(e, streams[e.stream]) {
			if _, known := byID[id]; known {
				events = append(events, id)
			}
		}
	}
	rest := map[string][]trade.Event{}
	for _, stream := range slices.Sorted(maps.Keys(streams)) {
		rest[stream] = slices.DeleteFunc(slices.Clone(streams[stream]), func(e trade.Event) bool {
			return out[e.ID]
		})
	}
	return rest, nil
}

// consequences returns the ids of the events that an event leads to at once.
func consequences(e placed, history []trade.Event) (ids []uuid.UUID) {
	_, begins := e.Body.(trade.New)
	upTo := slices.DeleteFunc(slices.Clone(history), func(o trade.Event) bool {
		return o.Version > e.Version
	})
	for _, o := range history {
		skip, _ := o.Body.(trade.EventSkipped)
		if o.Corrects == e.ID || skip.Event == e.ID || begins && e.Corrects == uuid.Nil {
			ids = append(ids, o.ID)
		}
	}
	if uti, ok := strings.CutPrefix(e.stream, trade.TradeStream("")); ok {
		for _, c := range trade.FollowUps(uti, upTo, e.Event) {
			ids = append(ids, trade.EventID(c.ID, 0))
		}
	}
	return ids
}

// With returns a history with the events of commands, and of their follow-ups. They are decided
// after the history, one after the other. Each is recorded when it was entered, or a microsecond
// after the last event if that is later. An error names the command that is refused, or that is on
// record.
func With(
	streams map[string][]trade.Event, commands ...trade.Command,
) (map[string][]trade.Event, error) {
	d := drafted{map[string][]trade.Event{}, map[uuid.UUID]bool{}, time.Time{}}
	maps.Copy(d.streams, streams)
	for _, e := range recorded(streams) {
		d.ids[e.ID], d.last = true, e.RecordedAt
	}
	for _, c := range commands {
		if err := d.decide(c); err != nil {
			return nil, fmt.Errorf("command %s: %w", c.ID, err)
		}
	}
	return d.streams, nil
}

// drafted is a history that commands are added to.
type drafted struct {
	streams map[string][]trade.Event
	ids     map[uuid.UUID]bool
	last    time.Time // of recording
}

func (d *drafted) decide(c trade.Command) error {
	id, stream := trade.EventID(c.ID, 0), c.Stream()
	if d.ids[id] {
		return fmt.Errorf("its event %s is on record", id)
	}
	decision, err := trade.Decide(d.streams, c)
	if err != nil {
		return err
	}
	if d.last = d.last.Add(time.Microsecond); c.EnteredAt.After(d.last) {
		d.last = c.EnteredAt
	}
	history := slices.Clone(d.streams[stream])
	e := trade.Event{
		ID: id, Version: 1, Corrects: decision.Corrects, EffectiveAt: decision.EffectiveAt,
		EnteredAt: c.EnteredAt, RecordedAt: d.last, Actor: c.Actor, Body: decision.Body,
	}
	for _, o := range history {
		e.Version = max(e.Version, o.Version+1)
	}
	d.ids[id], d.streams[stream] = true, append(history, e)
	for _, next := range trade.FollowUps(c.UTI, d.streams[stream], e) {
		if err := d.decide(next); err != nil {
			return fmt.Errorf("its follow-up on %s: %w", next.UTI, err)
		}
	}
	return nil
}
