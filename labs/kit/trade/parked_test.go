package trade_test

import (
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
		require.Equal(t, want, parked.Event, name)
		r := d.refusedAs(t, on("03-01", settleAll.Body))
		require.Equal(t, trade.IsParked, r.Rule, name)
		require.Contains(t, r.Detail, "stream trade/T1 is parked: its version 3 by \"trader/1\"")
		require.Contains(t, r.Detail, want.ID.String())
	}
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
			if _, err := trade.Fold(T, history[:want+1], trade.AsOf{}); err != nil {
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
