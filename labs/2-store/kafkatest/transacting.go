package kafkatest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// The checks of one transaction need no store: they call transact on a producer that has fenced.
var transacting = []spec{{
	Check: check.Check{
		ID: "L2.6", Points: 2, Invariant: "L2.I2", Operation: transact,
		Title: "a transaction writes all of its records, in both topics, or none",
		Misconception: "that the accepted records of a transaction are better than none. A " +
			"reader would see an event without its head",
		Hint: "begin, produce all records, commit; if produce fails, return its error, and do " +
			"not commit",
		More: "p.client.BeginTransaction(); p.produce(ctx, records); " +
			"p.client.EndTransaction(ctx, kgo.TryCommit): each error returns. The next fence " +
			"aborts the records that were produced",
	},
	try: func(t *trial) {
		t.topics()
		require.NoError(t, t.transact(t.Context(), t.pair(1)...), "a transaction")
		t.same("committed records", "1 of events, 1 of heads", t.counts())
		t.configure(".heads", "max.message.bytes", "1")
		err := t.transact(t.Context(), t.pair(2)...)
		require.Error(t, err, "a transaction, where the topic of heads refuses every record")
		t.same("committed records, after one of two topics refused its record",
			"1 of events, 1 of heads", t.counts())
	},
}, {
	Check: check.Check{
		ID: "L2.7", Points: 3, Invariant: "L2.I9", Operation: transact,
		Title: "an error says whether the transaction may have landed: errUnconfirmed if the " +
			"commit " +
			"was requested, no errUnconfirmed before that",
		Misconception: "that an error means that nothing happened. For a commit it means only " +
			"that the answer is unknown",
		Hint: "wrap errUnconfirmed around every error of EndTransaction, and around no error of " +
			"an earlier step",
		More: "if err := p.client.EndTransaction(ctx, kgo.TryCommit); err != nil { return " +
			"fmt.Errorf(\"%w: %w\", errUnconfirmed, err) }",
	},
	try: func(t *trial) {
		t.topics()
		t.configure(".heads", "max.message.bytes", "1")
		err := t.transact(t.Context(), t.pair(1)...)
		require.Error(t, err, "a transaction, where the topic of heads refuses every record")
		require.False(t.Hint("no commit was requested, so this transaction never lands: return "+
			"the "+
			"error of produce without errUnconfirmed"), errors.Is(err, t.answer.Unconfirmed),
			"a record was refused, and transact returned errUnconfirmed")
		t.configure(".heads", "max.message.bytes", "2097152")
		refuse := t.refuseCommits()
		for _, answer := range []*kerr.Error{kerr.UnknownServerError, kerr.ProducerFenced} {
			refuse(answer)
			err := t.transact(t.Context(), t.pair(2)...)
			require.ErrorIs(t, err, t.answer.Unconfirmed,
				"a transaction whose commit was answered with %s", answer.Message)
		}
	},
}, {
	Check: check.Check{
		ID: "L2.8", Points: 2, Invariant: "L2.I6", Operation: transact,
		Title: "a commit in flight goes on after its caller gives up, and the caller gets the " +
			"outcome",
		Misconception: "that a caller that gave up needs no answer. A commit cannot be taken " +
			"back, and without its answer a known outcome becomes unknown",
		Hint: "commit and wait under context.WithoutCancel, and bound the wait by p.timeout",
		More: "first line: ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), " +
			"p.timeout); second line: defer cancel()",
	},
	try: func(t *trial) {
		t.topics()
		ctx, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		t.slowCommit(giveUp)
		err := t.transact(ctx, t.pair(1)...)
		require.NoError(t, err, "a transaction whose caller gave up while it was committed")
		t.same("committed records", "1 of events, 1 of heads", t.counts())
	},
}, {
	Check: check.Check{
		ID: "L2.9", Points: 1, Invariant: "L2.I7", Operation: transact,
		Title: "a transaction returns after the last stable offset is past its records",
		Misconception: "that readers see a commit as soon as it is answered. The coordinator " +
			"answers first, and writes the commit into the partitions after that",
		Hint: "call producer.awaitVisible after the commit",
		More: "if err := p.awaitVisible(ctx, records); err != nil: the commit is unconfirmed, too",
	},
	try: func(t *trial) {
		t.topics()
		visible := t.visibleLate(5)
		require.NoError(t, t.transact(t.Context(), t.pair(1)...), "a transaction")
		require.True(t, visible.Load(),
			"the transaction asked, before it returned, whether readers can see its records")
	},
}}

// topics starts the broker and creates the two topics, without a store.
func (t *trial) topics() {
	t.start()
	client := t.client()
	defer client.Close()
	for _, topic := range []string{".events", ".heads"} {
		_, err := kadm.NewClient(client).CreateTopic(t.Context(), 1, 1, nil, t.opts.Prefix+topic)
		require.NoError(t, err)
	}
}

// transact has the answer write records in one transaction, on a new producer that has fenced.
func (t *trial) transact(ctx context.Context, records ...*kgo.Record) error {
	err := t.answer.Transact(ctx, t.opts, records...)
	t.Answered("transact", err)
	return err
}

// pair returns the records of event(n) and of the head of its stream.
func (t *trial) pair(n int) []*kgo.Record {
	e := recorded(event(n))[0]
	return []*kgo.Record{record(t.opts.Prefix+".events", e), t.headRecord(e)}
}

// headRecord returns the record of the head of a stream whose last event is e.
func (t *trial) headRecord(e contract.Recorded) *kgo.Record {
	value, err := json.Marshal(headOf(e))
	require.NoError(t, err)
	return &kgo.Record{Topic: t.opts.Prefix + ".heads", Key: []byte(e.Stream), Value: value}
}

// headOf returns the head of a stream whose last event is e.
func headOf(e contract.Recorded) contract.Head {
	return contract.Head{
		Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt,
		Digest: e.ContentDigest(), Ended: e.Ends,
	}
}

// counts returns the numbers of committed records in the two topics, in words.
func (t *trial) counts() string {
	events, heads := t.committed(".events"), t.committed(".heads")
	return fmt.Sprintf("%d of events, %d of heads", len(events), len(heads))
}

// refuseCommits has the broker answer every commit with the error that was last passed to refuse.
func (t *trial) refuseCommits() (refuse func(*kerr.Error)) {
	var answer atomic.Pointer[kerr.Error]
	t.control(kmsg.EndTxn, func(request kmsg.Request) (kmsg.Response, error, bool) {
		t.cluster.KeepControl()
		return refuseCommit(request, answer.Load()), nil, true
	})
	return answer.Store
}
