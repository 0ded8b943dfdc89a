package remit_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var dec = trade.Dec

// A step is one command of a story.
type step struct {
	at    string
	uti   string
	body  trade.Body
	wrong int // 1-based: the event of the story that the command corrects
	wants string
}

// play sends the commands of a story, and checks the records that each of them causes, of all
// contracts: the type, the contract, the quantity and the price.
func play(t *testing.T, d *reporttest.Desk, story []step) {
	t.Helper()
	var events []trade.Event
	known := 0
	for i, s := range story {
		cmd := trade.Command{UTI: s.uti, EnteredAt: reporttest.At(s.at), Body: s.body}
		if s.wrong > 0 {
			cmd.Corrects = events[s.wrong-1].ID
		}
		e, err := d.Send(cmd)
		require.NoError(t, err, "step %d", i+1)
		events = append(events, e)
		all := d.Rows(t, remit.Table1())
		var got []string
		for _, r := range all[known:] {
			got = append(got, shown(r))
		}
		require.Equal(t, s.wants, strings.Join(got, ", "), "step %d: %T", i+1, s.body)
		known = len(all)
	}
}

func shown(r report.Row) string {
	set := remit.Table1()
	s := fmt.Sprintf("%s %s %s@%s", set.Text(r, "58"), set.Text(r, "31"), set.Text(r, "41"),
		set.Text(r, "35"))
	if linked := set.Text(r, "32"); linked != "" {
		s += " of " + linked
	}
	return s
}

// Each row of the mapping of events to records (TRUM 4.7; ACER FAQ 1.1.33 and 1.1.12).
func TestMapping(t *testing.T) {
	t.Parallel()
	const day = "2025-01-02"
	begin := step{day, "A", reporttest.Forward("100", "80"), 0, "N A 100@80"}
	option := step{day, "A", reporttest.Call("100", "2", "2025-05-15"), 0, "N A 100@2"}
	amend := reporttest.Amendment("82", "")
	stories := map[string][]step{
		"amendment is M": {begin, {"2025-01-03", "A", amend, 0, "M A 100@82"}},
		"update is M": {begin,
			{"2025-01-03", "A", trade.Amend{Kind: trade.Update, Trader: "ben"}, 0, "M A 100@80"}},
		"correction is E and N": {begin,
			{"2025-01-04", "A", reporttest.Forward("100", "81"), 1, "E A 100@80, N A 100@81"}},
		"correction of M is E and M": {begin, {"2025-01-03", "A", amend, 0, "M A 100@82"},
			{"2025-01-04", "A", reporttest.Amendment("83", ""), 2,
				"E A 100@82, M A 100@83"}},
		"correction withdraws what follows": {begin, {"2025-01-03", "A", amend, 0, "M A 100@82"},
			{"2025-01-04", "A", reporttest.Forward("90", "80"), 1,
				"E A 100@82, E A 100@80, N A 90@80, M A 90@82"}},
		"void is E for each record": {begin, {"2025-01-03", "A", amend, 0, "M A 100@82"},
			{"2025-01-04", "A", trade.Cancel{Kind: trade.Void}, 0, "E A 100@82, E A 100@80"}},
		"termination in full is C": {begin,
			{"2025-01-03", "A", trade.Cancel{Kind: trade.Terminate}, 0, "C A 100@80"}},
		"termination in part is M": {begin, {"2025-01-03", "A",
			trade.Cancel{Kind: trade.Terminate, Quantity: reporttest.MWh("30")}, 0, "M A 70@80"}},
		"another counterparty is C and N": {begin, {"2025-01-03", "A",
			trade.Novate{Role: trade.Remaining, NewUTI: "B", Incoming: "BETA"}, 0,
			"C A 100@80, N B 100@80 of A"}},
		"we leave: C": {begin, {"2025-01-03", "A",
			trade.Novate{Role: trade.Transferor, NewUTI: "B", Incoming: "BETA"}, 0,
			"C A 100@80"}},
		"novation in part is M and N": {begin, {"2025-01-03", "A",
			trade.Novate{Role: trade.Remaining, Quantity: reporttest.MWh("40"), NewUTI: "B",
				Incoming: "BETA"}, 0, "M A 60@80, N B 40@80 of A"}},
		"exercise is only the result": {option, {"2025-05-15", "A",
			trade.Exercise{UnderlyingPrice: dec("90"), Settlement: trade.Physical, NewUTI: "B"},
			0, "N B 100@70 of A"}},
		"exercise for cash is nothing": {option, {"2025-05-15", "A",
			trade.Exercise{UnderlyingPrice: dec("90"), Settlement: trade.Cash}, 0, ""}},
		"settlement is nothing": {begin,
			{"2025-07-03", "A", trade.Settle{Quantity: reporttest.MWh("40"), Price: dec("85")},
				0, ""}},
		"a termination that never was": {begin,
			{"2025-01-03", "A", trade.Cancel{Kind: trade.Terminate}, 0, "C A 100@80"},
			{"2025-01-04", "A", trade.Cancel{Kind: trade.Terminate,
				Quantity: trade.Quantity{Unit: trade.MWh}}, 2, "E A 100@80"}},
	}
	for name, story := range stories {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			play(t, reporttest.World(), story)
		})
	}
}

// An event that is entered late makes the records of later ones wrong.
func TestLateEvent(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	play(t, d, []step{
		{"2025-01-02", "A", reporttest.Forward("100", "80"), 0, "N A 100@80"},
		{"2025-01-20", "A", reporttest.Amendment("82", ""), 0,
			"M A 100@82"},
	})
	before := len(d.Rows(t, remit.Table1()))
	_, err := d.Late("2025-01-10", "2025-01-21", "A", trade.Cancel{Kind: trade.Terminate,
		Quantity: reporttest.MWh("10")})
	require.NoError(t, err)
	var got []string
	for _, r := range d.Rows(t, remit.Table1())[before:] {
		got = append(got, shown(r))
	}
	require.Equal(t, []string{"E A 100@82", "M A 90@80", "M A 90@82"}, got)
}

// An update to another name of the same party is M. Another party needs a novation.
func TestCounterparty(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	rename := func(name string) trade.Body {
		return trade.Amend{Kind: trade.Update, Counterparty: name}
	}
	play(t, d, []step{
		{"2025-01-02", "A", reporttest.Forward("100", "80"), 0, "N A 100@80"},
		{"2025-01-03", "A", rename("ACME-OLD"), 0, "M A 100@80"},
	})
	_, err := d.Do("2025-01-04", "A", rename("BETA"))
	require.NoError(t, err)
	set := remit.Table1()
	inputs := d.Inputs(set, "A", time.Time{})
	_, missing, ok := set.Row(inputs[len(inputs)-1])
	require.False(t, ok)
	require.Len(t, missing, 1)
	require.Equal(t, "party BETA has no lei of ACME-OLD: record a novation, with another UTI",
		missing[0].Missing)
	require.Equal(t, "client-data", missing[0].Owner)
	require.Equal(t, reporttest.At("2025-01-07").Add(-time.Microsecond), missing[0].Due)
}

// A later version of the rules holds from its day on, and the same log can be reported under both.
func TestInForce(t *testing.T) {
	t.Parallel()
	sets := remit.RuleSets()
	require.Equal(t, "remit-2026", sets[1].Name)
	sets[1].Draft = false // as if its annex was read
	for day, want := range map[string]string{"2015-10-06": "", "2015-10-07": "remit-2014",
		"2026-04-28": "remit-2014", "2026-04-29": "remit-2026"} {
		got, _ := report.InForce(sets, "REMIT", trade.DayOf(reporttest.At(day)))
		require.Equal(t, want, got.Name, day)
		chosen, _ := report.Select(sets, "REMIT", trade.DayOf(reporttest.At(day)))
		require.Equal(t, want, chosen.Name, day)
		named, _ := report.Select(sets, "remit-2026", trade.DayOf(reporttest.At(day)))
		require.Equal(t, "remit-2026", named.Name, "a name holds on every day")
	}
	drafted, _ := report.Select(remit.RuleSets(), "REMIT", trade.DayOf(reporttest.At("2026-11-30")))
	require.Equal(t, "remit-2014", drafted.Name, "a draft is in force on no day")
	d := reporttest.World()
	_, err := d.Do("2025-01-02", "A", reporttest.Forward("100", "80"))
	require.NoError(t, err)
	for _, set := range sets {
		r, missing, ok := set.Row(d.Inputs(set, "A", time.Time{})[0])
		require.True(t, ok, "%v", missing)
		require.Equal(t, "N", set.Text(r, "58"))
	}
	for _, f := range sets[1].Fields {
		require.True(t, f.Unverified, f.Name)
	}
	require.Contains(t, sets[1].ScopeSource+sets[1].DeadlineSource, "unverified")
}
