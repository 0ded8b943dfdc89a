// Code generated from solutions/2-store/plain/index.go by make generate; DO NOT EDIT.

package store

import (
	"fmt"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// An index is what of the log must be found. It is derived: whatever is in it was read from the log, or was seen to be committed,
// and in the order of the log. So it can be thrown away at any time.
type index struct {
	ids     map[uuid.UUID]contract.Recorded
	streams map[string][]contract.Recorded // by version - 1
}

func newIndex() *index {
	return &index{ids: map[uuid.UUID]contract.Recorded{}, streams: map[string][]contract.Recorded{}}
}

// find is the event with this id, if it is recorded.
func (x *index) find(id uuid.UUID) (contract.Recorded, bool) {
	e, ok := x.ids[id]
	return e, ok
}

// last is the last event of a stream, the zero value if there is none.
func (x *index) last(stream string) contract.Recorded {
	events := x.streams[stream]
	if len(events) == 0 {
		return contract.Recorded{}
	}
	return events[len(events)-1]
}

// add takes an event that is committed. One that does not follow its stream's last says that somebody went around the
// store: *contract.DamagedError.
func (x *index) add(e contract.Recorded) error {
	last := x.last(e.Stream)
	if e.Version != last.Version+1 || last.Ends {
		return &contract.DamagedError{Position: e.Position, What: fmt.Sprintf("version %d of %s behind its version %d", e.Version, e.Stream, last.Version)}
	}
	x.ids[e.ID] = e
	x.streams[e.Stream] = append(x.streams[e.Stream], e)
	return nil
}

func receipt(e contract.Recorded) contract.Receipt {
	return contract.Receipt{Version: e.Version, RecordedAt: e.RecordedAt}
}
