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
	heads map[string]contract.Receipt // the last event of each stream that exists
	ids   map[uuid.UUID]store.Outcome
}

var _ store.Known = (*known)(nil)

func (k *known) Version(stream string) int64 { return k.heads[stream].Version }

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
	head := k.heads[a.stream]
	for i, e := range a.events {
		head = contract.Receipt{Version: head.Version + 1, RecordedAt: contract.Stamp(clock, head.RecordedAt)}
		receipts = append(receipts, head)
		rows[i] = row{Event: e, Receipt: head, digest: e.ContentDigest()}
		k.ids[e.ID] = store.Outcome{Stream: a.stream, Digest: rows[i].digest, Receipt: head}
	}
	k.heads[a.stream] = head
	return outcome{receipts: receipts}, rows
}
