package kafkatest

import (
	"context"
	"sync/atomic"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// Interruptions while an owner takes over again.
var returning = []spec{{
	Check: check.Check{
		ID: "L2.29", Points: 2, Invariant: "L2.I9", Operation: resolve,
		Title: "after a take-over that failed halfway, the next append takes over from the " +
			"first step",
		Misconception: "that an owner serves after its fence. Until it has read the log up to " +
			"its mark, its index is out of date",
		Hint: "set o.producer last, after all steps; after an error of any step close the new " +
			"producer, and leave o.producer nil",
		More: "in takeOver: keep the new producer in a variable; err = steps; if err != nil { " +
			"p.close(); return err }; o.producer = p",
	},
	try: func(t *trial) {
		t.fenced()
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		t.control(kmsg.Fetch, func(kmsg.Request) (kmsg.Response, error, bool) {
			giveUp() // when the log is read: after the fence and the mark
			t.cluster.DropControl()
			return nil, nil, false
		})
		_, err := t.store.Append(ctx, stream, 1, event(3))
		t.Answered("Append", err)
		require.Error(t, err, "an append whose caller gave up while the log was read")
		_, err = t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict, "the next append, after the rival wrote version 2")
		t.holds("after the rival's event", batch(1, 2)...)
	},
}, {
	Check: check.Check{
		ID: "L2.30", Points: 3, Invariant: "L2.I3", Operation: resolve,
		Title: "an append whose commit was not confirmed is decided again, with its expected " +
			"version",
		Misconception: "that an append is decided once, and only has to be written after that. " +
			"Another owner may have written meanwhile",
		Hint: "after the take-over call Decide again, with the version that the caller expects: " +
			"an append that landed gets receipts, and one that did not may now be a conflict",
		More: "for ctx.Err() == nil { take over if there is no producer; Decide with expected; " +
			"write; if err := o.resolve(ctx, err); err != nil, return it }",
	},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		t.holds("before anything happens", event(1))
		t.replacedAtCommit(recorded(batch(1, 2)...)[1])
		_, err := t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict,
			"an append whose commit did not land, where a rival wrote version 2 meanwhile")
		require.Equal(t, contract.ConflictError{Stream: stream, Expected: 1, Actual: 2}, *conflict)
		t.holds("after the rival's event", batch(1, 2)...)
	},
}}

// visibleLate has the broker answer a few times that the last stable offset is the beginning of the
// log. The returned flag is set when the broker has given the true answer.
func (t *trial) visibleLate(times int32) *atomic.Bool {
	var asked atomic.Int32
	var visible atomic.Bool
	t.control(kmsg.ListOffsets, func(request kmsg.Request) (kmsg.Response, error, bool) {
		t.cluster.KeepControl()
		ask := request.(*kmsg.ListOffsetsRequest)
		if ask.IsolationLevel != 1 { // not for read committed
			return nil, nil, false
		}
		if asked.Add(1) > times {
			visible.Store(true)
			return nil, nil, false
		}
		return atTheBeginning(ask), nil, true
	})
	return &visible
}

// atTheBeginning answers every question with offset 0.
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

// slowCommit calls meanwhile after a commit was requested, and delays the answer by some round
// trips, so that the effect of meanwhile reaches the store before the answer.
func (t *trial) slowCommit(meanwhile func()) {
	side := t.client()
	t.Cleanup(side.Close)
	var asked atomic.Bool
	t.control(kmsg.EndTxn, func(kmsg.Request) (kmsg.Response, error, bool) {
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

// replacedAtCommit has a rival take over as soon as a commit is requested, write an event and end.
// The answer to the commit is an error that does not mention the rival.
func (t *trial) replacedAtCommit(e contract.Recorded) {
	var replaced atomic.Bool
	t.control(kmsg.EndTxn, func(request kmsg.Request) (kmsg.Response, error, bool) {
		if replaced.Swap(true) { // the commit of the rival, or a later one
			return nil, nil, false
		}
		t.cluster.SleepControl(func() {
			t.commit(t.otherOwner(e))
		})
		return refuseCommit(request, kerr.UnknownServerError), nil, true
	})
}
