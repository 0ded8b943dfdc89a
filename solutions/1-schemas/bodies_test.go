package codec_test

import (
	"time"

	"github.com/google/uuid"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// bodies draws any body that its schema allows. The domain need not allow it.
func bodies(t *rapid.T) trade.Body { return rapid.OneOf(kinds...).Draw(t, "body") }

var kinds = []*rapid.Generator[trade.Body]{
	rapid.Custom(func(t *rapid.T) trade.Body {
		return trade.New{
			Book: text(t), Counterparty: text(t), Trader: text(t),
			Side:       pick(t, trade.Buy, trade.Sell),
			Instrument: instrument(t),
			Quantity:   quantity(t), Capacity: perUnit(t), Price: perUnit(t),
			Currency: pick(t, trade.Currency("EUR"), "USD", "JPY"),
			Fee:      amount(t), PriorUTI: text(t), CarriedIn: amount(t), Entered: entered(t),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		kind := pick(t, trade.Amendment, trade.Update)
		b := trade.Amend{Kind: kind, Trader: text(t), Counterparty: text(t)}
		b.Entered = entered(t)
		if coin(t) {
			b.Quantity = quantity(t)
		}
		if coin(t) {
			price := perUnit(t)
			b.Price = &price
		}
		return b
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		b := trade.Cancel{Kind: pick(t, trade.Void, trade.Terminate), Fee: amount(t)}
		b.Entered = entered(t)
		if coin(t) {
			b.Quantity = quantity(t)
		}
		return b
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		role := pick(t, trade.Transferor, trade.Remaining)
		return trade.Novate{
			Role: role, Quantity: quantity(t), Fee: amount(t), NewUTI: text(t), Incoming: text(t),
			Entered: entered(t),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		b := trade.Settle{Quantity: quantity(t), Price: perUnit(t), PriceSource: text(t)}
		b.Entered = entered(t)
		if coin(t) {
			b.From, b.To = instant(t), instant(t)
		}
		return b
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		settlement := pick(t, trade.Physical, trade.Cash)
		return trade.Exercise{
			Quantity: quantity(t), UnderlyingPrice: perUnit(t), Settlement: settlement,
			NewUTI: text(t), Entered: entered(t),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		id := digest(t)
		b := trade.Confirm{
			Kind:  pick(t, trade.Sent, trade.Matched, trade.Disputed),
			Event: uuid.UUID(id[:16]), Version: rapid.Int64().Draw(t, "version"),
			Reference: text(t), Method: text(t),
		}
		for range rapid.IntRange(0, 3).Draw(t, "differences") {
			b.Differences = append(b.Differences, trade.Difference{Term: text(t), Theirs: text(t)})
		}
		return b
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		return trade.CommandRefused{
			CommandID: text(t), Digest: digest(t), Rule: text(t), Detail: text(t), Line: text(t),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		b := trade.SnapshotTaken{
			Name: text(t), Digest: digest(t), Format: text(t), RecordedThrough: instant(t),
		}
		for range rapid.IntRange(0, 5).Draw(t, "partitions") {
			b.Cursor = append(b.Cursor, rapid.Int64().Draw(t, "offset"))
		}
		return b
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		id := digest(t)
		return trade.EventSkipped{
			Version: rapid.Int64().Draw(t, "version"), Event: uuid.UUID(id[:16]),
			Rule: text(t),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		return trade.BackfillAdopted{
			File: text(t), Digest: digest(t), Streams: rapid.Int64().Draw(t, "streams"),
			Events: rapid.Int64().Draw(t, "events"), Breaks: rapid.Int64().Draw(t, "breaks"),
		}
	}),
	rapid.Custom(func(t *rapid.T) trade.Body {
		b := trade.PriceMarked{Curve: curve(t), Currency: "EUR", Entered: entered(t)}
		for range rapid.IntRange(0, 5).Draw(t, "points") {
			b.Points = append(b.Points, trade.Point{Delivery: period(t), Price: perUnit(t)})
		}
		return b
	}),
}

func heads(t *rapid.T) contract.Head {
	id := digest(t)
	return contract.Head{
		Stream: text(t), Version: rapid.Int64().Draw(t, "version"), EventID: uuid.UUID(id[:16]),
		RecordedAt: instant(t), Digest: digest(t), History: digest(t), Ended: coin(t),
	}
}

func text(t *rapid.T) string { return rapid.StringN(0, 12, -1).Draw(t, "text") }
func coin(t *rapid.T) bool   { return rapid.Bool().Draw(t, "flag") }

// curve draws names with and without a market, also with an empty one.
func curve(t *rapid.T) string {
	market := pick(t, "", "/", "/CET/base", "/"+text(t))
	return string(pick(t, trade.Power, trade.Gas, trade.Oil)) + market
}

func pick[T any](t *rapid.T, from ...T) T { return rapid.SampledFrom(from).Draw(t, "pick") }

// perUnit and amount draw numbers of up to 28 digits, with the places of their scale.
func perUnit(t *rapid.T) trade.Decimal {
	number := rapid.StringMatching(`-?([0-9]{1,3}|[0-9]{22})(\.[0-9]{1,6})?`)
	return trade.Dec(number.Draw(t, "per unit"))
}

func amount(t *rapid.T) trade.Decimal {
	number := rapid.StringMatching(`-?([0-9]{1,3}|[0-9]{24})(\.[0-9]{1,4})?`)
	return trade.Dec(number.Draw(t, "amount"))
}

func quantity(t *rapid.T) trade.Quantity {
	return trade.Quantity{Value: perUnit(t), Unit: pick(t, trade.MWh, trade.BBL)}
}

func entered(t *rapid.T) (all []trade.Entered) {
	number := rapid.StringMatching(`-?([0-9]{1,3}|[0-9]{18})(\.[0-9]{1,10})?`)
	any := func(label string) trade.Decimal { return trade.Dec(number.Draw(t, label)) }
	for range rapid.IntRange(0, 2).Draw(t, "entered") {
		all = append(all, trade.Entered{
			Field: text(t), Value: any("value"), Unit: pick(t, trade.Therm, trade.KWh, "sack"),
			Numerator: any("numerator"), Denominator: any("denominator"),
		})
	}
	return all
}

func instant(t *rapid.T) time.Time {
	first := time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	last := time.Date(9999, 12, 31, 23, 59, 59, 999_999_000, time.UTC).UnixMicro()
	return time.UnixMicro(rapid.Int64Range(first, last).Draw(t, "instant")).UTC()
}

func period(t *rapid.T) trade.Period {
	start := rapid.Int32Range(-1000, 40000).Draw(t, "start")
	days := rapid.Int32Range(1, 400).Draw(t, "days")
	return trade.Period{Start: trade.Day(start), End: trade.Day(start + days)}
}

func digest(t *rapid.T) [32]byte {
	return [32]byte(rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "digest"))
}

func instrument(t *rapid.T) trade.Instrument {
	i := trade.Instrument{
		Commodity: pick(t, trade.Power, trade.Gas, trade.Oil), Zone: text(t), Profile: text(t),
		Delivery: period(t),
	}
	if coin(t) {
		i.Option = &trade.Option{
			Kind: pick(t, trade.Call, trade.Put), Strike: perUnit(t),
			From: instant(t), Until: instant(t),
		}
	}
	return i
}
