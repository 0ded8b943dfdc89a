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

var failing = []spec{{
	Check: check.Check{ID: "L2.64", Points: 2, Invariant: "L2.I2", Operation: appends, Title: "a batch of which the broker refuses one event leaves none of them",
		Misconception: "that a batch is a loop over its events: what failed in the middle has a first half",
		Hint:          "all records of an append, and the head, in one call of transact; after an error of it leave(), and take over before the next append. Only a commit that was asked for is errUnconfirmed, and only who was replaced is told ErrFenced: anything else goes to the caller as it is"},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		large := batch(2, 4)
		large[1].Data = append(large[1].Data, make([]byte, 4096)...)
		goesIn := t.refused(".events", 2048, 1, large...)
		t.holds("while the topic refuses one of the events", event(1))
		t.headIs("while the topic refuses one of the events", 1, event(1))
		require.EqualValues(t, 4, goesIn()[2].Version)
		t.holds("once it takes them", append(batch(1, 1), large...)...)
	},
}, {
	Check: check.Check{ID: "L2.58", Points: 2, Invariant: "L2.I2", Operation: appends, Title: "the head of a stream goes in with its events, and says where the stream stands",
		Misconception: "that the head can be written later, or of any event of the batch: it says where the stream stands once the batch is in",
		Hint:          "headRecord of the last event, in the same transaction as the events"},
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
}, {
	Check: check.Check{ID: "L2.59", Points: 3, Invariant: "L2.I2", Operation: appends, Title: "an event whose head is refused is not there either, and goes in once the head does",
		Misconception: "that the events are what counts and the head can follow: who reads heads then believes less than the log says",
		Hint:          "one call of transact with both; after an error nothing of it may be in the index, and the producer is of no more use: leave(), and take over before the next append"},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		goesIn := t.refused(".heads", 1, 1, batch(2, 3)...)
		t.holds("while the topic of heads refuses every record", event(1))
		t.headIs("while the topic of heads refuses every record", 1, event(1))
		require.EqualValues(t, 3, goesIn()[1].Version)
		t.holds("once it takes them", batch(1, 3)...)
		t.headIs("once it takes them", 3, event(3))
	},
}, {
	Check: check.Check{ID: "L2.60", Points: 2, Invariant: "L2.I7", Operation: end, Title: "the end of the log lies before every transaction that is not decided",
		Misconception: "that the end is behind the last record: what is not committed yet may be committed after a reader has passed it",
		Hint:          "section 4 has two ends; which of them lies before what is not decided yet? Of the lists of offsets that kadm can make, one is for each; producer.awaitVisible needs the same one"},
	try: func(t *trial) {
		t.begin()
		t.appended(0, event(1))
		open := producer(t, t.opts, "somebody-else")
		require.NoError(t, open.BeginTransaction())
		late := recorded(batch(1, 2)...)[1]
		r := record(t.opts.Prefix+".events", late)
		require.NoError(t, open.ProduceSync(t.Context(), r).FirstErr())
		to, err := t.store.End(t.Context())
		t.Answered("End", err)
		require.NoError(t, err)
		require.LessOrEqual(t, to.At(0), r.Offset, "the end of the log, while the record at %d is not decided", r.Offset)
		require.NoError(t, open.EndTransaction(t.Context(), kgo.TryCommit))
		after, err := t.store.End(t.Context())
		require.NoError(t, err)
		var got []contract.Event
		for e, err := range t.store.Read(t.Context(), to, after) {
			t.Answered("Read", err)
			require.NoError(t, err)
			got = append(got, e.Event)
		}
		check.Events(t, "what follows that end", []contract.Event{late.Event}, got)
		require.NoError(t, open.BeginTransaction())
		require.NoError(t, open.ProduceSync(t.Context(), record(t.opts.Prefix+".events", recorded(batch(1, 3)...)[2])).FirstErr())
		require.NoError(t, open.EndTransaction(t.Context(), kgo.TryAbort))
		to, err = t.store.End(t.Context())
		require.NoError(t, err)
		for e, err := range t.store.Read(t.Context(), after, to) {
			require.NoError(t, err)
			require.Fail(t, "an event of a transaction that was aborted", "version %d of %s", e.Version, e.Stream)
		}
	},
}, {
	Check: check.Check{ID: "L2.61", Points: 3, Invariant: "L2.I6", Operation: appends, Title: "a commit of which nothing was heard but an error, and which landed, is in the log once, and its caller gets its receipts",
		Misconception: "that an error means it did not happen: of a commit it means only that nobody told you",
		Hint:          "errUnconfirmed, whatever the error is, fenced or not: take over from yourself (fence, mark, read), then decide anew: what landed is found by its id"},
	try: func(t *trial) { t.lost(true, kerr.UnknownServerError); t.lost(true, kerr.ProducerFenced) },
}, {
	Check: check.Check{ID: "L2.62", Points: 3, Invariant: "L2.I9", Operation: appends, Title: "a commit of which nothing was heard but an error, and which did not land, is done again behind a fence, and is in the log once",
		Misconception: "that what was not answered can be sent again: without a fence in between both may land",
		Hint:          "what has not landed when you have fenced never will; until then, do not write it a second time"},
	try: func(t *trial) { t.lost(false, kerr.UnknownServerError); t.lost(false, kerr.ProducerFenced) },
}, {
	Check: check.Check{ID: "L2.63", Points: 2, Invariant: "L2.I9", Operation: appends, Title: "an owner that was fenced writes nothing more until it has taken over again, and then knows what came meanwhile",
		Misconception: "that being fenced is mended by a new epoch: somebody else has been writing, and what you know is old",
		Hint:          "give up the place, say ErrFenced, and take over before the next append decides anything: the same fence, mark and read as at the start"},
	try: func(t *trial) {
		t.fenced()
		_, err := t.again(1, event(3))
		conflict := new(contract.ConflictError)
		require.ErrorAs(t, err, &conflict, "the rival wrote version 2")
		require.EqualValues(t, 2, conflict.Actual, "the version that the rival wrote")
		t.holds("after the rival's event", batch(1, 2)...)
		require.EqualValues(t, 3, t.appended(2, event(3))[0].Version)
		t.holds("after both", batch(1, 3)...)

		t.fenced()
		receipts, err := t.again(2, event(4)) // of somebody who has seen what the rival wrote
		require.NoError(t, err, "an append at version 2, which the rival wrote")
		require.EqualValues(t, 3, receipts[0].Version)
		t.holds("after that append", event(1), event(2), event(4))
	},
}}

// fenced is an owner whose place somebody else took, who wrote version 2 and went away.
func (t *trial) fenced() {
	t.begin()
	t.appended(0, event(1))
	rival := t.before(recorded(batch(1, 2)...)[1])
	require.NoError(t, rival.EndTransaction(t.Context(), kgo.TryCommit))
	_, err := t.append(1, event(3))
	require.ErrorIs(t, err, contract.ErrFenced, "an append of an owner that lost its place")
}

// again appends; where the place is assigned, until the store has it again.
func (t *trial) again(expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	receipts, err := t.append(expected, events...)
	for t.answer.Assigned && errors.Is(err, contract.ErrFenced) {
		receipts, err = t.append(expected, events...)
	}
	return receipts, err
}

// refused appends while a topic refuses records of more than so many bytes. It comes back once the store has noticed: it answers with an
// error, or it fences anew and tries on. What it gives has the topic take records again, and appends the same until it is in.
func (t *trial) refused(topic string, bytes int, expected int64, events ...contract.Event) func() []contract.Receipt {
	t.configure(topic, "max.message.bytes", strconv.Itoa(bytes))
	var once sync.Once
	noticed := make(chan struct{})
	t.cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		once.Do(func() { close(noticed) })
		return nil, nil, false
	})
	type answer struct {
		receipts []contract.Receipt
		err      error
	}
	answers := make(chan answer, 1)
	go func() {
		receipts, err := t.append(expected, events...)
		answers <- answer{receipts, err}
		once.Do(func() { close(noticed) })
	}()
	select {
	case <-noticed:
	case <-t.Context().Done():
	}
	return func() []contract.Receipt {
		t.configure(topic, "max.message.bytes", "2097152")
		first := <-answers
		if first.err == nil {
			return first.receipts
		}
		require.False(t, errors.Is(first.err, contract.ErrFenced), "the append was told ErrFenced: the broker refused it, and nobody else has come")
		return t.appended(expected, events...)
	}
}

// lost appends while every commit is answered with an error, whether it lands or not. No error tells which: one who is fenced may have landed
// before that, and hear of it when the client asks for the second time.
func (t *trial) lost(landed bool, answer *kerr.Error) {
	t.begin()
	t.appended(0, event(1))
	side := producer(t, t.opts, "side")
	lost := t.loseCommits(side, landed, answer)
	receipts, err := t.again(1, batch(2, 3)...)
	require.Positive(t, lost.Load(), "commits whose outcome was not told: an append is committed by EndTxn")
	require.NoError(t, err, "an append whose commit was answered with %s: the log can be asked what became of it", answer.Message)
	require.Len(t, receipts, 2, "receipts")
	require.Equal(t, []int64{2, 3}, []int64{receipts[0].Version, receipts[1].Version}, "versions that the caller was told")
	t.holds("after the append", batch(1, 3)...)
	require.Equal(t, receipts, t.appended(1, batch(2, 3)...), "receipts of a retry")
	t.holds("after a retry", batch(1, 3)...)
	require.EqualValues(t, 4, t.appended(3, event(4))[0].Version)
	t.holds("after the next append", batch(1, 4)...)
}

// loseCommits has the broker answer every EndTxn with an error, whether it does what was asked or not, until somebody fences.
func (t *trial) loseCommits(side *kgo.Client, landed bool, says *kerr.Error) *atomic.Int32 {
	var lost atomic.Int32
	var fenced, inside atomic.Bool
	t.cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
		fenced.Store(true)
		return nil, nil, false
	})
	t.cluster.ControlKey(int16(kmsg.EndTxn), func(request kmsg.Request) (kmsg.Response, error, bool) {
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
				if says == kerr.ProducerFenced {
					usurp(t, t.opts, 0) // and it is true
				}
			})
			inside.Store(false)
		}
		answer := request.ResponseKind().(*kmsg.EndTxnResponse)
		answer.ErrorCode = says.Code
		return answer, nil, true
	})
	return &lost
}
