package codectest

import (
	"context"
	"fmt"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var joining = []spec{{
	Check: check.Check{ID: "L1.32", Points: 3, Operation: consume, Invariant: "L1.I11",
		Title: "a member that joins is admitted, and receives nothing that another member has " +
			"handled or is handling",
		Misconception: "that the group waits for records in flight; in fact it waits only until " +
			"each member allows the rebalance, and new owners start at the last commits",
		Hint: "poll, handle, commit, and only then AllowRebalance: all four in each turn of the " +
			"loop, in this order",
		More: "c.client.AllowRebalance() as the last line of the loop, after c.commit(ctx, done)",
		Read: "section 2 and exercise 4"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		var want []contract.Event
		publish := func(n int) {
			for range n {
				want = append(want, t.publish(k, c, separate(len(want)+1), settlement))
			}
		}
		publish(12) // some on each partition

		// The first member has handled those, and is handling one more when the second joins.
		handling, asked, proceed := newSignal(), newSignal(), newSignal()
		revoked, assigned := newSignal(), newSignal()
		hold := func(e contract.Event) error {
			if e.ID == separate(13).ID {
				handling.fire()
				select {
				case <-proceed.c:
				case <-t.Context().Done():
				}
			}
			return nil
		}
		first := t.run(k, c, hold, eager,
			kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) {
				asked.fireAfter(handling)
			}),
			kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) {
				revoked.fireAfter(handling)
			}))
		times := map[uuid.UUID]int{}
		count(times, first.take(12)...)
		publish(1)
		await(t, handling)
		second := t.consume(k, c, eager, kgo.OnPartitionsAssigned(
			func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
				if len(all) > 0 {
					assigned.fire()
				}
			}))
		await(t, asked, revoked)
		if revoked.fired() {
			t.fail("the first member let go of its partitions while it handled a record of them")
		}
		proceed.fire()

		// The client admits a waiting rebalance before its next poll. A member that polls again and
		// again has not allowed it.
		count(times, first.take(1)...)
		for range 10 {
			if publish(1); !first.takesBefore(times, revoked) {
				break
			}
		}
		if !revoked.fired() {
			t.fail("the first member was asked to let go of its partitions, and continued reading")
		}
		await(t, assigned)
		publish(12) // on each partition, an event that comes twice comes before these
		collect(t, times, len(want), first, second)
		for i, e := range want {
			require.Equal(t, 1, times[e.ID],
				"times that event %d was handed over to the two members", i+1)
		}
		first.stop()
		second.stop()
	},
}}

// separate returns the i-th event in a stream of its own.
func separate(i int) contract.Event {
	e := event(i)
	e.Stream = fmt.Sprintf("trade/UTI-%d", i)
	return e
}

func count(times map[uuid.UUID]int, events ...contract.Event) {
	for _, e := range events {
		times[e.ID]++
	}
}

// collect waits until n different events were handed over to one of two members.
func collect(t *trial, times map[uuid.UUID]int, n int, a, b *member) {
	for len(times) < n {
		select {
		case e := <-a.events:
			count(times, e)
		case e := <-b.events:
			count(times, e)
		case <-t.Context().Done():
			t.fail("%d of %d events were handed over to two members", len(times), n)
		}
	}
}

// eager makes every member let go of all its partitions in a rebalance.
var eager = kgo.Balancers(kgo.RangeBalancer())

// takesBefore waits for an event, and reports whether it came before the signal.
func (m *member) takesBefore(times map[uuid.UUID]int, s *signal) bool {
	select {
	case e := <-m.events:
		count(times, e)
		return !s.fired()
	case <-s.c:
		return false
	case <-m.t.Context().Done():
		m.t.fail("a member that joined still waits")
		return false
	}
}

// await waits for one of the signals.
func await(t *trial, one *signal, or ...*signal) {
	other := append(or, one)[0]
	select {
	case <-one.c:
	case <-other.c:
	case <-t.Context().Done():
		t.fail("a member that joined still waits")
	}
}
