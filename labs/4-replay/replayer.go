// Code generated from solutions/4-replay/plain/replayer.go by make generate; DO NOT EDIT.

package replay

import (
	"encoding/json"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Replayer folds the log from scratch. It uses neither the rows nor the code of the projection.
type Replayer struct{ codec contract.Codec }

var _ contract.Replayer = Replayer{}

// New returns a Replayer of events that codec decodes.
func New(codec contract.Codec) Replayer { return Replayer{codec} }

// Compare is the function Compare.
func (Replayer) Compare(archived, replayed []byte) error { return Compare(archived, replayed) }

// take appends an event to its stream. It refuses an event that does not have the next version: a
// replay without the missing event would vouch for another history.
func take(streams map[string][]trade.Event, r contract.Recorded, e trade.Event) error {
	if want := int64(len(streams[r.Stream])) + 1; r.Version != want {
		what := fmt.Sprintf("%s has version %d here, want %d", r.Stream, r.Version, want)
		return &contract.DamagedError{Position: r.Position, What: what}
	}
	streams[r.Stream] = append(streams[r.Stream], e)
	return nil
}

// effect returns everything that a state has of one stream, as bytes: the contract with its legs,
// or the marks of the curve. It is empty for other streams. The pools of a state follow from the
// legs of all contracts.
func effect(stream string, events []trade.Event) []byte {
	state := trade.StateOf(map[string][]trade.Event{stream: events}, trade.AsOf{})
	text := state.Canonical()
	for _, t := range state.Trades {
		legs, err := json.Marshal(t.Legs)
		if err != nil { // every field is plain data
			panic(fmt.Sprintf("replay: legs that do not marshal: %v", err))
		}
		text = append(text, legs...)
	}
	return text
}
