package kafkatest

import (
	"errors"
	"strconv"
	"sync"
	"sync/atomic"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// The end of the log is written before the appends, whose checks read up to it.
var ending = []spec{{
	Check: check.Check{
		ID: "L2.15", Points: 2, Invariant: "L2.I7", Operation: end,
		Title: "the end of the log lies before every open transaction",
		Misconception: "that the end lies after the last record. An open transaction may be " +
			"committed after a reader has passed its records",
		Hint: "section 4 of the guide names two ends; choose the one before the first open " +
			"transaction. kadm has a list of offsets for each; producer.awaitVisible uses the " +
			"right one",
		More: "offsets, err := s.admin.ListCommittedOffsets(ctx, s.events); return " +
			"s.cursor(offsets, err)",
	},
	try: func(t *trial) {
		t.begin()
		t.reopen(func() { t.commit(t.otherOwner(recorded(event(1))...)) })
		open := producer(t, t.opts, "somebody-else")
		topic, next := t.opts.Prefix+".events", recorded(batch(1, 3)...)[1:]
		require.NoError(t, open.BeginTransaction())
		r := record(topic, next[0])
		t.produce(open, r)
		to, err := t.store.End(t.Context())
		t.Answered("End", err)
		require.NoError(t, err)
		require.LessOrEqual(t, to.At(0), r.Offset,
			"the end of the log, while the transaction with the record at %d is open", r.Offset)
		t.commit(open)
		after, late := t.storeEnd(), []contract.Event{next[0].Event}
		check.Events(t, "the feed after that end", late, t.read(to, after))

		require.NoError(t, open.BeginTransaction())
		t.produce(open, record(topic, next[1]))
		require.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
		check.Events(t.Hint("readers get committed records only: the records of an aborted "+
			"transaction are no events"), "the feed after an aborted transaction", nil,
			t.read(after, t.storeEnd()))
	},
}}

// The head of a stream is in the transaction of its events.
var heading = []spec{{
	Check: check.Check{
		ID: "L2.21", Points: 2, Invariant: "L2.I2", Operation: appends,
		Title: "the head of a stream is written with its events, and is that of the last event",
		Misconception: "that the head can be written later, or for any event of the batch. It " +
			"describes the stream after the whole batch",
		Hint: "add headRecord of the last event to the transaction of the events",
		More: "head, err := o.headRecord(ctx, recorded[len(recorded)-1]); " +
			"o.producer.transact(ctx, append(o.records(recorded), head))",
	},
	try: func(t *trial) {
		t.begin()
		require.Nil(t, t.headOf(stream), "the head of a stream that does not exist")
		t.appended(0, batch(1, 3)...)
		t.headIs("after three events", 3, event(3))
		t.appended(3, event(4))
		t.headIs("after a fourth", 4, event(4))
		t.appended(1, batch(2, 3)...)
		t.headIs("after a retry", 4, event(4))
	},
}}

var failing = []spec{{
	Check: check.Check{
		ID: "L2.24", Points: 4, Invariant: "L2.I2", Operation: resolve,
		Title: "if the broker refuses one record of an append, none is recorded, and the append " +
			"succeeds later",
		Misconception: "that a batch is a loop over its events, and that the head can follow. If " +
			"one record fails, those before it are already recorded",
		Hint: "pass the head and all records of an append to one call of transact. After an " +
			"error " +
			"the index must have no event of the append",
		More: "resolve: o.leave(); an error that is neither errUnconfirmed nor fenced is " +
			"returned " +
			"as it is. append indexes the events only after transact has returned nil",
	},
	try: func(t *trial) {
		all := t
		t = all.hint("pass all records of an append to one call of transact: a batch is no loop " +
			"of transactions")
		t.begin()
		t.appended(0, event(1))
		large := batch(2, 4)
		large[1].Data = append(large[1].Data, make([]byte, 4096)...)
		retry := t.refused(".events", 2048, 1, large...)
		t.indexed("while the topic refuses one of the events", event(1))
		t.holds("while the topic refuses one of the events", event(1))
		t.headIs("while the topic refuses one of the events", 1, event(1))
		require.EqualValues(t, 4, retry()[2].Version)
		t.holds("after the topic accepts them", append(batch(1, 1), large...)...)

		t = all
		t.begin()
		t.appended(0, event(1))
		retry = t.refused(".heads", 1, 1, batch(2, 3)...)
		t.indexed("while the topic of heads refuses every record", event(1))
		t.holds("while the topic of heads refuses every record", event(1))
		t.headIs("while the topic of heads refuses every record", 1, event(1))
		require.EqualValues(t, 3, retry()[1].Version)
		t.holds("after the topic accepts them", batch(1, 3)...)
		t.headIs("after the topic accepts them", 3, event(3))
	},
}, {
	Check: check.Check{
		ID: "L2.25", Points: 3, Invariant: "L2.I6", Operation: resolve,
		Title: "a commit that landed without an answer is in the log once, and its caller gets " +
			"receipts",
		Misconception: "that an error means that nothing happened. For a commit it means only " +
			"that the answer is unknown",
		Hint: "after errUnconfirmed, whether fenced or not, take over from yourself (fence, " +
			"mark, read) and decide again: an event that landed is found by its id",
		More: "case errors.Is(cause, errUnconfirmed): return o.takeOver(ctx), with the cause in " +
			"its error. append is a loop, and a nil error of resolve begins it again",
	},
	try: func(t *trial) {
		t.lost(true, kerr.UnknownServerError)
		t.lost(true, kerr.ProducerFenced)
	},
}, {
	Check: check.Check{
		ID: "L2.26", Points: 3, Invariant: "L2.I9", Operation: resolve,
		Title: "a commit that did not land is done again after a fence, and is in the log once",
		Misconception: "that an unanswered commit can be sent again. Without a fence in between " +
			"both may land",
		Hint: "fence first: a transaction that has not landed by then never will. Do not write " +
			"the batch a second time before that",
		More: "test errUnconfirmed BEFORE isFenced: a commit that was answered with a fence may " +
			"have landed before it. After o.takeOver(ctx) the index has the answer",
	},
	try: func(t *trial) {
		t.lost(false, kerr.UnknownServerError)
		t.lost(false, kerr.ProducerFenced)
	},
}, {
	Check: check.Check{
		ID: "L2.28", Points: 2, Invariant: "L2.I9", Operation: resolve,
		Title: "a fenced owner writes nothing until it has taken over again and knows the new " +
			"events",
		Misconception: "that a new epoch is enough after a fence. Another owner has written, so " +
			"the index is out of date",
		Hint: "leave the partition and return ErrFenced. Take over before the next append is " +
			"decided, with the same fence, mark and read as at the start",
		More: "append begins with: if o.producer == nil, o.takeOver(ctx). resolve begins with " +
			"o.leave(), which sets it to nil",
	},
	try: func(t *trial) {
		t.fenced()
		_, err := t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict, "an append at version 1, after the rival wrote 2")
		require.EqualValues(t, 2, conflict.Actual, "the version that the rival wrote")
		t.holds("after the rival's event", batch(1, 2)...)
		require.EqualValues(t, 3, t.appended(2, event(3))[0].Version)
		t.holds("after both", batch(1, 3)...)

		t.fenced()
		receipts, err := t.again(2, event(4)) // by a caller that has read the rival's event
		require.NoError(t, err, "an append at version 2, which the rival wrote")
		require.EqualValues(t, 3, receipts[0].Version)
		t.holds("after that append", event(1), event(2), event(4))
	},
}}

// indexed requires that the index has these events, and none of an append that failed.
func (t *trial) indexed(when string, want ...contract.Event) {
	check.Events(t.Hint("add events to the index only after transact has returned nil: after an "+
		"error the index has none of them"), when+": the stream", want, eventsOf(t.stream()))
}

// fenced opens a store that a rival then fences. The rival writes version 2 and ends.
func (t *trial) fenced() {
	t.begin()
	t.appended(0, event(1))
	rival := t.otherOwner(recorded(batch(1, 2)...)[1])
	t.commit(rival)
	_, err := t.append(1, event(3))
	require.ErrorIs(t, err, contract.ErrFenced, "an append of an owner that was fenced")
}

// again appends. A store whose partitions are assigned appends again until it has its partition
// back.
func (t *trial) again(expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	receipts, err := t.append(expected, events...)
	for t.answer.Assigned && errors.Is(err, contract.ErrFenced) {
		receipts, err = t.append(expected, events...)
	}
	return receipts, err
}

// refused appends while a topic refuses records with more than the given number of bytes. It
// returns after the store has noticed, by an error or by a new fence. The returned function has the
// topic accept records again, and appends the same events until they are recorded.
func (t *trial) refused(
	topic string, bytes int, expected int64, events ...contract.Event,
) func() []contract.Receipt {
	t.configure(topic, "max.message.bytes", strconv.Itoa(bytes))
	var once sync.Once
	noticed := make(chan struct{})
	t.control(kmsg.InitProducerID, func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() { close(noticed) })
		return nil, nil, false
	})
	var receipts []contract.Receipt
	var err error
	returned := false
	answered := check.Go(t, func() {
		receipts, err = t.append(expected, events...)
		returned = true
	})
	select {
	case <-noticed:
	case <-answered:
	case <-t.Context().Done():
	}
	return func() []contract.Receipt {
		t.configure(topic, "max.message.bytes", "2097152")
		<-answered
		if !returned {
			t.FailNow() // it panicked, which Go has reported
		}
		if err == nil {
			return receipts
		}
		require.False(t.Hint("return ErrFenced only if isFenced(cause); return any other error "+
			"unchanged"), errors.Is(err, contract.ErrFenced),
			"the append returned ErrFenced; the broker refused a record, and no other owner exists")
		return t.hint("resolve begins with o.leave(), whatever the cause: a producer that failed "+
			"cannot be used again, and without one the next append takes over first").
			appended(expected, events...)
	}
}

// lost appends while the broker answers every commit with an error, whether it lands or not. No
// error tells which: the commit of a fenced owner may have landed before the fence, and the client
// learns only of the fence when it asks again.
func (t *trial) lost(landed bool, answer *kerr.Error) {
	t.begin()
	t.appended(0, event(1))
	side := producer(t, t.opts, "side")
	lost := t.loseCommits(side, landed, answer)
	receipts, err := t.again(1, batch(2, 3)...)
	require.Positive(t, lost.Load(), "commits without an outcome: an append is committed by EndTxn")
	require.NoError(t, err,
		"an append whose commit was answered with %s: the log has the outcome", answer.Message)
	require.Len(t, receipts, 2, "receipts")
	versions := []int64{receipts[0].Version, receipts[1].Version}
	require.Equal(t, []int64{2, 3}, versions, "versions in the receipts")
	after := t
	if !landed {
		after = t.hint("receipts promise that the events are in the log: after errUnconfirmed " +
			"the " +
			"log up to your own mark decides, and not the attempt")
	}
	after.holds("after the append", batch(1, 3)...)
	require.Equal(t, receipts, t.appended(1, batch(2, 3)...), "receipts of a retry")
	t.holds("after a retry", batch(1, 3)...)
	require.EqualValues(t, 4, t.appended(3, event(4))[0].Version)
	t.holds("after the next append", batch(1, 4)...)
}

// loseCommits has the broker answer every EndTxn with an error until a producer fences. If landed
// is true, the broker commits all the same.
func (t *trial) loseCommits(side *kgo.Client, landed bool, answer *kerr.Error) *atomic.Int32 {
	var lost atomic.Int32
	var fenced, inside atomic.Bool
	t.control(kmsg.InitProducerID, func(kmsg.Request) (kmsg.Response, error, bool) {
		fenced.Store(true)
		return nil, nil, false
	})
	t.control(kmsg.EndTxn, func(request kmsg.Request) (kmsg.Response, error, bool) {
		t.cluster.KeepControl()
		if fenced.Load() || inside.Load() {
			return nil, nil, false
		}
		if lost.Add(1) == 1 {
			inside.Store(true)
			t.cluster.SleepControl(func() {
				if landed {
					_, _ = request.(*kmsg.EndTxnRequest).RequestWith(t.Context(), side)
				}
				if answer == kerr.ProducerFenced {
					usurp(t, t.opts, 0) // so that the answer is true
				}
			})
			inside.Store(false)
		}
		return refuseCommit(request, answer), nil, true
	})
	return &lost
}

func refuseCommit(request kmsg.Request, err *kerr.Error) kmsg.Response {
	answer := request.ResponseKind().(*kmsg.EndTxnResponse)
	answer.ErrorCode = err.Code
	return answer
}
