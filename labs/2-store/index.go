// Code generated from solutions/2-store/plain/index.go by make generate; DO NOT EDIT.

package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// An index finds events by id and by stream. It is derived: it holds only events that were read
// from the log or whose commit was confirmed, in the order of the log. So it can be rebuilt at any
// time.
type index struct {
	ids     map[uuid.UUID]contract.Recorded
	streams map[string][]contract.Recorded // by version - 1
}

func newIndex() *index {
	return &index{
		ids:     map[uuid.UUID]contract.Recorded{},
		streams: map[string][]contract.Recorded{},
	}
}

// find returns the recorded event with this id, if there is one.
func (x *index) find(id uuid.UUID) (contract.Recorded, bool) {
	e, ok := x.ids[id]
	return e, ok
}

// last returns the last event of a stream, the zero value for an unknown stream.
func (x *index) last(stream string) contract.Recorded {
	events := x.streams[stream]
	if len(events) == 0 {
		return contract.Recorded{}
	}
	return events[len(events)-1]
}

// add adds a committed event. If the event does not follow the last event of its stream, another
// program wrote to the log, and the error is *contract.DamagedError.
func (x *index) add(e contract.Recorded) error {
	last := x.last(e.Stream)
	if e.Version != last.Version+1 || last.Ends {
		return &contract.DamagedError{Position: e.Position, What: fmt.Sprintf(
			"version %d of %s follows its version %d", e.Version, e.Stream, last.Version)}
	}
	x.ids[e.ID] = e
	x.streams[e.Stream] = append(x.streams[e.Stream], e)
	return nil
}

func receipt(e contract.Recorded) contract.Receipt {
	return contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}
}
