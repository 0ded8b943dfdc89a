package trade_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// force appends the event of a command past the desk.
func (d *desk) force(cmd trade.Command) trade.Event {
	history := d.streams[cmd.Stream()]
	e := trade.Event{
		ID: trade.EventID(cmd.ID, 0), Version: int64(len(history)) + 1, Corrects: cmd.Corrects,
		EffectiveAt: cmd.EnteredAt, EnteredAt: cmd.EnteredAt, RecordedAt: cmd.EnteredAt,
		Actor: cmd.Actor, Body: cmd.Body,
	}
	d.streams[cmd.Stream()] = append(history, e)
	return e
}

// A command to a parked stream is refused, and names the first illegal event. A later event does
// not mend it.
func TestCommandToAParkedStreamIsRefused(t *testing.T) {
	t.Parallel()
	tooMuch := on("02-21", trade.Settle{Quantity: mwh("500"), Price: dec("55")})
	stray := on("02-22", settlePart.Body)
	stray.Corrects = uuid.Max
	for name, illegal := range map[string]trade.Command{
		"more than is open":             tooMuch,
		"a correction of no event":      stray,
		"a second NEW":                  on("02-22", bought.Body),
		"a correction with a late fold": corrects(bought, on("02-23", power("1", "50"))),
	} {
		d := newDesk()
		d.do(t, bought, settlePart)
		want := d.force(illegal)
		mend := corrects(illegal, on("02-24", trade.Settle{Quantity: mwh("1"), Price: dec("55")}))
		d.force(mend)
		legal, parked := trade.Legal(trade.TradeStream(T), d.streams[trade.TradeStream(T)])
		require.Len(t, legal, 2, name)
		require.Equal(t, want.ID, parked.Event, name)
		r := d.refusedAs(t, on("03-01", settleAll.Body))
		require.Equal(t, trade.IsParked, r.Rule, name)
		require.Contains(t, r.Detail, "stream trade/T1 is parked: its version 3 by \"trader/1\"")
		require.Contains(t, r.Detail, want.ID.String())
	}
}

// An event that cannot be decoded parks its stream, like an illegal one. That holds for a trade, a
// curve and any other stream, of which no state has anything.
func TestUnreadableEventParksItsStream(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	unknown := trade.Unreadable{Cause: "no schema under this id"}
	unread := on("02-21", settlePart.Body)
	unread.Body = unknown
	d.force(unread)
	d.force(on("02-22", settlePart.Body))
	curve, refused := trade.CurveStream("x"), "refused/T1"
	for _, stream := range []string{curve, refused} {
		d.streams[stream] = []trade.Event{{Version: 1, Body: unknown}}
		_, parked := trade.Legal(stream, d.streams[stream])
		require.Equal(t, trade.IsUnreadable, parked.Rule, stream)
	}
	state := trade.StateOf(d.streams, trade.AsOf{})
	require.Len(t, state.Parked, 2)
	require.Equal(t, curve, state.Parked[0].Stream)
	require.EqualValues(t, 2, state.Parked[1].Version)
	require.Equal(t, trade.IsUnreadable, state.Parked[1].Rule)
	require.Equal(t, "no schema under this id", state.Parked[1].Detail)
	require.Equal(t, "100", state.Trades[0].Open.String(), "the event after it waits")
	require.Equal(t, trade.IsParked, d.refusedAs(t, on("03-01", settleAll.Body)).Rule)
}

// A command that reaches a parked stream by its follow-ups is refused, too.
func TestFollowUpOnAParkedStreamIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, remain20)
	d.force(of("T2", on("02-21", trade.Settle{Quantity: mwh("500"), Price: dec("55")})))
	r := d.refusedAs(t, corrects(remain20, on("02-22", onto("10", "T2"))))
	require.Equal(t, trade.IsParked, r.Rule)
	require.Contains(t, r.Detail, "the follow-up on T2 would be refused: stream trade/T2 is parked")
}

// An illegal event has no follow-ups, and neither has an event after it. Those before it keep
// theirs.
func TestIllegalEventHasNoFollowUps(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	want := d.followUps(t, remain20)
	illegal := d.force(on("02-22", onto("500", "T3")))
	later := d.force(on("02-23", onto("5", "T4")))
	history := d.streams[trade.TradeStream(T)]
	require.Equal(t, want, trade.FollowUps(T, history, history[1]))
	require.Empty(t, trade.FollowUps(T, history, illegal))
	require.Empty(t, trade.FollowUps(T, history, later))
	require.Len(t, trade.Mismatches(d.streams, time.Time{}), 1, "only T2 is to begin")
}

// ruin appends some random events to random streams, past the desk. Most of them are illegal.
func (d *desk) ruin(t *rapid.T) {
	streams := slices.Sorted(maps.Keys(d.streams))
	for i := range rapid.IntRange(1, 6).Draw(t, "illegal events") {
		stream := rapid.SampledFrom(append(streams, "trade/T99", "curve/x")).Draw(t, "stream")
		when := first.AddDate(0, 0, rapid.IntRange(0, 60).Draw(t, "day"))
		e := trade.Event{ID: uuid.UUID{0xff, byte(i)}, Version: int64(len(d.streams[stream])) + 1,
			EffectiveAt: when, EnteredAt: when, RecordedAt: d.now, Actor: "x",
			Body: rapid.SampledFrom([]trade.Body{
				bought.Body, settlePart.Body, voidIt.Body, trade.PriceMarked{Curve: "x"},
				trade.CommandRefused{}, trade.Amend{}, trade.Unreadable{}, nil,
				mark("02-03", "power/CET/base", "EUR", "2025-03", "1").Body,
				mark("02-03", "power/CET/base", "USD", "2025-03", "1").Body,
			}).Draw(t, "body")}
		if rapid.Bool().Draw(t, "corrects") {
			unknown := trade.Event{ID: uuid.Max}
			e.Corrects = rapid.SampledFrom(append(d.streams[stream], unknown)).Draw(t, "of").ID
		}
		d.streams[stream] = append(d.streams[stream], e)
	}
}

// Illegal events park their streams and change nothing else: the state equals that of the longest
// legal prefixes, to the byte, apart from the list of parked streams. By steps and from scratch it
// is the same, as of all times.
func TestIllegalEventsParkOnlyTheirStreams(t *testing.T) {
	t.Parallel()
	parked := 0
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		d.ruin(t)
		legal := map[string][]trade.Event{}
		for stream, history := range d.streams {
			legal[stream], _ = trade.Legal(stream, history)
		}
		want := trade.StateOf(d.streams, trade.AsOf{})
		require.Equal(t, string(want.Canonical()),
			string(bookOf(t, d.arrivals(t)).State().Canonical()))
		for _, as := range []trade.AsOf{{}, anyTimes(t, d)} {
			got := trade.StateOf(d.streams, trade.AsOf{Effective: as.Effective})
			parked += len(got.Parked)
			got.Parked = nil
			alone := trade.StateOf(legal, trade.AsOf{Effective: as.Effective})
			require.Equal(t, string(alone.Canonical()), string(got.Canonical()))
			trade.Mismatches(d.streams, as.Known)
		}
	})
	require.Positive(t, parked)
}

// skip appends an event that skips the event which parks a stream.
func (d *desk) skip(p trade.Parked, when time.Time) trade.Event {
	history := d.streams[p.Stream]
	e := trade.Event{
		ID:      trade.EventID(trade.SkipID(p.Event), 0),
		Version: int64(len(history)) + 1, EffectiveAt: when, EnteredAt: when, RecordedAt: when,
		Actor: "ops/1",
		Body:  trade.EventSkipped{Version: p.Version, Event: p.Event, Rule: string(p.Rule)},
	}
	d.streams[p.Stream] = append(history, e)
	return e
}

// A skip leaves exactly one illegal event out, and the events after it count as far as they are
// legal: the state equals that of the events that count, to the byte, apart from the lists of
// parked streams and skipped events. By steps and from scratch it is the same. As known before the
// skips, it is the state of before.
func TestSkipsLeaveOnlyIllegalEventsOut(t *testing.T) {
	t.Parallel()
	skipped, whole := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		d := histories().Draw(t, "history")
		d.ruin(t)
		before, when := trade.StateOf(d.streams, trade.AsOf{}), d.now
		for _, parked := range before.Parked {
			for p := &parked; p != nil && rapid.IntRange(0, 4).Draw(t, "stop") > 0; {
				when = when.Add(time.Second)
				d.skip(*p, when)
				_, p = trade.Legal(parked.Stream, d.streams[parked.Stream])
			}
		}
		legal := map[string][]trade.Event{}
		for stream, history := range d.streams {
			legal[stream], _ = trade.Legal(stream, history)
		}
		got := trade.StateOf(d.streams, trade.AsOf{})
		require.Equal(t, string(got.Canonical()),
			string(bookOf(t, d.arrivals(t)).State().Canonical()))
		then := trade.StateOf(d.streams, trade.AsOf{Known: d.now})
		require.Equal(t, string(before.Canonical()), string(then.Canonical()))
		skipped += len(got.Skipped)
		if len(got.Parked) == 0 && len(got.Skipped) > 1 {
			whole++
		}
		got.Parked, got.Skipped = nil, nil
		alone := trade.StateOf(legal, trade.AsOf{})
		require.Equal(t, string(alone.Canonical()), string(got.Canonical()))
		trade.Mismatches(d.streams, time.Time{})
	})
	require.Positive(t, skipped)
	require.Positive(t, whole)
}

// The state names a skipped event, and the desk takes commands again.
func TestSkippedEventIsInTheState(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	illegal := d.force(on("02-21", trade.Settle{Quantity: mwh("500"), Price: dec("55")}))
	d.force(on("02-22", settlePart.Body))
	stream, when := trade.TradeStream(T), at("2025-02-23T09:00:00Z")
	_, parked := trade.Legal(stream, d.streams[stream])
	by := d.skip(*parked, when)
	state := trade.StateOf(d.streams, trade.AsOf{})
	require.Empty(t, state.Parked)
	require.Equal(t, []trade.Skipped{{
		Stream: stream, Version: 2, Event: illegal.ID, Actor: "trader/1", Rule: trade.Exceeds,
		By: by.ID,
	}}, state.Skipped)
	require.Contains(t, string(state.Canonical()),
		`{"skipped":{"stream":"trade/T1","version":2,"event":"`+illegal.ID.String()+`",`)
	require.Equal(t, "70", state.Trades[0].Open.String())
	d.do(t, on("03-01", settleAll.Body))

	// The skip of an event that is not there parks the stream, until it is skipped itself.
	stray := d.skip(trade.Parked{Stream: stream, Event: uuid.Max}, when)
	_, again := trade.Legal(stream, d.streams[stream])
	require.Equal(t, trade.UnknownEvent, again.Rule)
	require.Equal(t, stray.ID, again.Event)
	d.skip(*again, when)
	legal, again := trade.Legal(stream, d.streams[stream])
	require.Nil(t, again)
	require.Len(t, legal, 3)
}

// A later program may decode an event that was skipped because no program could. The event stays
// out, and the state is the same.
func TestSkippedEventStaysOut(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought)
	late := d.force(on("02-21", settlePart.Body))
	stream := trade.TradeStream(T)
	unread := late
	unread.Body = trade.Unreadable{Cause: "no schema under this id"}
	d.streams[stream][1] = unread
	_, parked := trade.Legal(stream, d.streams[stream])
	d.skip(*parked, at("2025-02-23T09:00:00Z"))
	before := trade.StateOf(d.streams, trade.AsOf{})
	d.streams[stream][1] = late
	after := trade.StateOf(d.streams, trade.AsOf{})
	require.Equal(t, string(before.Canonical()), string(after.Canonical()))
	require.Empty(t, after.Parked)
	require.Equal(t, "100", after.Trades[0].Open.String())
}

// An illegal event counts from the time at which it is known. The state names it.
func TestParkedStreamIsInTheState(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, settlePart)
	before := d.state(t)
	e := d.force(on("02-21", trade.Settle{Quantity: mwh("500"), Price: dec("55")}))
	state := trade.StateOf(d.streams, trade.AsOf{})
	require.Equal(t, []trade.Parked{{
		Stream: "trade/T1", Version: 3, Event: e.ID, Actor: "trader/1", Rule: trade.Exceeds,
		Detail: "500 MWh asked for, 70 MWh is open", Book: "power",
	}}, state.Parked)
	require.Contains(t, string(state.Canonical()), `{"parked":{"stream":"trade/T1","version":3,`)
	require.NotEqual(t, before.Digest(), state.Digest())
	then := trade.StateOf(d.streams, trade.AsOf{Known: e.RecordedAt.Add(-time.Microsecond)})
	require.Equal(t, before.Digest(), then.Digest())
}

// Streams of refusals and of snapshots have no legality, and are never parked.
func TestOtherStreamIsNeverParked(t *testing.T) {
	t.Parallel()
	for _, stream := range []string{"refused/T1", "snapshots", "other/x"} {
		history := []trade.Event{{Version: 1, Body: trade.CommandRefused{}},
			{Version: 2, Corrects: uuid.Max, Body: trade.CommandRefused{}}}
		legal, parked := trade.Legal(stream, history)
		require.Nil(t, parked, stream)
		require.Equal(t, history, legal, stream)
	}
}

// A stream is parked from its first event, if that is illegal, and by an event whose time has no
// name in JSON. There is no contract then, and no empty one in the state.
func TestStreamIsParkedFromItsFirstEvent(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.force(settlePart)
	d.force(bought)
	late := on("02-03", power("1", "50"))
	late.UTI, late.EnteredAt = "T2", at("9999-12-31T23:00:00Z").Add(2*time.Hour)
	d.force(late)
	state := trade.StateOf(d.streams, trade.AsOf{})
	require.Len(t, state.Parked, 2)
	require.Equal(t, trade.NotBegun, state.Parked[0].Rule)
	require.Equal(t, trade.BadTerms, state.Parked[1].Rule)
	require.Empty(t, state.Trades)
	_, ok := bookOf(t, d.all()).Trade(T)
	require.False(t, ok)
	require.Equal(t, state.Digest(), bookOf(t, d.all()).State().Digest())
}

func TestMarkOnAParkedCurveIsRefused(t *testing.T) {
	t.Parallel()
	d := newDesk()
	first := mark("02-03", "power/CET/base", "EUR", "2025-03", "1")
	d.do(t, first)
	stray := d.streams[first.Stream()][0]
	stray.Version, stray.Corrects, stray.ID = 2, uuid.Max, uuid.UUID{1}
	d.streams[first.Stream()] = append(d.streams[first.Stream()], stray)
	r := d.refusedAs(t, mark("02-04", "power/CET/base", "EUR", "2025-03", "2"))
	require.Equal(t, trade.IsParked, r.Rule)
}

// A mark past the desk parks its curve by the rules of the desk: its curve is that of the stream,
// and its currency that of all other marks. The only mark may change its currency.
func TestMarkOfAnotherCurveOrCurrencyParks(t *testing.T) {
	t.Parallel()
	euro := mark("02-03", powerCurve, "EUR", "2025-03", "1")
	second := mark("02-04", powerCurve, "EUR", "2025-04", "1")
	dollar := mark("02-05", powerCurve, "USD", "2025-05", "1")
	oil := mark("02-06", "oil/BRENT", "EUR", "2025-06", "1")
	for name, c := range map[string]struct {
		before  []trade.Command
		illegal trade.Command
		rule    trade.Rule // none: the event is legal
	}{
		"another curve":              {[]trade.Command{euro}, oil, trade.BadTerms},
		"the first of another curve": {nil, oil, trade.BadTerms},
		"another currency":           {[]trade.Command{euro}, dollar, trade.OtherCurrency},
		"corrected to another curve": {[]trade.Command{euro}, corrects(euro, oil), trade.BadTerms},
		"the only one, corrected":    {[]trade.Command{euro}, corrects(euro, dollar), ""},
		"the first of two, corrected": {[]trade.Command{euro, second}, corrects(euro, dollar),
			trade.OtherCurrency},
		"the second of two, corrected": {[]trade.Command{euro, second}, corrects(second, dollar),
			trade.OtherCurrency},
		"the old currency again": {[]trade.Command{euro, corrects(euro, dollar)}, second,
			trade.OtherCurrency},
	} {
		d := newDesk()
		d.do(t, c.before...)
		stream := euro.Stream()
		e := d.force(c.illegal)
		if s := c.illegal.Stream(); s != stream { // the mark stands on a stream of another curve
			delete(d.streams, s)
			e.Version = int64(len(d.streams[stream])) + 1
			d.streams[stream] = append(d.streams[stream], e)
		}
		_, parked := trade.Legal(stream, d.streams[stream])
		if c.rule == "" {
			require.Nil(t, parked, name)
			continue
		}
		require.NotNil(t, parked, name)
		require.Equal(t, c.rule, parked.Rule, name)
		require.Equal(t, e.ID, parked.Event, name)
		require.Equal(t, string(trade.StateOf(d.streams, trade.AsOf{}).Canonical()),
			string(bookOf(t, d.all()).State().Canonical()), name)
	}
}

// The canonical state names a parked stream by its event and its rule, without the detail: that is
// text for people, and another wording must not change a digest. The detail names an operation,
// not a type of the program.
func TestCanonicalStateHasNoDetail(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, of("T7", bought), of("T8", bought))
	force := func(stream string, b trade.Body) {
		version := int64(len(d.streams[stream])) + 1
		d.streams[stream] = append(d.streams[stream], trade.Event{ID: uuid.UUID{0xff},
			Version: version, EffectiveAt: d.now, EnteredAt: d.now, RecordedAt: d.now, Body: b})
	}
	force("curve/"+powerCurve, bought.Body)
	force("curve/oil/BRENT", nil)
	force("trade/T7", trade.PriceMarked{})
	force("trade/T8", nil)
	state := trade.StateOf(d.streams, trade.AsOf{})
	var details []string
	for _, p := range state.Parked {
		details = append(details, p.Detail)
	}
	require.Equal(t, []string{
		"an unknown kind is not an event of a curve", "NEW is not an event of a curve",
		"MARK is not an event of a contract", "an unknown kind is not an event of a contract",
	}, details)
	before := state.Digest()
	require.NotContains(t, string(state.Canonical()), "not an event")
	for i := range state.Parked {
		state.Parked[i].Detail = "another wording"
	}
	require.Equal(t, before, state.Digest())
}

// The longest legal prefix is that of a fold of every prefix, for random histories with random
// corrections and times, most of them illegal.
func TestLegalPrefixIsThatOfEveryFold(t *testing.T) {
	t.Parallel()
	whole, cut := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		var history []trade.Event
		for v := range rapid.IntRange(1, 8).Draw(t, "events") {
			e := trade.Event{ID: uuid.UUID{byte(v + 1)}, Version: int64(v + 1),
				EffectiveAt: early.AddDate(0, 0, rapid.IntRange(0, 3).Draw(t, "day"))}
			if v > 0 && rapid.IntRange(0, 2).Draw(t, "corrects") == 0 {
				e.Corrects = uuid.UUID{byte(rapid.IntRange(1, v).Draw(t, "event"))}
			}
			e.Body = rapid.SampledFrom([]trade.Body{
				trade.Settle{Quantity: mwh("30"), Price: dec("55")}, trade.Cancel{Kind: trade.Void},
				trade.Amend{Kind: trade.Amendment, Quantity: mwh("60")}, bought.Body,
			}).Draw(t, "body")
			if v == 0 {
				e.EffectiveAt, e.Body = early, bought.Body
			}
			history = append(history, e)
		}
		want := 0
		for want < len(history) {
			if _, parked := trade.Fold(T, history[:want+1], trade.AsOf{}); parked != nil {
				break
			}
			want++
		}
		legal, parked := trade.Legal(trade.TradeStream(T), history)
		require.Len(t, legal, want)
		require.Equal(t, want == len(history), parked == nil)
		if parked == nil {
			whole++
		} else {
			cut++
		}
	})
	require.Positive(t, whole)
	require.Positive(t, cut)
}
