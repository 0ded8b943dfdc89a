package kafkatest

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
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
}, {
	Check: check.Check{ID: "L2.66", Points: 3, Invariant: "L2.I3", Operation: appends, Title: "an append whose commit was not confirmed is decided anew, its version included",
		Misconception: "that an append is decided once, and what follows is only about getting it into the log: while nobody answered, somebody else may have written",
		Hint:          "behind the take-over ask Decide again, with the version that the caller expects: what landed gets receipts, and what did not may be a conflict by now"},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		t.holds("before anything happens", event(1))
		t.replacedAtCommit(recorded(batch(1, 2)...)[1])
		_, err := t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict, "an append whose commit did not land, and a rival wrote version 2 meanwhile")
		require.Equal(t, contract.ConflictError{Stream: stream, Expected: 1, Actual: 2}, *conflict)
		t.holds("after the rival's event", batch(1, 2)...)
	},
}, {
	Check: check.Check{ID: "L2.67", Points: 2, Invariant: "L2.I6", Operation: transact, Title: "a commit that is under way goes through though its caller gives up, and the caller is told how it ended",
		Misconception: "that who has gone needs no answer: a commit cannot be called back, and who does not listen makes of a certain outcome an uncertain one",
		Hint:          "commit and wait under context.WithoutCancel, and bound the wait by p.timeout"},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		t.slowCommit(giveUp)
		receipts, err := t.store.Append(ctx, stream, 1, event(2))
		t.Answered("Append", err)
		if t.answer.Assigned && errors.Is(err, context.Canceled) {
			receipts, err = t.append(1, event(2))
		}
		require.NoError(t, err, "an append whose caller gave up while it was committed")
		require.EqualValues(t, 2, receipts[0].Version)
		t.holds("after the commit", batch(1, 2)...)
	},
}, {
	Check: check.Check{ID: "L2.68", Points: 1, Invariant: "L2.I7", Operation: transact, Title: "who has receipts can read what they are of: an append waits until the last stable offset is past it",
		Misconception: "that what is committed can be seen: the coordinator answers when it has decided, and writes that into the partitions after it",
		Hint:          "behind the commit, producer.awaitVisible"},
	try: func(t *trial) {
		t.begin()
		shown := t.decidedLate(5)
		t.appended(0, event(1))
		require.True(t, shown.Load(), "it was asked, when the receipts came, whether readers can see the event")
		t.holds("after the append", event(1))
	},
}}

// decidedLate has the broker say a few times that the last stable offset is where the log begins, and then, in what it gives, that the truth was told.
func (t *trial) decidedLate(times int32) *atomic.Bool {
	var asked atomic.Int32
	var shown atomic.Bool
	t.cluster.ControlKey(int16(kmsg.ListOffsets), func(request kmsg.Request) (kmsg.Response, error, bool) {
		t.cluster.KeepControl()
		ask := request.(*kmsg.ListOffsetsRequest)
		if ask.IsolationLevel != 1 { // not of who reads what is committed
			return nil, nil, false
		}
		if asked.Add(1) > times {
			shown.Store(true)
			return nil, nil, false
		}
		return atTheBeginning(ask), nil, true
	})
	return &shown
}

// atTheBeginning answers offset 0 for all that is asked.
func atTheBeginning(ask *kmsg.ListOffsetsRequest) *kmsg.ListOffsetsResponse {
	answer := ask.ResponseKind().(*kmsg.ListOffsetsResponse)
	for _, topic := range ask.Topics {
		at := kmsg.NewListOffsetsResponseTopic()
		at.Topic = topic.Topic
		for _, p := range topic.Partitions {
			partition := kmsg.NewListOffsetsResponseTopicPartition()
			partition.Partition, partition.Offset = p.Partition, 0
			at.Partitions = append(at.Partitions, partition)
		}
		answer.Topics = append(answer.Topics, at)
	}
	return answer
}

// slowCommit calls meanwhile once a commit was asked for, and has the answer come some round trips after that: who listens for the
// end of meanwhile has heard of it by then.
func (t *trial) slowCommit(meanwhile func()) {
	side, err := kgo.NewClient(kgo.SeedBrokers(t.opts.Brokers...))
	require.NoError(t, err)
	t.Cleanup(side.Close)
	var asked atomic.Bool
	t.cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
		if asked.Swap(true) {
			return nil, nil, false
		}
		meanwhile()
		t.cluster.SleepControl(func() {
			for range 10 {
				_ = side.Ping(t.Context())
			}
		})
		return nil, nil, false
	})
}

// replacedAtCommit has a rival take over as soon as a commit is asked for, write an event and go away. Who asked hears nothing but an error.
func (t *trial) replacedAtCommit(e contract.Recorded) {
	var replaced atomic.Bool
	t.cluster.ControlKey(int16(kmsg.EndTxn), func(request kmsg.Request) (kmsg.Response, error, bool) {
		if replaced.Swap(true) { // it is the rival's, or of who comes then
			return nil, nil, false
		}
		t.cluster.SleepControl(func() {
			require.NoError(t, t.before(e).EndTransaction(t.Context(), kgo.TryCommit))
		})
		answer := request.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = kerr.UnknownServerError.Code
		return answer, nil, true
	})
}
