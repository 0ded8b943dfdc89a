package simulate

import (
	"slices"
	"time"

	"example.com/blotter/labs/kit/trade"
)

// mistakes are the moves that are refused, each by its rule.
var mistakes = []move{
	{"wrong contract", 1, trade.NotBegun, neverBegun},
	{"sent again by hand", 3, trade.AlreadyBegun, beganTwice},
	{"did not see that it is closed", 6, trade.NotLive, deadAmend},
	{"did not see the void", 80, trade.IsVoided, ghostAmend},
	{"booked twice", 12, trade.HasFollowUps, orphaning},
	{"not our client", 6, trade.ContinuesAnother, disowning},
	{"confirmation has more", 6, trade.ContinuesAnother, outgrowing},
	{"a digit too many", 4, trade.Exceeds, tooMuch},
	{"nothing to report", 2, trade.NotPositive, nothing},
	{"wrong column", 2, trade.WrongUnit, wrongUnit},
	{"agreed early end of a part", 8, trade.NothingToDeliver, overdueMW},
	{"delivered", 6, trade.NoPeriod, settleMW},
	{"delivered", 8, trade.SettledEarly, settleEarly},
	{"hedge", 2, trade.ExpiresLate, expiresLate},
	{"found in the recap", 4, trade.DeliveryOver, deliveryOver},
	{"client needs another capacity", 8, trade.AmendInDelivery, amendMW},
	{"client needs less", 5, trade.BelowReduced, amendBelow},
	{"price keyed as an update", 2, trade.NoChange, noChange},
	{"wrong screen", 2, trade.BadTerms, badTerms},
	{"wrong screen", 3, trade.NotAnOption, exerciseForward},
	{"in the money", 8, trade.OutsideWindow, exerciseOutside},
	{"keyed wrongly", 1, trade.UnknownEvent, correctUnknown},
	{"it was a settlement", 2, trade.WrongKind, correctKind},
	{"final price came in", 6, trade.NeedsApprover, correctAlone},
	{"booked twice", 3, trade.NeedsApprover, voidAlone},
	{"confirmation has more", 12, trade.BreaksLater, correctMore},
	{"the recap has another date", 1, trade.BreaksLater, correctLater},
}

// neverBegun names a UTI that does not exist.
func neverBegun(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	return trade.Command{UTI: c.uti + "O", Body: trade.Settle{Price: price(c.ticks())}}, true
}

func beganTwice(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	_, n, ok := c.dealt()
	return trade.Command{Body: n}, ok
}

func deadAmend(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	p, ok := d.freshPrice(c)
	return trade.Command{Body: trade.Amend{Kind: trade.Amendment, Price: &p}}, ok && c.closed()
}

func ghostAmend(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	p, ok := d.freshPrice(c)
	return trade.Command{Body: trade.Amend{Kind: trade.Amendment, Price: &p}}, ok && c.voided()
}

func orphaning(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	fits := c.parent() && !c.voided() && c.now.PriorUTI == ""
	return trade.Command{Body: trade.Cancel{Kind: trade.Void}}, fits
}

func disowning(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	return trade.Command{Body: trade.Cancel{Kind: trade.Void}}, c.now.PriorUTI != "" && !c.voided()
}

// outgrowing restates a contract with more than its cause gave up.
func outgrowing(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	n, _ := c.slots[0].event.Body.(trade.New)
	n.Quantity.Value = n.Quantity.Value.Add(trade.Int(1000))
	if n.PriorUTI == "" || c.voided() {
		return no()
	}
	return c.correction(c.slots[0], n)
}

func tooMuch(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	q := c.quantity(c.now.Open.Mul(trade.Int(10)))
	return trade.Command{Body: trade.Settle{Quantity: q, Price: price(c.ticks())}}, c.live()
}

func nothing(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	q := c.quantity(pick(d, []trade.Decimal{{}, trade.Int(-5)}))
	return trade.Command{Body: trade.Cancel{Kind: trade.Terminate, Quantity: q}}, c.live()
}

func wrongUnit(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	q := trade.Quantity{Value: trade.Int(10), Unit: trade.BBL}
	if c.now.Unit == trade.BBL {
		q.Unit = trade.MWh
	}
	return trade.Command{Body: trade.Cancel{Kind: trade.Terminate, Quantity: q}}, c.live()
}

func overdueMW(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := trade.Quantity{Value: trade.Int(1), Unit: trade.MW}
	fits := c.live() && c.now.Unit == trade.MWh && c.after(at)
	return trade.Command{Body: trade.Cancel{Kind: trade.Terminate, Quantity: q}}, fits
}

// settleMW does not say for which hours.
func settleMW(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := trade.Quantity{Value: trade.Int(1), Unit: trade.MW}
	fits := c.live() && c.now.Unit == trade.MWh && !c.before(at)
	return trade.Command{Body: trade.Settle{Quantity: q, Price: price(c.ticks())}}, fits
}

// settleEarly settles the whole delivery before its end.
func settleEarly(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	i := c.now.Terms.Instrument
	body := trade.Settle{Price: price(c.ticks()), From: i.Delivery.Start.UTC(),
		To: i.Delivery.End.UTC()}
	fits := c.live() && !c.option() && i.Commodity != trade.Oil && at.Add(day).Before(body.To)
	return trade.Command{Body: body}, fits
}

// expiresLate deals an option that could be exercised during its delivery.
func expiresLate(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	_, n, ok := c.dealt()
	if !ok || !c.before(at) {
		return no()
	}
	begins := n.Instrument.Delivery.Start.UTC()
	n.Instrument.Option = &trade.Option{
		Kind: trade.Call, Strike: n.Price.Abs(),
		From: begins.Add(-30 * day), Until: begins.Add(9 * day),
	}
	return trade.Command{UTI: c.uti + "E", Body: n}, true
}

// deliveryOver deals a delivery of the past.
func deliveryOver(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	_, n, ok := c.dealt()
	return trade.Command{UTI: c.uti + "D", Body: n}, ok && !c.option() && c.after(at)
}

func amendMW(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	q := trade.Quantity{Value: trade.Int(3), Unit: trade.MW}
	during := at.Add(-day).After(c.now.Terms.Instrument.Delivery.Start.UTC())
	peak := c.now.Terms.Instrument.Profile == "peak" // its first hour may be yet to come
	fits := c.live() && c.now.Unit == trade.MWh && during && !peak
	return trade.Command{Body: trade.Amend{Kind: trade.Amendment, Quantity: q}}, fits
}

func amendBelow(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	q := c.quantity(trade.MulDiv(c.taken(), trade.Int(1), trade.Int(2), 0))
	fits := c.live() && !q.Value.IsZero()
	return trade.Command{Body: trade.Amend{Kind: trade.Amendment, Quantity: q}}, fits
}

func noChange(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	p := c.now.Price
	a := pick(d, []trade.Amend{
		{Kind: trade.Update, Price: &p},
		{Kind: trade.Update, Trader: c.now.Trader},
		{Kind: trade.Amendment, Price: &p},
		{Kind: trade.Amendment},
	})
	return trade.Command{Body: a}, c.live()
}

func badTerms(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	body := pick(d, []trade.Body{
		trade.Novate{Role: trade.Transferor, NewUTI: c.uti, Incoming: counterparties[0]},
		trade.Cancel{Kind: trade.Terminate, Fee: trade.Dec("-0.005")},
		trade.Settle{Price: trade.Dec("83.12345678")},
	})
	return trade.Command{Body: body}, c.live()
}

func exerciseForward(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	body := trade.Exercise{UnderlyingPrice: price(c.ticks()), Settlement: trade.Cash}
	return trade.Command{Body: body}, c.live() && !c.option()
}

func exerciseOutside(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	if !c.live() || !c.option() {
		return no()
	}
	o := c.now.Terms.Instrument.Option
	outside := at.Before(o.From.Add(-time.Hour)) || at.After(o.Until.Add(time.Hour))
	body := trade.Exercise{UnderlyingPrice: price(c.ticks()), Settlement: trade.Cash}
	return trade.Command{Body: body}, outside
}

// correctUnknown names an event of another desk.
func correctUnknown(d *desk, c *contract, _ time.Time) (trade.Command, bool) {
	elsewhere := trade.EventID("elsewhere/"+c.uti, uint32(d.commands))
	return trade.Command{Corrects: elsewhere, Body: trade.Settle{Price: price(c.ticks())}}, true
}

func correctKind(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	cmd, _ := c.correction(c.slots[0], trade.Settle{Price: price(c.ticks())})
	return cmd, !c.voided()
}

func correctAlone(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	cmd, ok := correctPrice(d, c, at)
	return cmd, ok && c.closed()
}

func voidAlone(d *desk, c *contract, at time.Time) (trade.Command, bool) {
	cmd, ok := void(d, c, at)
	return cmd, ok && !c.taken().IsZero()
}

// correctLater moves a NEW after another event of the contract.
func correctLater(_ *desk, c *contract, at time.Time) (trade.Command, bool) {
	s, n, ok := c.dealt()
	if !ok || len(c.slots) < 2 {
		return no()
	}
	cmd, _ := c.correction(s, n)
	cmd.EffectiveAt = c.lastEffective().Add(time.Second)
	return cmd, cmd.EffectiveAt.Before(at)
}

// correctMore restates the first event after the NEW, a reduction, to the whole quantity. A later
// reduction then finds no open quantity.
func correctMore(_ *desk, c *contract, _ time.Time) (trade.Command, bool) {
	first, rest := c.inOrder()
	q, reduces := trade.Reduction(first.event.Body)
	n, _ := c.slots[0].event.Body.(trade.New)
	if !reduces || trade.Begun(first.event.Body) != "" || annulled(first.event) || c.voided() {
		return no()
	}
	for _, s := range rest {
		if _, ok := trade.Reduction(s.event.Body); ok && !annulled(s.event) {
			q.Value = n.Quantity.Value
			return c.correction(first, first.event.Body.(trade.Reducer).WithReduction(q))
		}
	}
	return no()
}

// inOrder returns the first slot after the NEW by effective time, and the later ones.
func (c *contract) inOrder() (slot, []slot) {
	rest := slices.Clone(c.slots[1:])
	if len(rest) == 0 {
		return slot{}, nil
	}
	slices.SortStableFunc(rest, func(a, b slot) int {
		return a.event.EffectiveAt.Compare(b.event.EffectiveAt)
	})
	return rest[0], rest[1:]
}
