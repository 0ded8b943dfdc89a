// Package replay shows that history still leads to the archived states.
//
// A replay folds the log from its first event. It uses neither the rows nor the code of the
// projection. If its bytes equal an archived state, then the history before the snapshot's cursor
// still leads to that state. So no event that affects the state has changed since, and the two ways
// of deriving a state agree. If the bytes differ, Compare names the first line that differs, and
// Explain names the fields.
//
// A state is trades and positions. Some changes of history do not affect it: the actor and the
// reason of an event, a refusal, a price that was marked again later. The auditor of Lab 5 finds
// these.
//
// Package plain has the replay itself, and the archive of snapshots. It is built like the lab.
package replay

import (
	"context"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay/plain"
)

// A Replayer folds the log from scratch, and explains a difference.
type Replayer struct {
	replay.Replayer
	codec contract.Codec
}

var _ contract.Replayer = Replayer{}

// New returns a Replayer of events that codec decodes.
func New(codec contract.Codec) Replayer { return Replayer{replay.New(codec), codec} }

// stream returns the events of one stream before to, in version order.
func (r Replayer) stream(ctx context.Context, log contract.Reader, to contract.Cursor,
	stream string) (events []trade.Event, err error) {
	for recorded, err := range log.Read(ctx, nil, to) {
		if err != nil {
			return nil, fmt.Errorf("read the log up to %s: %w", to, err)
		}
		if recorded.Stream != stream {
			continue
		}
		e, err := contract.Decoded(ctx, r.codec, recorded)
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	return events, nil
}
