package kafkatest

import (
	"context"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// What interrupts the way back to a place that was lost.
var returning = []spec{{
	Check: check.Check{ID: "L2.65", Points: 2, Invariant: "L2.I9", Operation: appends, Title: "a take-over that breaks off leaves no place: the next append takes over from the beginning",
		Misconception: "that who has fenced has the place: until the log is read up to the mark, what is known is old",
		Hint:          "set o.producer last, once all steps are done; after an error of any of them close the new producer, and leave o.producer nil"},
	try: func(t *trial) {
		t.fenced()
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		t.cluster.ControlKey(int16(kmsg.Fetch), func(kmsg.Request) (kmsg.Response, error, bool) {
			giveUp() // as soon as the log is read: the fence and the mark are there
			t.cluster.DropControl()
			return nil, nil, false
		})
		_, err := t.store.Append(ctx, stream, 1, event(3))
		t.Answered("Append", err)
		require.Error(t, err, "an append whose caller gave up while the log was read")
		_, err = t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict, "the append after that one: the rival wrote version 2")
		t.holds("after the rival's event", batch(1, 2)...)
	},
}}
