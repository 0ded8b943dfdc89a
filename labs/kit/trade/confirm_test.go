package trade_test

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// confirm returns a report about the terms after the event of a command.
func confirm(kind string, about trade.Command) trade.Confirm {
	return trade.Confirm{Kind: kind, Event: trade.EventID(about.ID, 0), Reference: "CONF-1"}
}

func sent(about trade.Command) trade.Confirm {
	c := confirm(trade.Sent, about)
	c.Method = "swift"
	return c
}

func disputed(about trade.Command) trade.Confirm {
	c := confirm(trade.Disputed, about)
	c.Differences = []trade.Difference{{Term: "price", Theirs: "50.50"}}
	return c
}

// confirmationOf folds the confirmation of a contract as known at a time.
func confirmationOf(d *desk, uti string, known time.Time) trade.Confirmation {
	return trade.Confirmation{
		ToConfirm: trade.ToConfirmOf(uti, d.streams[trade.TradeStream(uti)], known),
		Reported:  trade.ReportedOf(uti, d.streams[trade.ConfirmationStream(uti)], known),
	}
}

// Each report moves the confirmation. A change of a term that the counterparty sees makes it due
// again, and the reports about earlier terms do not count.
func TestEventsMoveTheConfirmation(t *testing.T) {
	t.Parallel()
	amend := on("02-10", trade.Amend{Kind: trade.Amendment, Price: ref("51")})
	trader := on("02-11", trade.Amend{Kind: trade.Update, Trader: "trader/2"})
	party := on("02-12", trade.Amend{Kind: trade.Update, Counterparty: "cpty/9"})
	moved := corrects(amend, on("02-17", trade.Amend{Kind: trade.Amendment, Price: ref("52")}))
	oldSent := on("02-04", sent(bought))
	steps := []struct {
		cmd     trade.Command
		version int64
		since   string
		status  string
	}{
		{bought, 1, "02-03", trade.Due},
		{oldSent, 1, "02-03", trade.Sent},
		{on("02-05", disputed(bought)), 1, "02-03", trade.Disputed},
		{on("02-06", confirm(trade.Matched, bought)), 1, "02-03", trade.Matched},
		{amend, 2, "02-10", trade.Due},
		{on("02-10", confirm(trade.Matched, bought)), 2, "02-10", trade.Due},
		{trader, 2, "02-10", trade.Due},
		{on("02-11", sent(trader)), 2, "02-10", trade.Sent},
		{on("02-11", confirm(trade.Matched, amend)), 2, "02-10", trade.Matched},
		{party, 4, "02-12", trade.Due},
		{settlePart, 4, "02-12", trade.Due},
		{on("02-12", sent(settlePart)), 4, "02-12", trade.Sent},
		{moved, 6, "02-17", trade.Due}, // from the entry of the correction on
		{corrects(oldSent, on("02-18", disputed(moved))), 6, "02-17", trade.Disputed},
		{voidIt, 7, "02-25", trade.Due}, // the counterparty has a document of no contract
		{on("02-26", confirm(trade.Matched, voidIt)), 7, "02-25", trade.Matched},
	}
	d := newDesk()
	for i, s := range steps {
		d.do(t, s.cmd)
		c := confirmationOf(d, T, time.Time{})
		status, last := c.Standing()
		require.Equal(t, s.status, status, "step %d", i)
		require.Equal(t, s.status == trade.Due, last == nil, "step %d", i)
		require.Equal(t, s.version, c.Version, "step %d", i)
		require.Equal(t, at("2025-"+s.since+"T12:00:00Z"), c.Since, "step %d", i)
		require.True(t, c.Needed(), "step %d", i)
	}
	require.Equal(t, "cpty/9", confirmationOf(d, T, time.Time{}).Counterparty)
}

// As known at a time, later events have not happened.
func TestConfirmationAsKnown(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, bought, on("02-04", sent(bought)), voidIt)
	for day, want := range map[string]string{"02-03": trade.Due, "02-04": trade.Sent,
		"02-25": trade.Due} {
		status, _ := confirmationOf(d, T, at("2025-"+day+"T23:00:00Z")).Standing()
		require.Equal(t, want, status, day)
	}
	require.False(t, confirmationOf(d, T, at("2025-02-01T00:00:00Z")).Needed())
	never := newDesk()
	never.do(t, bought, voidIt)
	require.False(t, confirmationOf(never, T, time.Time{}).Needed(), "nobody heard of it")
}

// An illegal event of the contract or of the confirmation parks that stream: the events before it
// count, and the answer says so.
func TestParkedConfirmation(t *testing.T) {
	t.Parallel()
	for _, bad := range []trade.Body{trade.Unreadable{Cause: "damaged"}, settlePart.Body,
		trade.Confirm{Kind: trade.Sent}} {
		d := newDesk()
		d.do(t, bought, on("02-04", sent(bought)))
		stream := trade.ConfirmationStream(T)
		d.streams[stream] = append(d.streams[stream], trade.Event{ID: uuid.UUID{1}, Version: 2,
			EffectiveAt: at("2025-02-05T12:00:00Z"), EnteredAt: at("2025-02-05T12:00:00Z"),
			Body: bad})
		c := confirmationOf(d, T, time.Time{})
		status, _ := c.Standing()
		require.Equal(t, trade.Sent, status)
		require.True(t, c.Waiting)
		require.False(t, c.Parked)
		require.Equal(t, trade.IsParked, d.refusedAs(t, on("02-06", sent(bought))).Rule)
	}
	d := newDesk()
	d.do(t, bought)
	d.streams[trade.TradeStream(T)] = append(d.streams[trade.TradeStream(T)], trade.Event{
		ID: uuid.UUID{1}, Version: 2, Body: trade.Unreadable{Cause: "damaged"}})
	c := confirmationOf(d, T, time.Time{})
	require.True(t, c.Parked)
	require.Equal(t, int64(1), c.Version)
}

// An agreement is due from its entry or its effect on, whichever comes first.
func TestConfirmationIsDueFromTheAgreement(t *testing.T) {
	t.Parallel()
	for effect, want := range map[string]string{"02-01": "02-01", "02-09": "02-03"} {
		d := newDesk()
		d.do(t, effective(effect, bought))
		require.Equal(t, at("2025-"+want+"T12:00:00Z"), confirmationOf(d, T, time.Time{}).Since)
	}
}

// A contract of Friday, 25 April 2025, in Brussels. The first of May is a holiday.
func TestConfirmationIsLateAfterBusinessDays(t *testing.T) {
	t.Parallel()
	zone, err := trade.Zone("BE")
	require.NoError(t, err)
	mayday, err := trade.ParseDay("2025-05-01")
	require.NoError(t, err)
	in := trade.Calendar{Zone: zone, Holidays: map[trade.Day]bool{mayday: true}}
	for days, want := range []string{
		"2025-04-25T21:59:59.999999Z", "2025-04-28T21:59:59.999999Z",
		"2025-04-29T21:59:59.999999Z", "2025-04-30T21:59:59.999999Z",
		"2025-05-02T21:59:59.999999Z", "2025-05-05T21:59:59.999999Z",
	} {
		c := trade.Confirmation{ToConfirm: trade.ToConfirm{Version: 1,
			Since: at("2025-04-24T22:00:00Z")}}
		deadline := c.Deadline(days, in)
		require.Equal(t, at(want), deadline, days)
		require.False(t, c.Late(deadline, days, in))
		require.True(t, c.Late(deadline.Add(time.Microsecond), days, in))
		c.Reports = []trade.Report{{Kind: trade.Disputed, Terms: 1}}
		require.True(t, c.Late(deadline.Add(time.Microsecond), days, in))
		c.Reports = append(c.Reports, trade.Report{Kind: trade.Matched, Terms: 1})
		require.False(t, c.Late(deadline.Add(time.Microsecond), days, in))
	}
}

// naiveVersion folds every prefix of a history, and returns the last version at which a term of the
// contract differs from the prefix before.
func naiveVersion(uti string, events []trade.Event) (version int64) {
	seen := ""
	for n := range events {
		now, _ := trade.Fold(uti, events[:n+1], trade.AsOf{})
		text := ""
		if now.Status != "" && now.Status != trade.Voided {
			all, _ := json.Marshal([]any{now.Counterparty, now.Side, now.Instrument, now.Price,
				now.Currency, now.Contracted, now.Terminated, now.Novated})
			text = string(all)
		}
		if text != seen {
			version, seen = events[n].Version, text
		}
	}
	return version
}

// naiveStatus looks for the report that counts, without slots: of each corrected event only the
// last correction, and of those about the terms the last in time.
func naiveStatus(reports []trade.Event, version int64) string {
	status, place, root := trade.Due, -1, map[[16]byte]int{}
	for n, e := range reports {
		root[e.ID] = n
		if first, corrects := root[e.Corrects]; corrects {
			root[e.ID] = first
		}
	}
	var latest time.Time
	for n, e := range reports {
		c := e.Body.(trade.Confirm)
		replaced := slices.ContainsFunc(reports[n+1:], func(o trade.Event) bool {
			return root[o.ID] == root[e.ID]
		})
		later := e.EffectiveAt.After(latest) ||
			e.EffectiveAt.Equal(latest) && root[e.ID] > place
		if !replaced && c.Version >= version && later {
			status, latest, place = c.Kind, e.EffectiveAt, root[e.ID]
		}
	}
	return status
}

// aboutConfirmation turns cmd into a report about the confirmation of its contract, or into the
// correction of an earlier report.
func aboutConfirmation(t *rapid.T, d *desk, cmd trade.Command) trade.Command {
	cmd.Corrects, cmd.PriceUnit = uuid.Nil, ""
	cmd.Body = anyConfirm(t, d.streams[trade.TradeStream(cmd.UTI)])
	reports := d.streams[cmd.Stream()]
	if len(reports) > 0 && rapid.IntRange(0, 2).Draw(t, "correct report") == 0 {
		cmd.Corrects = rapid.SampledFrom(reports).Draw(t, "of report").ID
	}
	return cmd
}

// Over random histories, the confirmations are those of a naive model, in any order of arrival, and
// the state is the same as without them.
func TestConfirmationsMatchANaiveModel(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	rapid.Check(t, func(t *rapid.T) {
		d := newDesk()
		cast := rapid.SampledFrom(casts).Draw(t, "cast")
		for i := range 20 {
			cmd := anyCommand(t, d, cast, i)
			if d.send(cmd); len(utis(d)) > 0 {
				cmd.ID, cmd.UTI = cmd.ID+"/report", rapid.SampledFrom(utis(d)).Draw(t, "about")
				d.send(aboutConfirmation(t, d, cmd))
			}
		}
		without := map[string][]trade.Event{}
		for stream, events := range d.streams {
			if trade.Folds(stream) {
				without[stream] = events
			}
		}
		require.Equal(t, trade.StateOf(without, trade.AsOf{}).Digest(),
			trade.StateOf(d.streams, trade.AsOf{}).Digest())
		for _, uti := range utis(d) {
			c := confirmationOf(d, uti, time.Time{})
			version := naiveVersion(uti, d.streams[trade.TradeStream(uti)])
			require.Equal(t, version, c.Version)
			status, _ := c.Standing()
			reports := d.streams[trade.ConfirmationStream(uti)]
			require.Equal(t, naiveStatus(reports, version), status)
			seen[status]++
			for _, events := range d.streams {
				slices.Reverse(events)
			}
			require.Equal(t, c, confirmationOf(d, uti, time.Time{}))
			for _, events := range d.streams {
				slices.Reverse(events)
			}
		}
	})
	for _, status := range []string{trade.Due, trade.Sent, trade.Matched, trade.Disputed} {
		require.Positive(t, seen[status], status)
	}
}
