package simulate

import (
	"fmt"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// A contract is the desk's model of a contract: its recorded history, and the folded trade. A price
// curve uses the same type, without the fields that only contracts have.
type contract struct {
	uti      string
	market   *market
	history  []trade.Event
	slots    []slot
	now      trade.Trade
	children map[string]*contract // by UTI; never ranged over where order matters
	late     int                  // the number of visits after it closed
}

// A slot is one place of the history.
type slot struct {
	root      uuid.UUID   // of the event that opened the slot
	event     trade.Event // the latest event of the slot
	corrected bool
}

// decide decides cmd against the histories of c and of all contracts that began from it.
func (c *contract) decide(cmd trade.Command) (trade.Decision, error) {
	streams := map[string][]trade.Event{cmd.Stream(): c.history}
	c.addChildren(streams)
	return trade.Decide(streams, cmd)
}

func (c *contract) addChildren(streams map[string][]trade.Event) {
	for uti, child := range c.children {
		streams[trade.TradeStream(uti)] = child.history
		child.addChildren(streams)
	}
}

// record adds the event of an accepted command.
func (c *contract) record(cmd trade.Command, decision trade.Decision) trade.Event {
	e := trade.Event{
		ID: trade.EventID(cmd.ID, 0), Version: int64(len(c.history) + 1),
		Corrects: decision.Corrects, EffectiveAt: decision.EffectiveAt,
		EnteredAt: cmd.EnteredAt, RecordedAt: cmd.EnteredAt, Actor: cmd.Actor, Body: decision.Body,
	}
	if cmd.UTI == "" { // only the last mark is corrected, once, in the same evening
		e.Corrects = uuid.Nil
		c.history = []trade.Event{e}
		return e
	}
	c.history = append(c.history, e)
	c.fill(e)
	now, parked := trade.Fold(c.uti, c.history, trade.AsOf{})
	if parked != nil {
		panic(fmt.Sprintf("simulate: %v", parked)) // Decide has folded this history before
	}
	c.now, c.now.Legs = now, nil // legs are not needed here, and there are many contracts
	return e
}

// fill puts an event into its slot. A correction by hand names the latest event of the slot, and a
// follow-up names the first.
func (c *contract) fill(e trade.Event) {
	for i, s := range c.slots {
		if e.Corrects != uuid.Nil && (e.Corrects == s.root || e.Corrects == s.event.ID) {
			c.slots[i] = slot{s.root, e, true}
			return
		}
	}
	c.slots = append(c.slots, slot{root: e.ID, event: e})
}

func (c *contract) live() bool   { return c.now.Status == trade.Live }
func (c *contract) voided() bool { return c.now.Status == trade.Voided }
func (c *contract) closed() bool { return !c.live() && !c.voided() }
func (c *contract) option() bool { return c.now.Terms.Instrument.Option != nil }

// taken returns the quantity that has left the contract.
func (c *contract) taken() trade.Decimal { return c.now.Contracted.Sub(c.now.Open) }

// before and after report whether the whole delivery is yet to come, or is over, with a day to
// spare for time zones.
func (c *contract) before(at time.Time) bool {
	return at.Add(day).Before(c.now.Terms.Instrument.Delivery.Start.UTC())
}

func (c *contract) after(at time.Time) bool {
	return at.Add(-day).After(c.now.Terms.Instrument.Delivery.End.UTC())
}

// over reports whether the contract is delivered or expired.
func (c *contract) over(at time.Time) bool {
	return c.after(at) || c.option() && at.After(c.now.Terms.Instrument.Option.Until)
}

// ticks returns the market price of its delivery.
func (c *contract) ticks() int64 { return c.market.ticks(c.now.Terms.Instrument.Delivery) }

// inTheMoney returns the inner worth of an option per unit. It is negative out of the money.
func (c *contract) inTheMoney() trade.Decimal {
	o := c.now.Terms.Instrument.Option
	worth := price(c.ticks()).Sub(o.Strike)
	if o.Kind == trade.Put {
		return worth.Neg()
	}
	return worth
}

// exercisable reports whether the exercise window is open, with an hour to spare.
func (c *contract) exercisable(at time.Time) bool {
	o := c.now.Terms.Instrument.Option
	return o != nil && at.After(o.From.Add(time.Hour)) && at.Before(o.Until.Add(-time.Hour))
}

// parent reports whether another contract began from this one.
func (c *contract) parent() bool {
	for _, s := range c.slots {
		if trade.Begun(s.event.Body) != "" && !annulled(s.event) {
			return true
		}
	}
	return false
}

// annulled reports whether a correction annulled the event.
func annulled(e trade.Event) bool {
	q, ok := trade.Reduction(e.Body)
	return ok && e.Corrects != uuid.Nil && q.Value.IsZero()
}

// lastEffective returns the latest effective time of the contract.
func (c *contract) lastEffective() time.Time {
	var last time.Time
	for _, s := range c.slots {
		if s.event.EffectiveAt.After(last) {
			last = s.event.EffectiveAt
		}
	}
	return last
}
