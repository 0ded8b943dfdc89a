package codectest

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var joining = []spec{{
	Check: check.Check{ID: "L1.25", Points: 3, Limit: time.Minute, Operation: consume, Invariant: "L1.I11",
		Title:         "a member that joins is let in, and is handed nothing that another has done or has at hand",
		Misconception: "that the group looks after itself: it waits until each member lets go, and goes on from what was committed by then",
		Hint:          "poll, handle, commit, and only then AllowRebalance: all four in each turn of the loop, and in this order"},
	try: func(t *trial) {
		c, k := t.codec(), newKafka(t)
		var want []contract.Event
		publish := func(n int) {
			for range n {
				want = append(want, t.publish(k, c, spread(len(want)+1), settlement))
			}
		}
		publish(12) // some on each partition

		// The first has done those, and has one more at hand, when the second comes.
		atHand, asked, free, let, given := newSignal(), newSignal(), newSignal(), newSignal(), newSignal()
		first := t.run(k, c, func(e contract.Event) error {
			if e.ID == spread(13).ID {
				atHand.give()
				select {
				case <-free.c:
				case <-t.Context().Done():
				}
			}
			return nil
		}, eager, kgo.OnPartitionsCallbackBlocked(func(context.Context, *kgo.Client) { asked.giveAfter(atHand) }),
			kgo.OnPartitionsRevoked(func(context.Context, *kgo.Client, map[string][]int32) { let.giveAfter(atHand) }))
		times := map[uuid.UUID]int{}
		note(times, first.take(12)...)
		publish(1)
		await(t, atHand)
		second := t.consume(k, c, eager, kgo.OnPartitionsAssigned(func(_ context.Context, _ *kgo.Client, all map[string][]int32) {
			if len(all) > 0 {
				given.give()
			}
		}))
		await(t, asked, let)
		if let.given() {
			t.fail("the first member let go of its partitions while it had a record of theirs at hand")
		}
		free.give()

		// A group that is being divided anew has its turn before the next poll. So who polls again and again has not let go.
		note(times, first.take(1)...)
		for range 10 {
			if publish(1); !first.takesBefore(times, let) {
				break
			}
		}
		if !let.given() {
			t.fail("the first member was asked to let go of its partitions, and went on reading")
		}
		await(t, given)
		publish(12) // what is handed over twice comes before these, on each partition
		collect(t, times, len(want), first, second)
		for i, e := range want {
			require.Equal(t, 1, times[e.ID], "how often event %d was handed over to the two members", i+1)
		}
		first.stop()
		second.stop()
	},
}}

// spread is the i-th event, in a stream of its own.
func spread(i int) contract.Event {
	e := event(i)
	e.Stream = fmt.Sprintf("trade/UTI-%d", i)
	return e
}

func note(times map[uuid.UUID]int, events ...contract.Event) {
	for _, e := range events {
		times[e.ID]++
	}
}

// collect waits until n events were handed over, each at least once, to one of two members.
func collect(t *trial, times map[uuid.UUID]int, n int, a, b *group) {
	for len(times) < n {
		select {
		case e := <-a.got:
			note(times, e)
		case e := <-b.got:
			note(times, e)
		case <-t.Context().Done():
			t.fail("%d events of %d were handed over to two members", len(times), n)
		}
	}
}

// eager has every member let go of all its partitions when the group is divided anew.
var eager = kgo.Balancers(kgo.RangeBalancer())

// takesBefore waits for an event, and says whether it came before s.
func (g *group) takesBefore(times map[uuid.UUID]int, s *signal) bool {
	select {
	case e := <-g.got:
		note(times, e)
		return !s.given()
	case <-s.c:
		return false
	case <-g.t.Context().Done():
		g.t.fail("a member that joined waits for ever")
		return false
	}
}

// A signal is given once.
type signal struct {
	once sync.Once
	c    chan struct{}
}

func newSignal() *signal { return &signal{c: make(chan struct{})} }

func (s *signal) give() { s.once.Do(func() { close(s.c) }) }

func (s *signal) giveAfter(other *signal) {
	if other.given() {
		s.give()
	}
}

func (s *signal) given() bool {
	select {
	case <-s.c:
		return true
	default:
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
		t.fail("a member that joined waits for ever")
	}
}
