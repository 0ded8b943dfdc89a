package postgres

import (
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

// known is what the log says of the streams and ids of a group of appends, at the moment it was read. Deciding needs nothing
// else, so it is plain code without a database; that the log has not moved since, the unique constraints tell at the insert.
type known struct {
	heads map[string]head // of each stream that exists
	ids   map[uuid.UUID]store.Outcome
}

// A head is the last event of a stream.
type head struct {
	contract.Receipt
	ended bool
}

var _ store.Known = (*known)(nil)

func (k *known) Version(stream string) (int64, bool) {
	return k.heads[stream].Version, k.heads[stream].ended
}

func (k *known) Outcome(id uuid.UUID) (store.Outcome, bool) {
	o, ok := k.ids[id]
	return o, ok
}

// decide gives the outcome of one append, and the rows that have to be written for it to become true: none for an error, or for
// content that is there already. What it decides is known to the next append of the group, which is written in the
// same transaction.
func (k *known) decide(a *appending, clock time.Time) (outcome, []row) {
	receipts, err := store.Decide(k, a.stream, a.expected, a.events)
	if err != nil || receipts != nil {
		return outcome{receipts, err}, nil
	}
	rows := make([]row, len(a.events))
	last := k.heads[a.stream]
	for i, e := range a.events {
		last = head{contract.Receipt{Version: last.Version + 1, RecordedAt: contract.Stamp(clock, last.RecordedAt)}, e.Ends}
		receipts = append(receipts, last.Receipt)
		rows[i] = row{Event: e, Receipt: last.Receipt, digest: a.digests[i]}
		k.ids[e.ID] = store.Outcome{Stream: a.stream, Digest: rows[i].digest, Receipt: last.Receipt}
	}
	k.heads[a.stream] = last
	return outcome{receipts: receipts}, rows
}
