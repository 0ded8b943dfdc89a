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
	Check: check.Check{ID: "L2.53", Points: 2, Invariant: "L2.I6", Operation: takeover, Title: "who takes over knows all that owners before it committed",
		Misconception: "that what is needed can be read when it is asked for: an append must know of every id before it writes",
		Hint:          "read the partition from its beginning up to your own mark (catchUp), BEFORE you serve anything"},
	try: func(t *trial) {
		t.begin()
		history := recorded(batch(1, 3)...)
		t.reopen(func() {
			before := t.before(history...)
			require.NoError(t, before.EndTransaction(t.Context(), kgo.TryCommit))
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
	Check: check.Check{ID: "L2.54", Points: 2, Invariant: "L2.I9", Operation: takeover, Title: "a transaction that a dead owner left open becomes nothing, and holds nobody up",
		Misconception: "that what is dead is gone: its transaction holds up all readers until it times out, and until then it may still be committed",
		Hint:          "fence with the same transactional id as the owner before (newProducer has it): that aborts what it left open, and it can commit no more"},
	try: func(t *trial) {
		t.begin()
		var before *kgo.Client
		t.reopen(func() { before = t.before(recorded(event(1))...) })
		require.Empty(t, t.stream(), "events that nobody committed")
		require.Error(t, before.EndTransaction(t.Context(), kgo.TryCommit), "the dead owner comes back and commits")
		t.holds("after the dead owner came back")
	},
}, {
	Check: check.Check{ID: "L2.55", Points: 3, Invariant: "L2.I9", Operation: takeover, Title: "what the owner before commits at the last moment is known to the next",
		Misconception: "that one can read first and shut the door after, or that the end of the log is all of it: what is not known is given its version a second time",
		Hint:          "fence, mark, read, in this order: only once nobody else can write does the log hold still, and only your mark lies behind all that they wrote"},
	try: func(t *trial) {
		t.begin()
		t.reopen(func() {
			before := t.before(recorded(event(1))...)
			t.cluster.ControlKey(int16(kmsg.InitProducerID), func(kmsg.Request) (kmsg.Response, error, bool) {
				t.cluster.SleepControl(func() { // the owner before is as quick as it can be
					require.NoError(t, before.EndTransaction(t.Context(), kgo.TryCommit))
				})
				t.cluster.DropControl()
				return nil, nil, false
			})
		})
		t.holds("after taking over", event(1))
		t.reopen(t.behindAStranger(recorded(batch(1, 2)...)[1]))
		t.holds("after taking over, where the owner before had committed behind a stranger's open transaction", batch(1, 2)...)
	},
}, {
	Check: check.Check{ID: "L2.56", Points: 2, Invariant: "L2.I2", Operation: transact, Title: "what one transaction writes to two topics is in both or in neither",
		Misconception: "that two transactions, one right after the other, are nearly one: the crash comes in between",
		Hint:          "begin, produce all records, commit; when produce fails, do not commit, and never commit a part"},
	try: func(t *trial) {
		t.begin()
		marks := func() string {
			return fmt.Sprintf("%d of events, %d of heads", len(t.committed(t.opts.Prefix+".events")), len(t.committed(t.opts.Prefix+".heads")))
		}
		t.same("marks of the first owner in the two topics", "1 of events, 1 of heads", marks())
		require.NoError(t, t.store.Close())
		t.configure(".heads", "max.message.bytes", "1")
		s, err := t.answer.Open(t.Context(), t.opts)
		t.Answered("Reopen", err)
		if err == nil {
			_ = s.Close()
		}
		require.Error(t, err, "taking over, where the topic of heads refuses every record")
		t.same("marks in the two topics, after one of them refused the second owner's", "1 of events, 1 of heads", marks())
	},
}, {
	Check: check.Check{ID: "L2.57", Points: 2, Invariant: "L2.I6", Operation: heads, Title: "the log is the truth: a head that says otherwise is rewritten at take-over",
		Misconception: "that the compacted topic is the state and the log its history: heads are derived, and may be wrong or gone",
		Hint:          "compare each stream's head with headOf its last event; one that cannot be read differs too; a head of a stream that does not exist is taken away"},
	try: func(t *trial) {
		t.begin()
		history := recorded(batch(1, 3)...)
		want := contract.Head{Stream: stream, Version: 3, EventID: history[2].ID, RecordedAt: history[2].RecordedAt, Digest: history[2].ContentDigest()}
		spoilt := func(spoil func(*contract.Head)) contract.Head {
			head := want
			spoil(&head)
			return head
		}
		for _, found := range []struct {
			what string
			head any
		}{
			{"none", nil},
			{"one of another version", spoilt(func(h *contract.Head) { h.Version = 9 })},
			{"one of another event", spoilt(func(h *contract.Head) { h.EventID = history[0].ID })},
			{"one of another time", spoilt(func(h *contract.Head) { h.RecordedAt = noon })},
			{"one of other content", spoilt(func(h *contract.Head) { h.Digest[0]++ })},
			{"one that says the stream has ended", spoilt(func(h *contract.Head) { h.Ended = true })},
			{"one that cannot be read", "?"},
		} {
			t.reopen(func() {
				if found.head == nil {
					before := t.before(history...)
					require.NoError(t, before.EndTransaction(t.Context(), kgo.TryCommit))
				} else {
					t.writeHead(stream, found.head)
				}
				t.writeHead("trade/NONE", want)
			})
			got := t.headOf(stream)
			require.NotNil(t, got, "the head of %s, where there was %s", stream, found.what)
			t.same(fmt.Sprintf("the head of %s, where there was %s", stream, found.what), inWords(want), inWords(*got))
			t.holds("whatever its head said", eventsOf(history)...)
			require.Nil(t, t.headOf("trade/NONE"), "the head of a stream that does not exist")
		}
	},
}}

func inWords(h contract.Head) string {
	return fmt.Sprintf("version %d of %s, event %s at %s, digest %x, ended: %t", h.Version, h.Stream, number(h.EventID.String()), h.RecordedAt.Format(time.RFC3339Nano), h.Digest, h.Ended)
}

// behindAStranger has the owner before commit an event behind a transaction of somebody else's, who holds the last stable offset back until
// the next owner marks.
func (t *trial) behindAStranger(e contract.Recorded) func() {
	return func() {
		stranger := producer(t, t.opts, "somebody-else")
		require.NoError(t, stranger.BeginTransaction())
		require.NoError(t, stranger.ProduceSync(t.Context(), record(t.opts.Prefix+".events", e)).FirstErr())
		require.NoError(t, t.before(e).EndTransaction(t.Context(), kgo.TryCommit))
		var marked atomic.Bool
		t.cluster.ControlKey(int16(kmsg.EndTxn), func(kmsg.Request) (kmsg.Response, error, bool) {
			if !marked.Swap(true) {
				t.cluster.SleepControl(func() {
					require.NoError(t, stranger.EndTransaction(t.Context(), kgo.TryAbort))
				})
			}
			return nil, nil, false
		})
	}
}

// writeHead goes around the store.
func (t *trial) writeHead(key string, head any) {
	value, err := json.Marshal(head)
	require.NoError(t, err)
	client, err := kgo.NewClient(kgo.SeedBrokers(t.opts.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: t.opts.Prefix + ".heads", Key: []byte(key), Value: value}).FirstErr())
}

// configure sets an option of a topic. Records that are larger than max.message.bytes are refused.
func (t *trial) configure(topic, option, value string) {
	client, err := kgo.NewClient(kgo.SeedBrokers(t.opts.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	config := kadm.AlterConfig{Op: kadm.SetConfig, Name: option, Value: &value}
	done, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), []kadm.AlterConfig{config}, t.opts.Prefix+topic)
	require.NoError(t, err)
	for _, d := range done {
		require.NoError(t, d.Err)
	}
}
