package storetest

import (
	"context"
	"fmt"
	"strings"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var scale = []spec{{
	Check: check.Check{ID: "L2.24", Points: 1, Invariant: "L2.I2", Title: "a batch of a thousand events goes in whole, and in order",
		Misconception: "that a batch fits into a request because mine did",
		Hint:          "limits of a protocol (parameters of a statement, bytes of a request) are the store's affair"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 1000)
		t.append(stream, 0, batch...)
		holds(t, 1, batch, t.stream(stream))
		holds(t, 1, batch, t.read(nil, t.end()))
	},
}, {
	Check: check.Check{ID: "L2.30", Points: 1, Invariant: "L2.I2", Title: "the largest event that is valid goes in",
		Misconception: "that the limits of a client are those of the contract: they are defaults, and can be raised",
		Hint:          "contract.MaxData and contract.MaxAttribute; limits below them must be raised, not met"},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		for i := range batch {
			long := strings.Repeat("x", contract.MaxAttribute)
			batch[i].Actor, batch[i].Approver, batch[i].Reason, batch[i].Source = long, long, long, long
			batch[i].Data = append(batch[i].Data, make([]byte, contract.MaxData-len(batch[i].Data))...)
		}
		t.append(stream, 0, batch...)
		holds(t, 1, batch, t.stream(stream))
		holds(t, 1, batch, t.read(nil, t.end()))
	},
}, {
	Check: check.Check{ID: "L2.25", Points: 1, Invariant: "L2.I1", Title: "many streams that grow at once do not mix",
		Misconception: "that streams are few: there is one for every trade",
		Hint:          "what is decided for one stream must not depend on another"},
	try: func(t *trial) {
		const streams = 200
		var first []contract.Event
		for i := range streams {
			first = append(first, t.events.next(fmt.Sprintf("trade/UTI-%d", i)))
		}
		for _, err := range t.race(first, func(ctx context.Context, e contract.Event) error {
			_, err := t.store.Append(ctx, e.Stream, 0, e)
			return err
		}) {
			require.NoError(t, err)
		}
		whole := t.whole()
		require.Len(t, whole, streams)
		for _, e := range first {
			holds(t, 1, []contract.Event{e}, whole[e.Stream])
		}
	},
}}
