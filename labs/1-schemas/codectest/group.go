package codectest

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A group is one run of a consumer, as a member of the one group that there is.
type group struct {
	t    *trial
	k    *kafka
	got  chan contract.Event
	end  context.CancelFunc
	over <-chan struct{}
	err  error

	parks bool // whether there is anything to park: where there is not, a parked record is one that is missing
}

// consumeUntil runs a consumer until it ends by itself.
func (t *trial) consumeUntil(k *kafka, c Codec, handle func(contract.Event) error) error {
	return t.run(k, c, handle).wait()
}

// consume runs a consumer that takes whatever it is given.
func (t *trial) consume(k *kafka, c Codec, options ...kgo.Opt) *group {
	return t.run(k, c, func(contract.Event) error { return nil }, options...)
}

func (t *trial) run(k *kafka, c Codec, handle func(contract.Event) error, options ...kgo.Opt) *group {
	life, kill := context.WithCancel(context.WithoutCancel(t.Context()))
	client := k.member(t, append(options, kgo.WithContext(life))...)
	ctx, end := context.WithCancel(t.Context())
	g := &group{t: t, k: k, got: make(chan contract.Event, 100), end: end}
	consumer := t.answer.Consumer(client, k.parked, c)
	g.over = check.Go(t, func() {
		defer client.CloseAllowingRebalance() // leaves the group, so that the next member need not wait for this one
		g.err = consumer.Run(ctx, func(_ context.Context, e contract.Event, body trade.Body) error {
			if err := handle(e); err != nil {
				return err
			}
			if settled, ok := body.(trade.Settle); !ok || !settled.Price.Equal(settlement.Price) {
				return fmt.Errorf("the body of %s is %s", e.ID, show(body))
			}
			g.got <- e
			return nil
		})
		answered(t, consume, g.err)
	})
	t.Cleanup(func() {
		defer kill() // one that does not heed its context ends with its client's
		end()
		select {
		case <-g.over:
		case <-time.After(t.patience()):
		}
	})
	return g
}

func (t *trial) patience() time.Duration { return cmp.Or(t.answer.Patience, 15*time.Second) }

// fail ends the check.
func (t *trial) fail(format string, args ...any) {
	t.Errorf(format, args...)
	t.FailNow()
}

// take waits for n events.
func (g *group) take(n int) []contract.Event {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	var got []contract.Event
	for len(got) < n {
		select {
		case <-look.C:
			g.unparked()
		case e := <-g.got:
			got = append(got, e)
		case <-g.over:
			if len(g.got) > 0 {
				continue
			}
			require.NoError(g.t, g.err, "Run ended by itself after it had handed over %d events of %d", len(got), n)
			g.t.fail("Run ended by itself after it had handed over %d events of %d", len(got), n)
		case <-g.t.Context().Done():
			g.t.fail("%d events of %d were handed over; if L1.21 fails, begin there: what was not written as it should be does not come", len(got), n)
		}
	}
	return got
}

// stop ends the context of the run, which is no error.
func (g *group) stop() {
	g.end()
	select {
	case <-g.over:
		require.NoError(g.t, g.err, "Run, when its context had ended")
	case <-time.After(g.t.patience()):
		g.t.fail("Run did not return after its context ended")
	}
}

// wait gives the error of a run that is to end by itself. One that parks a record instead would go on for ever.
func (g *group) wait() error {
	look := time.NewTicker(50 * time.Millisecond)
	defer look.Stop()
	late := time.After(g.t.patience())
	for {
		select {
		case <-g.over:
			return g.err
		case <-look.C:
			g.unparked()
		case <-late:
			g.t.fail("Run went on, where it was to end with an error")
		}
	}
}

// unparked says that nothing was parked where nothing was to be.
func (g *group) unparked() {
	if !g.parks {
		require.Zero(g.t, g.k.count(g.t, g.k.parked), "parked records, where none is poison")
	}
}
