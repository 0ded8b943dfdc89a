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
	Check: check.Check{
		ID: "L2.39", Points: 1, Invariant: "L2.I2",
		Title:         "a batch of a thousand events is recorded whole and in order",
		Misconception: "that a batch of any size fits into one request",
		Hint: "split large batches within the store if the protocol has limits, and " +
			"still commit them as one",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 1000)
		t.append(stream, 0, batch...)
		requireEvents(t, 1, batch, t.stream(stream))
		requireEvents(t, 1, batch, t.read(nil, t.end()))
	},
}, {
	Check: check.Check{
		ID: "L2.54", Points: 1, Invariant: "L2.I2",
		Title: "the largest valid event is recorded",
		Misconception: "that the limits of a client library are those of the contract: they are " +
			"defaults, and can be raised",
		Hint: "raise the limits of the client to contract.MaxData and " +
			"contract.MaxAttribute",
	},
	try: func(t *trial) {
		batch := t.events.batch(stream, 2)
		for i := range batch {
			long := strings.Repeat("x", contract.MaxAttribute)
			batch[i].Actor, batch[i].Approver = long, long
			batch[i].Reason, batch[i].Source = long, long
			batch[i].Data = append(batch[i].Data,
				make([]byte, contract.MaxData-len(batch[i].Data))...)
		}
		t.append(stream, 0, batch...)
		requireEvents(t, 1, batch, t.stream(stream))
		requireEvents(t, 1, batch, t.read(nil, t.end()))
	},
}, {
	Check: check.Check{
		ID: "L2.53", Points: 1, Invariant: "L2.I1",
		Title:         "many streams that grow at the same time do not mix",
		Misconception: "that there are few streams: there is one for every trade",
		Hint:          "decide each stream by its own events only",
	},
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
		all := t.readAll()
		require.Len(t, all, streams)
		for _, e := range first {
			requireEvents(t, 1, []contract.Event{e}, all[e.Stream])
		}
	},
}}
