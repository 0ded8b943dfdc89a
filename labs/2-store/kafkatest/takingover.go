package kafkatest

import (
	"encoding/json"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var takingOver = []spec{{
	Check: check.Check{
		ID: "L2.10", Points: 2, Invariant: "L2.I9", Operation: takeover,
		Title: "a transaction that a dead owner left open is aborted, and blocks no reader",
		Misconception: "that a dead owner has no effect. Its open transaction blocks all " +
			"readers until it times out, and may still be committed until then",
		Hint: "fence with the transactional id of the earlier owner (newProducer has it): that " +
			"aborts its open transaction, and it can commit no more",
		More: "p, err := o.s.newProducer(o.partition); p.fence(ctx) is the first step; after an " +
			"error of any step, p.close()",
	},
	try: func(t *trial) {
		t.begin()
		var dead *kgo.Client
		t.reopen(func() { dead = t.otherOwner(recorded(event(1))...) })
		require.Empty(t.Hint("read committed records only, as catchUp does: records of an open or "+
			"an aborted transaction are no events"), t.stream(), "events that were not committed")
		require.Error(t, dead.EndTransaction(t.Context(), kgo.TryCommit), "the dead owner commits")
		t.holds("after the dead owner tried to commit")
	},
}, {
	Check: check.Check{
		ID: "L2.11", Points: 2, Invariant: "L2.I2", Operation: takeover,
		Title: "an owner marks both topics in one transaction, or neither",
		Misconception: "that two transactions, one right after the other, are as good as one. A " +
			"crash between them leaves the first one alone",
		Hint: "pass both marks to one call of transact",
		More: "events, heads := o.marks(); transact(ctx, []*kgo.Record{events, heads}); the " +
			"offset of each mark is where the reading of its topic ends",
	},
	try: func(t *trial) {
		t.begin()
		t.same("marks of the first owner in the two topics", "1 of events, 1 of heads", t.counts())
		require.NoError(t, t.store.Close())
		t.configure(".heads", "max.message.bytes", "1")
		s, err := t.answer.Open(t.Context(), t.opts)
		t.Answered("Reopen", err)
		if err == nil {
			_ = s.Close()
		}
		require.Error(t, err, "taking over, where the topic of heads refuses every record")
		t.same("marks in the two topics, after one of them refused the mark of the second owner",
			"1 of events, 1 of heads", t.counts())
	},
}, {
	Check: check.Check{
		ID: "L2.12", Points: 2, Invariant: "L2.I6", Operation: takeover,
		Title: "a new owner knows all events that earlier owners committed",
		Misconception: "that an owner can read an event when it is asked for. An append must " +
			"know every id before it writes",
		Hint: "read the partition from its beginning up to your own mark (catchUp), BEFORE you " +
			"serve",
		More: "after the mark: o.catchUp(ctx, events.Offset). It fills the index, o.next and " +
			"o.last",
	},
	try: func(t *trial) {
		t.begin()
		history := recorded(batch(1, 3)...)
		t.reopen(func() {
			t.commit(t.otherOwner(history...))
		})
		t.holds("after taking over", eventsOf(history)...)
		for _, want := range history {
			got, err := t.find(want.ID)
			require.NoError(t, err)
			require.Equal(t, want.Version, got.Version)
			require.Equal(t, want.RecordedAt, got.RecordedAt)
		}
	},
}, {
	Check: check.Check{
		ID: "L2.13", Points: 3, Invariant: "L2.I9", Operation: takeover,
		Title: "a new owner knows the events that the earlier owner commits at the last moment",
		Misconception: "that an owner can read first and fence after that, or read to the end " +
			"of the log. It would miss events, and give their versions a second time",
		Hint: "fence, mark, read, in this order: the log stops changing only after the fence, " +
			"and only your own mark lies after all earlier events",
		More: "o.catchUp(ctx, events.Offset) with the Offset that transact has filled in, not " +
			"with " +
			"an end that you asked for",
	},
	try: func(t *trial) {
		t.begin()
		t.reopen(func() {
			earlier := t.otherOwner(recorded(event(1))...)
			t.control(kmsg.InitProducerID, func(kmsg.Request) (kmsg.Response, error, bool) {
				t.cluster.SleepControl(func() { // the last possible moment: just before the fence
					t.commit(earlier)
				})
				t.cluster.DropControl()
				return nil, nil, false
			})
		})
		t.holds("after taking over", event(1))
		t.reopen(func() { t.commitAfterOpen(recorded(batch(1, 2)...)[1]) })
		t.holds("after taking over, where the earlier owner had committed after the records of "+
			"another program's open transaction", batch(1, 2)...)
	},
}, {
	Check: check.Check{
		ID: "L2.14", Points: 2, Invariant: "L2.I6", Operation: heads,
		Title: "a take-over rewrites the heads that differ from the log",
		Misconception: "that the compacted topic is the state and the log its history. The " +
			"heads are derived, and may be wrong or missing",
		Hint: "compare each stream's head with headOf its last event, all of it; a head that " +
			"cannot be decoded differs",
		More: "for each last event: if found[last.Stream].Head != headOf(last), add " +
			"o.headRecord(ctx, last) to the records; delete the stream from found. A tombstone " +
			"for each head that is left. One transact for all, if there are any",
	},
	try: func(t *trial) {
		t.begin()
		history := recorded(batch(1, 3)...)
		first, last := history[0].ID, history[2]
		want := headOf(last)
		changed := func(change func(*contract.Head)) contract.Head {
			head := want
			change(&head)
			return head
		}
		for _, found := range []struct {
			name string
			head any
		}{
			{"no head", nil},
			{"a head of another version", changed(func(h *contract.Head) { h.Version = 9 })},
			{"a head of another event", changed(func(h *contract.Head) { h.EventID = first })},
			{"a head with another time", changed(func(h *contract.Head) { h.RecordedAt = noon })},
			{"a head with another digest", changed(func(h *contract.Head) { h.Digest[0]++ })},
			{"a head of an ended stream", changed(func(h *contract.Head) { h.Ended = true })},
			{"a head that cannot be decoded", "?"},
		} {
			t.reopen(func() {
				if found.head == nil {
					t.commit(t.ownerWithoutHead(history...))
					return
				}
				t.writeHead(stream, found.head)
				t.writeHead("trade/NONE", want)
			})
			t.hint("the log is the truth: a head never decides which events the index has").
				holds("where there was "+found.name, eventsOf(history)...)
			got := t.headOf(stream)
			what := fmt.Sprintf("the head of %s, where there was %s", stream, found.name)
			require.NotNil(t.Hint("write the head of each of o.lastEvents() that is missing in "+
				"found"),
				got, what)
			t.same(what, inWords(want), inWords(*got))
			orphan := ""
			if h := t.headOf("trade/NONE"); h != nil {
				orphan = inWords(*h)
			}
			t.hint("the heads that are left in found belong to no stream: write "+
				"o.tombstone(stream) for each that is not deleted yet").
				same("the head of trade/NONE, which does not exist", "", orphan)
		}
	},
}}

func inWords(h contract.Head) string {
	return fmt.Sprintf("version %d of %s, event %s at %s, digest %x, ended: %t",
		h.Version, h.Stream, numberOf(h.EventID.String()), h.RecordedAt.Format(time.RFC3339Nano),
		h.Digest, h.Ended)
}

// commitAfterOpen has the earlier owner commit an event after the records of another program's open
// transaction. That transaction holds the last stable offset back until the next owner marks.
func (t *trial) commitAfterOpen(e contract.Recorded) {
	other := producer(t, t.opts, "somebody-else")
	require.NoError(t, other.BeginTransaction())
	t.produce(other, record(t.opts.Prefix+".events", e))
	t.commit(t.otherOwner(e))
	var marked atomic.Bool
	t.control(kmsg.EndTxn, func(kmsg.Request) (kmsg.Response, error, bool) {
		if !marked.Swap(true) {
			t.cluster.SleepControl(func() {
				require.NoError(t, other.EndTransaction(t.Context(), kgo.TryAbort))
			})
		}
		return nil, nil, false
	})
}

// writeHead writes a head without the store.
func (t *trial) writeHead(key string, head any) {
	value, err := json.Marshal(head)
	require.NoError(t, err)
	r := &kgo.Record{Topic: t.opts.Prefix + ".heads", Key: []byte(key), Value: value}
	client := t.client()
	defer client.Close()
	t.produce(client, r)
}

// configure sets an option of a topic. The topic refuses records with more than max.message.bytes.
func (t *trial) configure(topic, option, value string) {
	config := kadm.AlterConfig{Op: kadm.SetConfig, Name: option, Value: &value}
	client := t.client()
	defer client.Close()
	done, err := kadm.NewClient(client).AlterTopicConfigs(
		t.Context(), []kadm.AlterConfig{config}, t.opts.Prefix+topic)
	require.NoError(t, err)
	for _, d := range done {
		require.NoError(t, d.Err)
	}
}
