package codec_test

import (
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A tree is a record. Its values are string (also for enums and uuids), trade.Decimal, time.Time,
// int64 (also for dates), bool, [32]byte, tree, []any, or nil.
type tree map[string]any

func treeOf(body trade.Body) (string, tree) {
	switch b := body.(type) {
	case trade.New:
		return "trade.new", treeOfNew(b)
	case trade.Amend:
		t := tree{
			"kind": b.Kind, "quantity": maybe(!b.Quantity.IsZero(), quantityTree(b.Quantity)),
			"trader": orNull(b.Trader), "counterparty": orNull(b.Counterparty),
			"entered": enteredTree(b.Entered),
		}
		if b.Price != nil {
			t["price"] = *b.Price
		}
		return "trade.amended", t
	case trade.Cancel:
		quantity := maybe(!b.Quantity.IsZero(), quantityTree(b.Quantity))
		return "trade.cancelled", tree{
			"kind": b.Kind, "quantity": quantity, "fee": b.Fee, "entered": enteredTree(b.Entered),
		}
	case trade.Novate:
		return "trade.novated", tree{
			"role": b.Role, "quantity": quantityTree(b.Quantity), "fee": b.Fee,
			"new_uti": b.NewUTI, "incoming": b.Incoming, "entered": enteredTree(b.Entered),
		}
	case trade.Settle:
		return "trade.settled", tree{
			"quantity": quantityTree(b.Quantity), "price": b.Price,
			"price_source": orNull(b.PriceSource),
			"from":         maybe(!b.From.IsZero(), b.From), "to": maybe(!b.To.IsZero(), b.To),
			"entered": enteredTree(b.Entered),
		}
	case trade.Exercise:
		return "trade.exercised", tree{
			"quantity": quantityTree(b.Quantity), "underlying_price": b.UnderlyingPrice,
			"settlement": b.Settlement, "new_uti": orNull(b.NewUTI),
			"entered": enteredTree(b.Entered),
		}
	case trade.Confirm:
		differences := []any{}
		for _, d := range b.Differences {
			differences = append(differences, tree{"term": d.Term, "theirs": d.Theirs})
		}
		return "confirmation.reported", tree{
			"kind": b.Kind, "event_id": b.Event.String(), "version": b.Version,
			"reference": b.Reference, "method": orNull(b.Method), "differences": differences,
		}
	case trade.CommandRefused:
		return "command.refused", tree{
			"command_id": b.CommandID, "digest": b.Digest, "rule": b.Rule, "detail": b.Detail,
			"line": b.Line,
		}
	case trade.SnapshotTaken:
		cursor := []any{}
		for _, offset := range b.Cursor {
			cursor = append(cursor, tree{"offset": offset})
		}
		return "snapshot.taken", tree{
			"name": b.Name, "digest": b.Digest, "format": b.Format, "cursor": cursor,
			"recorded_through": b.RecordedThrough,
		}
	case trade.EventSkipped:
		return "event.skipped", tree{
			"version": b.Version, "event_id": b.Event.String(), "rule": b.Rule,
		}
	case trade.BackfillAdopted:
		return "backfill.adopted", tree{
			"file": b.File, "digest": b.Digest, "streams": b.Streams, "events": b.Events,
			"breaks": b.Breaks,
		}
	case trade.PriceMarked:
		points := []any{}
		for _, p := range b.Points {
			points = append(points, tree{"delivery": periodTree(p.Delivery), "price": p.Price})
		}
		t := tree{
			"currency": string(b.Currency), "points": points, "entered": enteredTree(b.Entered),
		}
		return "price.marked", setCurve(t, b.Curve)
	}
	return "", nil
}

// setCurve sets the two fields of a curve's name. The second is null for a name without a slash.
func setCurve(t tree, curve string) tree {
	commodity, market, found := strings.Cut(curve, "/")
	t["commodity"], t["market"] = commodity, maybe(found, market)
	return t
}

func treeOfNew(b trade.New) tree {
	i := b.Instrument
	instrument := tree{
		"commodity": string(i.Commodity), "zone": i.Zone, "profile": orNull(i.Profile),
		"delivery": periodTree(i.Delivery),
	}
	if o := i.Option; o != nil {
		instrument["option"] = tree{
			"kind": o.Kind, "strike": o.Strike, "from": o.From, "until": o.Until,
		}
	}
	return tree{
		"book": b.Book, "counterparty": b.Counterparty, "trader": b.Trader, "side": string(b.Side),
		"instrument": instrument, "quantity": quantityTree(b.Quantity),
		"capacity": maybe(!b.Capacity.IsZero(), b.Capacity), "price": b.Price,
		"currency": string(b.Currency), "fee": b.Fee, "prior_uti": orNull(b.PriorUTI),
		"carried_in": maybe(!b.CarriedIn.IsZero(), b.CarriedIn), "entered": enteredTree(b.Entered),
	}
}

func treeOfHead(h contract.Head) tree {
	return tree{
		"stream": h.Stream, "version": h.Version, "event_id": h.EventID.String(),
		"recorded_at": h.RecordedAt, "digest": h.Digest, "history": h.History, "ended": h.Ended,
	}
}

func quantityTree(q trade.Quantity) tree { return tree{"value": q.Value, "unit": string(q.Unit)} }

func enteredTree(all []trade.Entered) any {
	items := []any{}
	for _, e := range all {
		items = append(items, tree{
			"field": e.Field, "value": e.Value, "unit": string(e.Unit),
			"numerator": e.Numerator, "denominator": e.Denominator,
		})
	}
	return maybe(len(items) > 0, items)
}

func periodTree(p trade.Period) tree {
	return tree{"start": int64(p.Start), "end": int64(p.End)}
}

func maybe(present bool, v any) any {
	if !present {
		return nil
	}
	return v
}

func orNull(s string) any { return maybe(s != "", s) }

// bodyOf is the inverse of treeOf. A null becomes the zero value.
func bodyOf(typ string, t tree) trade.Body {
	switch typ {
	case "trade.new":
		return newOf(t)
	case "trade.amended":
		b := trade.Amend{
			Kind: t.text("kind"), Quantity: t.quantity("quantity"),
			Trader: t.text("trader"), Counterparty: t.text("counterparty"), Entered: t.entered(),
		}
		if price, ok := t["price"].(trade.Decimal); ok {
			b.Price = &price
		}
		return b
	case "trade.cancelled":
		return trade.Cancel{
			Kind: t.text("kind"), Quantity: t.quantity("quantity"), Fee: t.decimal("fee"),
			Entered: t.entered(),
		}
	case "trade.novated":
		return trade.Novate{
			Role: t.text("role"), Quantity: t.quantity("quantity"), Fee: t.decimal("fee"),
			NewUTI: t.text("new_uti"), Incoming: t.text("incoming"), Entered: t.entered(),
		}
	case "trade.settled":
		return trade.Settle{
			Quantity: t.quantity("quantity"), Price: t.decimal("price"),
			PriceSource: t.text("price_source"), From: t.instant("from"), To: t.instant("to"),
			Entered: t.entered(),
		}
	case "trade.exercised":
		return trade.Exercise{
			Quantity: t.quantity("quantity"), UnderlyingPrice: t.decimal("underlying_price"),
			Settlement: t.text("settlement"), NewUTI: t.text("new_uti"), Entered: t.entered(),
		}
	case "confirmation.reported":
		b := trade.Confirm{
			Kind: t.text("kind"), Event: uuid.MustParse(t.text("event_id")),
			Version: get[int64](t, "version"), Reference: t.text("reference"),
			Method: t.text("method"),
		}
		for _, item := range get[[]any](t, "differences") {
			d := item.(tree)
			b.Differences = append(b.Differences,
				trade.Difference{Term: d.text("term"), Theirs: d.text("theirs")})
		}
		return b
	case "command.refused":
		return trade.CommandRefused{
			CommandID: t.text("command_id"), Digest: get[[32]byte](t, "digest"),
			Rule: t.text("rule"), Detail: t.text("detail"), Line: t.text("line"),
		}
	case "snapshot.taken":
		b := trade.SnapshotTaken{
			Name: t.text("name"), Digest: get[[32]byte](t, "digest"), Format: t.text("format"),
			RecordedThrough: t.instant("recorded_through"),
		}
		for _, item := range get[[]any](t, "cursor") {
			b.Cursor = append(b.Cursor, get[int64](item.(tree), "offset"))
		}
		return b
	case "event.skipped":
		return trade.EventSkipped{
			Version: get[int64](t, "version"), Event: uuid.MustParse(t.text("event_id")),
			Rule: t.text("rule"),
		}
	case "backfill.adopted":
		return trade.BackfillAdopted{
			File: t.text("file"), Digest: get[[32]byte](t, "digest"),
			Streams: get[int64](t, "streams"), Events: get[int64](t, "events"),
			Breaks: get[int64](t, "breaks"),
		}
	case "price.marked":
		return markedOf(t)
	}
	return nil
}

func markedOf(t tree) trade.PriceMarked {
	b := trade.PriceMarked{
		Curve: t.text("commodity"), Currency: trade.Currency(t.text("currency")),
		Entered: t.entered(),
	}
	if t["market"] != nil {
		b.Curve += "/" + t.text("market")
	}
	for _, item := range get[[]any](t, "points") {
		p := item.(tree)
		point := trade.Point{Delivery: p.period("delivery"), Price: p.decimal("price")}
		b.Points = append(b.Points, point)
	}
	return b
}

func newOf(t tree) trade.New {
	i := get[tree](t, "instrument")
	b := trade.New{
		Book: t.text("book"), Counterparty: t.text("counterparty"), Trader: t.text("trader"),
		Side: trade.Side(t.text("side")),
		Instrument: trade.Instrument{
			Commodity: trade.Commodity(i.text("commodity")), Zone: i.text("zone"),
			Profile: i.text("profile"), Delivery: i.period("delivery"),
		},
		Quantity: t.quantity("quantity"), Capacity: t.decimal("capacity"),
		Price: t.decimal("price"), Currency: trade.Currency(t.text("currency")),
		Fee: t.decimal("fee"), PriorUTI: t.text("prior_uti"), CarriedIn: t.decimal("carried_in"),
		Entered: t.entered(),
	}
	if o := get[tree](i, "option"); o != nil {
		b.Instrument.Option = &trade.Option{
			Kind: o.text("kind"), Strike: o.decimal("strike"),
			From: get[time.Time](o, "from"), Until: get[time.Time](o, "until"),
		}
	}
	return b
}

func headOf(t tree) contract.Head {
	return contract.Head{
		Stream: t.text("stream"), Version: get[int64](t, "version"),
		EventID:    uuid.MustParse(t.text("event_id")),
		RecordedAt: get[time.Time](t, "recorded_at"), Digest: get[[32]byte](t, "digest"),
		History: get[[32]byte](t, "history"), Ended: get[bool](t, "ended"),
	}
}

func get[T any](t tree, name string) T {
	v, _ := t[name].(T)
	return v
}

func (t tree) text(name string) string           { return get[string](t, name) }
func (t tree) decimal(name string) trade.Decimal { return get[trade.Decimal](t, name) }

func (t tree) quantity(name string) trade.Quantity {
	q := get[tree](t, name)
	return trade.Quantity{Value: q.decimal("value"), Unit: trade.Unit(q.text("unit"))}
}

func (t tree) entered() (all []trade.Entered) {
	for _, item := range get[[]any](t, "entered") {
		e := item.(tree)
		all = append(all, trade.Entered{
			Field: e.text("field"), Value: e.decimal("value"), Unit: trade.Unit(e.text("unit")),
			Numerator: e.decimal("numerator"), Denominator: e.decimal("denominator"),
		})
	}
	return all
}

func (t tree) period(name string) trade.Period {
	p := get[tree](t, name)
	return trade.Period{
		Start: trade.Day(get[int64](p, "start")), End: trade.Day(get[int64](p, "end")),
	}
}

func (t tree) instant(name string) time.Time {
	v, _ := t[name].(time.Time) // null is the zero time
	return v
}
