package mifir_test

import (
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/mifir"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var (
	update = flag.Bool("update", false, "rewrite the golden files")
	dec    = trade.Dec
)

// shown prints a report: NEWT with the change, the quantity and the price; CANC with the number of
// the report that it cancels, counted from the first one.
func shown(r report.Row, references *[]string) string {
	set := mifir.RTS22()
	of := slices.Index(*references, set.Text(r, "2"))
	if r.Message.Type == "CANC" {
		return fmt.Sprintf("CANC #%d", of+1)
	}
	if of >= 0 {
		return "a reference number that was used before"
	}
	*references = append(*references, set.Text(r, "2"))
	s := fmt.Sprintf("#%d NEWT %s@%s", len(*references), set.Text(r, "30"), set.Text(r, "33"))
	if change := set.Text(r, "32"); change != "" {
		s += " " + change
	}
	return s
}

// played sends a story, and prints the reports of each step.
func played(t *testing.T, d *reporttest.Desk, story []reporttest.Step) (lines []string) {
	t.Helper()
	known, references := 0, []string{}
	require.NoError(t, d.Play(story, func(step int) {
		all := d.Rows(t, mifir.RTS22())
		var reports []string
		for _, r := range all[known:] {
			reports = append(reports, shown(r, &references))
		}
		lines, known = append(lines, strings.Join(reports, ", ")), len(all)
	}))
	return lines
}

// Each row of the mapping of events to reports (RTS 22 Articles 2(5) and 15, fields 1, 30 and 32).
func TestMapping(t *testing.T) {
	t.Parallel()
	begin := reporttest.Step{At: "2025-01-02", UTI: "A", Body: reporttest.Forward("100", "80")}
	option := reporttest.Step{At: "2025-01-02", UTI: "A",
		Body: reporttest.Call("100", "2", "2025-03-01")}
	then := func(body trade.Body) reporttest.Step {
		return reporttest.Step{At: "2025-03-03", UTI: "A", Body: body}
	}
	correct := func(step int, body trade.Body) reporttest.Step {
		return reporttest.Step{At: "2025-03-04", UTI: "A", Body: body, Wrong: step}
	}
	novate := trade.Novate{Role: trade.Remaining, Quantity: reporttest.MWh("40"), NewUTI: "B",
		Incoming: "BETA"}
	const first = "#1 NEWT 100@80"
	for name, c := range map[string]struct {
		story []reporttest.Step
		wants []string
	}{
		"more notional is INCR": {[]reporttest.Step{begin, then(reporttest.Amendment("", "130"))},
			[]string{first, "#2 NEWT 30@80 INCR"}},
		"less notional is DECR": {[]reporttest.Step{begin, then(reporttest.Amendment("", "90"))},
			[]string{first, "#2 NEWT 10@80 DECR"}},
		"another price is CANC and NEWT": {[]reporttest.Step{begin,
			then(reporttest.Amendment("81", ""))}, []string{first, "CANC #1, #2 NEWT 100@81"}},
		"both at once": {[]reporttest.Step{begin, then(reporttest.Amendment("81", "130"))},
			[]string{first, "CANC #1, #2 NEWT 100@81, #3 NEWT 30@81 INCR"}},
		"an update is nothing": {[]reporttest.Step{begin,
			then(trade.Amend{Kind: trade.Update, Trader: "ben"})}, []string{first, ""}},
		"correction is CANC and NEWT": {[]reporttest.Step{begin,
			correct(1, reporttest.Forward("100", "82"))},
			[]string{first, "CANC #1, #2 NEWT 100@82"}},
		"only the wrong report is cancelled": {[]reporttest.Step{begin,
			then(reporttest.Amendment("", "130")), correct(2, reporttest.Amendment("", "120"))},
			[]string{first, "#2 NEWT 30@80 INCR", "CANC #2, #3 NEWT 20@80 INCR"}},
		"void is CANC of each report": {[]reporttest.Step{begin,
			then(reporttest.Amendment("", "130")),
			then(trade.Cancel{Kind: trade.Void})},
			[]string{first, "#2 NEWT 30@80 INCR", "CANC #1, CANC #2"}},
		"termination in full is DECR": {[]reporttest.Step{begin,
			then(trade.Cancel{Kind: trade.Terminate})}, []string{first, "#2 NEWT 100@80 DECR"}},
		"termination in part is DECR": {[]reporttest.Step{begin,
			then(trade.Cancel{Kind: trade.Terminate, Quantity: reporttest.MWh("30")})},
			[]string{first, "#2 NEWT 30@80 DECR"}},
		"a termination keeps its price": {[]reporttest.Step{begin,
			then(trade.Cancel{Kind: trade.Terminate, Quantity: reporttest.MWh("30")}),
			then(reporttest.Amendment("85", ""))},
			[]string{first, "#2 NEWT 30@80 DECR", "CANC #1, #3 NEWT 100@85"}},
		"a novation is exempt, and its result": {[]reporttest.Step{begin, then(novate)},
			[]string{first, ""}},
		"the result may grow": {[]reporttest.Step{begin, then(novate),
			{At: "2025-03-05", UTI: "B", Body: reporttest.Amendment("", "50")}},
			[]string{first, "", "#2 NEWT 10@80 INCR"}},
		"an exercise is exempt, and its result": {[]reporttest.Step{option,
			then(trade.Exercise{UnderlyingPrice: dec("90"), Settlement: trade.Physical,
				NewUTI: "B"})}, []string{"#1 NEWT 100@2", ""}},
		"an exercise for cash is exempt": {[]reporttest.Step{option,
			then(trade.Exercise{UnderlyingPrice: dec("90"), Settlement: trade.Cash})},
			[]string{"#1 NEWT 100@2", ""}},
		"a settlement is exempt": {[]reporttest.Step{begin, {At: "2025-07-02", UTI: "A",
			Body: trade.Settle{Quantity: reporttest.MWh("100"), Price: dec("85")}}},
			[]string{first, ""}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.wants, played(t, reporttest.World(), c.story))
		})
	}
}

// A correction to an instrument that is out of scope leaves a CANC. Where both are out of scope,
// there is no report (RTS 22 Article 15).
func TestScope(t *testing.T) {
	t.Parallel()
	out := reporttest.Forward("100", "80")
	out.Instrument.Zone = "FR"
	world := func() *reporttest.Desk {
		d := reporttest.World()
		d.State("2024-12-01", report.Product, "power/FR/base", "mifir", "out")
		return d
	}
	require.Equal(t, []string{"#1 NEWT 100@80", "CANC #1"}, played(t, world(), []reporttest.Step{
		{At: "2025-01-02", UTI: "A", Body: reporttest.Forward("100", "80")},
		{At: "2025-01-03", UTI: "A", Body: out, Wrong: 1}}))
	again := out
	again.Price = dec("81")
	require.Equal(t, []string{"", "", "#1 NEWT 100@80"}, played(t, world(), []reporttest.Step{
		{At: "2025-01-02", UTI: "A", Body: out},
		{At: "2025-01-03", UTI: "A", Body: again, Wrong: 1},
		{At: "2025-01-04", UTI: "A", Body: reporttest.Forward("100", "80"), Wrong: 1}}))

	d, set := world(), mifir.RTS22()
	d.State("2024-12-01", report.Book, "UTILITY", "lei", reporttest.LEI("UTILITY"),
		"investment_firm", "false")
	ours := reporttest.Forward("100", "80")
	ours.Book = "UTILITY"
	for uti, n := range map[string]trade.New{"A": out, "B": ours} {
		_, err := d.Do("2025-01-02", uti, n)
		require.NoError(t, err)
	}
	reason := func(uti string) string {
		_, why, _ := set.InScope(d.Inputs(set, uti, time.Time{})[0])
		return why
	}
	require.Contains(t, reason("A"), "traded on a venue (article 26(2))")
	require.Contains(t, reason("B"), "not one of an investment firm (article 26(1))")
}

// Missing data is an exception with an owner and a due time, never a blank field.
func TestGaps(t *testing.T) {
	t.Parallel()
	d, set := reporttest.World(), mifir.RTS22()
	n := reporttest.Forward("100", "80")
	n.Instrument.Zone, n.Counterparty, n.Trader = "FR", "NOBODY", "carl"
	_, err := d.Do("2025-01-03", "A", n)
	require.NoError(t, err)
	in := d.Inputs(set, "A", time.Time{})[0]
	_, _, gap := set.InScope(in)
	require.Equal(t, "product power/FR/base has no mifir", gap.Missing)
	_, missing, ok := set.Row(in)
	require.False(t, ok)
	var all []string
	for _, e := range missing {
		all = append(all, fmt.Sprint(e.Field, " ", e.Missing, " ", e.Owner, " ",
			e.Due.Format(time.DateOnly)))
	}
	const monday = " 2025-01-06"
	require.Equal(t, []string{"16 party NOBODY has no lei client-data" + monday,
		"36 product power/FR/base has no venue product-control" + monday,
		"42 product power/FR/base has no full_name product-control" + monday,
		"43 product power/FR/base has no cfi product-control" + monday,
		"47 product power/FR/base has no underlying_isin product-control" + monday,
		"56 product power/FR/base has no settlement product-control" + monday,
		"58 trader carl has no branch_country desk-heads" + monday,
		"57 trader carl has no national_id desk-heads" + monday,
		"60 trader carl has no branch_country desk-heads" + monday,
		"59 trader carl has no national_id desk-heads" + monday}, all)
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		require.NoError(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
}

// The file of an option that is sold, of a forward with a negative price, of one whose instrument
// ESMA lists, and of a correction.
func TestGolden(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	sold := reporttest.Call("50", "4.25", "2025-03-01")
	sold.Side = trade.Sell
	listed := reporttest.Forward("10", "80")
	listed.Instrument.Profile = "peak"
	d.State("2024-12-01", report.Product, "power/DE-LU/peak", "isin", reporttest.ISIN("DE000A2"),
		"venue", "XOFF")
	require.Equal(t, []string{"#1 NEWT 50@4.25", "#2 NEWT 10@5", "#3 NEWT 10@80", "CANC #3"},
		played(t, d, []reporttest.Step{
			{At: "2025-01-02T10:11:12.5Z", UTI: "A", Body: sold},
			{At: "2025-01-03", UTI: "B", Body: reporttest.Forward("10", "-5")},
			{At: "2025-01-04", UTI: "C", Body: listed},
			{At: "2025-01-06", UTI: "C", Body: trade.Cancel{Kind: trade.Void}},
		}))
	got := reporttest.Written(t, mifir.RTS22(), d.Rows(t, mifir.RTS22()))
	golden(t, "testdata/mifir.golden.xml", got)
	root, err := mifir.Read(got)
	require.NoError(t, err)
	require.Len(t, root.Children[0].Children, 4)
	reporttest.HoldStructure(t, "urn:iso:std:iso:20022:tech:xsd:auth.016.001.01", got, mifir.Read,
		map[string]bool{"FullNm": true}, map[string]bool{"Tx": true, "AcctOwnr": true})
}

// The reports of a story of 49 steps. The file of all reports has the structure of the message.
func TestStory(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	var got strings.Builder
	for i, line := range played(t, d, reporttest.Story()) {
		s := reporttest.Story()[i]
		fmt.Fprintf(&got, "%d %s %T: %s\n", i+1, s.UTI, s.Body, line)
	}
	golden(t, "testdata/story.golden.txt", []byte(got.String()))
	_, err := mifir.Read(reporttest.Written(t, mifir.RTS22(), d.Rows(t, mifir.RTS22())))
	require.NoError(t, err)
}

// Each field has a source, a form and a rule, and a row in the documentation.
func TestFields(t *testing.T) {
	t.Parallel()
	reporttest.HoldTable(t, "../README.md", mifir.RTS22(), *update)
	for _, f := range mifir.Fields {
		require.NotEmpty(t, f.Source, f.Name)
		require.NotEmpty(t, f.Format, f.Name)
		require.NotNil(t, f.Rule, f.Name)
	}
}
