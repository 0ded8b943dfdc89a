package chaos

import (
	"bytes"
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// namespace is that of the ids that a seed gives.
var namespace = uuid.MustParse("6a1c1f0e-9d0f-4b7e-8f37-0c6f2f6d1b11")

// idOf is the id of the nth event of a client.
func idOf(seed uint64, client, n int) uuid.UUID {
	return uuid.NewSHA1(namespace, fmt.Appendf(nil, "%d/%d/%d", seed, client, n))
}

// event is the one with an id. Its content follows from that, so that a request need not carry it, and anybody can tell whether it was
// changed. Some are small, some take a page of a file.
func event(stream string, id uuid.UUID) contract.Event {
	return contract.Event{
		ID: id, Stream: stream, Type: "trade.amended", Schema: 1,
		EffectiveAt: time.Date(2025, 3, 30, 12, 0, int(id[1]), 0, time.UTC),
		Actor:       "desk-7", Reason: "chaos", Source: "blotter/chaos",
		Data: append([]byte{0, 0, 0, 0, 1}, bytes.Repeat(id[:], 1+int(id[2])*int(id[2])/256)...),
	}
}

// seen is e as the history keeps it.
func seen(e contract.Recorded) Seen {
	return Seen{
		ID: e.ID, Stream: e.Stream, Version: e.Version, RecordedAt: e.RecordedAt, Position: e.Position,
		Altered: e.ContentDigest() != event(e.Stream, e.ID).ContentDigest(),
	}
}
