package explain_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/explain"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// The README's story, in barrels. 70 are bought at 70 and marked at 72. On the 16th, 20 are novated
// for a fee of 10, and the correction to 25 comes 15 minutes later. Then the mark is 75.
const novated = `
	2025-01-10T09:00 NEW T70 "book":"CRUDE","counterparty":"ACME","trader":"trader/1","side":"buy",
		"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"70","unit":"bbl",
		"price":"70","currency":"USD"
	2025-01-15T17:30 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"72"}]
	2025-01-16T13:03 NOVATE T70 "role":"transferor","quantity":"20","unit":"bbl","fee":"-10",
		"new_uti":"T70-N","incoming":"NEWCO"
	2025-01-16T13:15 AMEND T70 "kind":"correction","corrects":"c3","restated":{"op":"NOVATE",
		"role":"transferor","quantity":"25","unit":"bbl","fee":"-10","new_uti":"T70-N",
		"incoming":"NEWCO"}
	2025-01-16T17:30 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"75"}]
`

// On the 16th as known at 13:10, 50 are open at 72: 100, less the fee of 10. As known at 13:20, 45
// are open: 90 less 10. The correction took 10.
func TestRestatementOfADay(t *testing.T) {
	t.Parallel()
	streams := story(t, novated)
	noon := at("2025-01-16T13:05")
	all := explain.Between(streams, trade.AsOf{Known: at("2025-01-16T13:10"), Effective: noon},
		trade.AsOf{Known: at("2025-01-16T13:20"), Effective: noon})
	require.Equal(t, []string{
		"CRUDE USD from -10 and 100 to -10 and 90",
		"late and corrected: NOVATE c4 by ops/2: 0 and -10",
	}, told(all))
}

// At the end of the 15th, 70 are open at 72: 140. At the end of the 16th, 45 are open at 75: 225,
// less the fee of 10. The 25 that left took 50 and the fee, and 45 gained 3 each.
func TestExplainOfTwoDays(t *testing.T) {
	t.Parallel()
	all := explain.Between(story(t, novated), endOf("2025-01-15"), endOf("2025-01-16"))
	require.Equal(t, []string{
		"CRUDE USD from 0 and 140 to -10 and 225",
		"novations and fees: NOVATE c4 by ops/2: -10 and -50",
		"price moves: MARK c5 by ops/2: 0 and 135",
	}, told(all))
}

// A day with a part of every class. At the end of the 15th, 100 barrels of A at 70 are marked at
// 72, and a put with a premium of 50 is worth 80: 200 + 30. On the 16th:
//
//	late          L bought 10 at 71 on the 15th, worth 10 at 72, and a P&L of 1 each
//	time          the put expires with that day, UTC: 80 are lost
//	new trade     N sells 30 at 74: 2 more than the mark
//	amendment     the price of A becomes 69: 1 for each of 100
//	exit          20 of A are terminated at 69 for a fee of 5; the mark was 72, so 60 are lost
//	settlement    10 of A are settled at 73: 1 more than the mark
//	price         50 are open, and the mark rises by 2
const busy = `
	2025-01-15T09:00 NEW A "book":"B","counterparty":"ACME","trader":"trader/1","side":"buy",
		"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"100","unit":"bbl",
		"price":"70","currency":"USD"
	2025-01-15T09:30 NEW P "book":"B","counterparty":"ACME","trader":"trader/1","side":"buy",
		"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"100","unit":"bbl",
		"price":"0.5","currency":"USD","option":{"kind":"put","strike":"60",
		"from":"2025-01-15T00:00:00Z","until":"2025-01-16T12:00:00Z"}
	2025-01-15T17:30 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"72"}]
	2025-01-15T17:31 MARK - "curve":"oil/BRENT/put/60/2025-01-16","currency":"USD",
		"points":[{"delivery":"2025-06","price":"0.8"}]
	2025-01-16T08:00 NEW L "effective_at":"2025-01-15T10:00:00Z","book":"B","counterparty":"ACME",
		"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2025-06",
		"quantity":"10","unit":"bbl","price":"71","currency":"USD"
	2025-01-16T09:00 NEW N "book":"B","counterparty":"ACME","trader":"trader/1","side":"sell",
		"commodity":"oil","zone":"BRENT","delivery":"2025-06","quantity":"30","unit":"bbl",
		"price":"74","currency":"USD"
	2025-01-16T10:00 AMEND A "kind":"amendment","price":"69"
	2025-01-16T11:00 CANCEL A "kind":"terminate","quantity":"20","unit":"bbl","fee":"-5"
	2025-01-16T12:00 SETTLE A "quantity":"10","unit":"bbl","price":"73"
	2025-01-16T17:30 MARK - "curve":"oil/BRENT","currency":"USD",
		"points":[{"delivery":"2025-06","price":"74"}]
`

func TestExplainOfABusyDay(t *testing.T) {
	t.Parallel()
	all := explain.Between(story(t, busy), endOf("2025-01-15"), endOf("2025-01-17"))
	require.Len(t, all, 1)
	require.Equal(t, []string{"230", "365"}, []string{total(all[0].From), total(all[0].To)})
	var parts []string
	for _, p := range all[0].Parts {
		parts = append(parts, string(p.Class)+": "+total(p.Value))
	}
	require.Equal(t, []string{
		"late and corrected: 10", "new trades: 60", "amendments: 100", "novations and fees: -65",
		"settlements: 10", "price moves: 100", "time: -80",
	}, parts)
}

func total(v explain.Value) string { return v.Total().String() }

// Without a mark a trade has no P&L, and no part of it is zero. The first mark has the difference.
func TestMissingMarkIsNeverZero(t *testing.T) {
	t.Parallel()
	streams := story(t, novated)
	all := explain.Between(streams, endOf("2025-01-09"), endOf("2025-01-14"))
	require.Equal(t, []string{
		"CRUDE USD from 0 and 0 to 0 and -, 1 without a mark",
		"new trades: NEW c1 by ops/2: 0 and -",
	}, told(all))
	all = explain.Between(streams, endOf("2025-01-09"), endOf("2025-01-15"))
	require.Equal(t, []string{
		"CRUDE USD from 0 and 0 to 0 and 140",
		"new trades: NEW c1 by ops/2: 0 and -",
		"price moves: MARK c2 by ops/2: 0 and 140",
	}, told(all))
	all = explain.Between(streams, endOf("2025-01-14"), endOf("2025-01-15"))
	require.Equal(t, []string{
		"CRUDE USD from 0 and - to 0 and 140, 1 without a mark",
		"price moves: MARK c2 by ops/2: 0 and -",
	}, told(all))
}

func at(minute string) time.Time {
	t, err := time.Parse("2006-01-02T15:04", minute)
	if err != nil {
		panic(err)
	}
	return t
}

// endOf is the question at the end of a day, as known then.
func endOf(day string) trade.AsOf {
	end := at(day + "T23:59")
	return trade.AsOf{Known: end, Effective: end}
}

// told shows differences with their parts.
func told(all []explain.Difference) (lines []string) {
	for _, d := range all {
		line := fmt.Sprintf("%s %s from %s to %s", d.Book, d.Currency, show(d.From), show(d.To))
		if d.Unmarked > 0 {
			line += fmt.Sprintf(", %d without a mark", d.Unmarked)
		}
		lines = append(lines, line)
		for _, p := range d.Parts {
			by := p.Instrument
			if c := p.Cause; c != nil {
				by = fmt.Sprintf("%s %s by %s", c.Operation, commandOf(c), c.Actor)
			}
			lines = append(lines, fmt.Sprintf("%s: %s: %s", p.Class, by, show(p.Value)))
		}
	}
	return lines
}

// commandOf returns the id of the story's command that an event records.
func commandOf(c *explain.Cause) string {
	for n := range 99 {
		if id := fmt.Sprint("c", n); trade.EventID(id, 0) == c.Event {
			return id
		}
	}
	return "a follow-up"
}

// story decides the commands of a story, and records each when it is entered. A command has a time,
// an operation, a UTI, and fields of an import line. Its id is c and its number.
func story(t *testing.T, text string) map[string][]trade.Event {
	t.Helper()
	var all []trade.Command
	commands := strings.Split(strings.ReplaceAll(text, "\n\t\t", ""), "\n\t")
	for i, command := range commands[1:] {
		all = append(all, commandIn(t, fmt.Sprint("c", i+1), command))
	}
	streams, err := explain.With(nil, all...)
	require.NoError(t, err)
	return streams
}

func commandIn(t *testing.T, id, text string) trade.Command {
	t.Helper()
	f := strings.SplitN(strings.TrimSpace(text), " ", 4)
	uti := `"uti":"` + f[2] + `",`
	if f[2] == "-" {
		uti = ""
	}
	line, err := lines.Parse(1, fmt.Appendf(nil, `{"command_id":"%s","entered_at":"%s:00Z",`+
		`"actor":"ops/2","approver":"ops/1","reason":"story","op":"%s",%s%s}`,
		id, f[0], f[1], uti, f[3]))
	require.NoError(t, err)
	return line.Command
}
