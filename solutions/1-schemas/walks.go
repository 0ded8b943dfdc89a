package codec

import (
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A walk visits the fields of one event type, in the order of the latest version of its schema.

// walkNew visits trade.new, version 1.
func walkNew(f fields, b *trade.New) {
	f.text("book", &b.Book)
	f.text("counterparty", &b.Counterparty)
	f.text("trader", &b.Trader)
	enum(f, "side", &b.Side, trade.Buy, trade.Sell)
	f.record("instrument", func() { instrument(f, &b.Instrument) })
	quantity(f, "quantity", &b.Quantity)
	optionalDecimal(f, "capacity", &b.Capacity, unitScale)
	f.decimal("price", &b.Price, unitScale)
	f.text("currency", (*string)(&b.Currency))
	f.decimal("fee", &b.Fee, amountScale)
	optionalText(f, "prior_uti", &b.PriorUTI)
	optionalDecimal(f, "carried_in", &b.CarriedIn, amountScale)
	entered(f, &b.Entered)
}

// entered visits the values that were converted when they were entered. An empty list is written as
// null.
func entered(f fields, all *[]trade.Entered) {
	if !f.present("entered", len(*all) > 0) {
		return
	}
	grow := func() { *all = append(*all, trade.Entered{}) }
	f.list("entered", len(*all), grow, func(i int) {
		e := &(*all)[i]
		f.text("field", &e.Field)
		f.decimal("value", &e.Value, enteredScale)
		f.text("unit", (*string)(&e.Unit))
		f.decimal("numerator", &e.Numerator, enteredScale)
		f.decimal("denominator", &e.Denominator, enteredScale)
	})
}

func instrument(f fields, i *trade.Instrument) {
	enum(f, "commodity", &i.Commodity, trade.Power, trade.Gas, trade.Oil)
	f.text("zone", &i.Zone)
	optionalText(f, "profile", &i.Profile)
	f.period("delivery", &i.Delivery)
	if f.present("option", i.Option != nil) {
		option := allocate(&i.Option)
		f.record("option", func() {
			enum(f, "kind", &option.Kind, trade.Call, trade.Put)
			f.decimal("strike", &option.Strike, unitScale)
			f.instant("from", &option.From)
			f.instant("until", &option.Until)
		})
	}
}

// walkAmend visits trade.amended, version 1. Zero is a valid price, so a nil pointer stands for an
// absent one.
func walkAmend(f fields, b *trade.Amend) {
	enum(f, "kind", &b.Kind, trade.Amendment, trade.Update)
	optionalQuantity(f, "quantity", &b.Quantity)
	if f.present("price", b.Price != nil) {
		f.decimal("price", allocate(&b.Price), unitScale)
	}
	optionalText(f, "trader", &b.Trader)
	optionalText(f, "counterparty", &b.Counterparty)
	entered(f, &b.Entered)
}

// walkCancel visits trade.cancelled, version 1.
func walkCancel(f fields, b *trade.Cancel) {
	enum(f, "kind", &b.Kind, trade.Void, trade.Terminate)
	optionalQuantity(f, "quantity", &b.Quantity)
	f.decimal("fee", &b.Fee, amountScale)
	entered(f, &b.Entered)
}

// walkNovate visits trade.novated, version 1.
func walkNovate(f fields, b *trade.Novate) {
	enum(f, "role", &b.Role, trade.Transferor, trade.Remaining)
	quantity(f, "quantity", &b.Quantity)
	f.decimal("fee", &b.Fee, amountScale)
	f.text("new_uti", &b.NewUTI)
	f.text("incoming", &b.Incoming)
	entered(f, &b.Entered)
}

// walkSettle visits trade.settled, version 2.
func walkSettle(f fields, b *trade.Settle) {
	quantity(f, "quantity", &b.Quantity)
	f.decimal("price", &b.Price, unitScale)
	optionalText(f, "price_source", &b.PriceSource)
	optionalInstant(f, "from", &b.From)
	optionalInstant(f, "to", &b.To)
	entered(f, &b.Entered)
}

// walkExercise visits trade.exercised, version 1.
func walkExercise(f fields, b *trade.Exercise) {
	quantity(f, "quantity", &b.Quantity)
	f.decimal("underlying_price", &b.UnderlyingPrice, unitScale)
	enum(f, "settlement", &b.Settlement, trade.Physical, trade.Cash)
	optionalText(f, "new_uti", &b.NewUTI)
	entered(f, &b.Entered)
}

// walkConfirm visits confirmation.reported, version 1.
func walkConfirm(f fields, b *trade.Confirm) {
	enum(f, "kind", &b.Kind, trade.Sent, trade.Matched, trade.Disputed)
	f.id("event_id", &b.Event)
	f.number("version", &b.Version)
	f.text("reference", &b.Reference)
	optionalText(f, "method", &b.Method)
	grow := func() { b.Differences = append(b.Differences, trade.Difference{}) }
	f.list("differences", len(b.Differences), grow, func(i int) {
		f.text("term", &b.Differences[i].Term)
		f.text("theirs", &b.Differences[i].Theirs)
	})
}

// walkRefused visits command.refused, version 1. The rule is a text and not an enum, because rules
// are added more often than schemas.
func walkRefused(f fields, b *trade.CommandRefused) {
	f.text("command_id", &b.CommandID)
	f.digest("digest", &b.Digest)
	f.text("rule", &b.Rule)
	f.text("detail", &b.Detail)
	f.text("line", &b.Line)
}

// walkTaken visits snapshot.taken, version 1.
func walkTaken(f fields, b *trade.SnapshotTaken) {
	f.text("name", &b.Name)
	f.digest("digest", &b.Digest)
	f.text("format", &b.Format)
	grow := func() { b.Cursor = append(b.Cursor, 0) }
	f.list("cursor", len(b.Cursor), grow, func(i int) { f.number("offset", &b.Cursor[i]) })
	f.instant("recorded_through", &b.RecordedThrough)
}

// walkSkipped visits event.skipped, version 1.
func walkSkipped(f fields, b *trade.EventSkipped) {
	f.number("version", &b.Version)
	f.id("event_id", &b.Event)
	f.text("rule", &b.Rule)
}

// walkAdopted visits backfill.adopted, version 1.
func walkAdopted(f fields, b *trade.BackfillAdopted) {
	f.text("file", &b.File)
	f.digest("digest", &b.Digest)
	f.number("streams", &b.Streams)
	f.number("events", &b.Events)
	f.number("breaks", &b.Breaks)
}

const headType = "store.head"

// walkHead visits store.head, version 1.
func walkHead(f fields, h *contract.Head) {
	f.text("stream", &h.Stream)
	f.number("version", &h.Version)
	f.id("event_id", &h.EventID)
	f.instant("recorded_at", &h.RecordedAt)
	f.digest("digest", &h.Digest)
	f.digest("history", &h.History)
	f.flag("ended", &h.Ended)
}

// marked is price.marked, version 2. A body names its curve in one text, as contracts do. On record
// the name has two fields, and a reader of the topic can choose by commodity without parsing names.
type marked struct {
	currency  trade.Currency
	points    []trade.Point
	commodity trade.Commodity
	market    *string
	entered   []trade.Entered
}

func markedOf(b trade.PriceMarked) marked {
	m := marked{currency: b.Currency, points: b.Points, entered: b.Entered}
	m.commodity, m.market = splitCurve(b.Curve)
	return m
}

func (b marked) body() trade.PriceMarked {
	curve := string(b.commodity)
	if b.market != nil {
		curve += "/" + *b.market
	}
	return trade.PriceMarked{
		Curve: curve, Currency: b.currency, Points: b.points, Entered: b.entered,
	}
}

func walkMarked(f fields, b *marked) {
	f.text("currency", (*string)(&b.currency))
	points(f, &b.points)
	if f.present("commodity", true) {
		enum(f, "commodity", &b.commodity, trade.Power, trade.Gas, trade.Oil)
	}
	if f.present("market", b.market != nil) {
		f.text("market", allocate(&b.market))
	}
	entered(f, &b.entered)
}

func points(f fields, all *[]trade.Point) {
	grow := func() { *all = append(*all, trade.Point{}) }
	f.list("points", len(*all), grow, func(i int) {
		p := &(*all)[i]
		f.period("delivery", &p.Delivery)
		f.decimal("price", &p.Price, unitScale)
	})
}
