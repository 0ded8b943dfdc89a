package cftc_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "write the golden files")

const (
	lei   = "506700GE1G29325QX363"
	acme  = "213800WSGIIZCXF1P572"
	beta  = "5493000IBP32UQZ0KL24"
	first = lei + "F1" // the UTIs of the tests begin with this
	opt   = lei + "O1"
	next  = lei + "N1"
)

// market states the reference data that the rows need.
func market(d *reporttest.Desk) *reporttest.Desk {
	d.State("2024-01-01", report.Calendar, "US", "zone", "UTC")
	d.State("2024-01-01", report.Book, "POWER", "lei", lei, "financial_entity", "true",
		"federal_entity", "false", "swap_dealer", "false")
	for name, id := range map[string]string{"ACME": acme, "BETA": beta} {
		d.State("2024-01-01", report.Party, name, "lei", id, "financial_entity", "false",
			"federal_entity", "false", "initial_margin_portfolio", "NOTAPPLICABLE",
			"variation_margin_portfolio", "NOTAPPLICABLE")
		d.State("2024-01-01", report.Role, "CFTC/POWER/"+name, "reporting_side", "we")
	}
	for _, class := range []string{"power/DE-LU/base", "power/DE-LU/base/option"} {
		d.State("2024-01-01", report.Product, class, "swap", "true", "unit", "MWHO",
			"settlement", "cash", "settlement_days", "14", "premium_days", "2", "venue", "XXXX",
			"delta", "0.5")
	}
	return d
}

func mwh(q string) trade.Quantity { return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh} }

func forward() trade.New {
	delivery, err := trade.ParsePeriod("2025-06")
	if err != nil {
		panic(err)
	}
	return trade.New{Book: "POWER", Counterparty: "ACME", Trader: "anna", Side: trade.Buy,
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "DE-LU", Profile: "base",
			Delivery: delivery},
		Quantity: mwh("100"), Price: trade.Dec("80.5"), Currency: "EUR"}
}

func call() trade.New {
	n := forward()
	n.Instrument.Option = &trade.Option{Kind: trade.Call, Strike: trade.Dec("70"),
		From: reporttest.At("2025-01-01"), Until: reporttest.At("2025-05-15")}
	n.Price = trade.Dec("6.25")
	return n
}

func price(s string) *trade.Decimal {
	p := trade.Dec(s)
	return &p
}

// send records commands: each takes effect on the next day.
func send(t *testing.T, d *reporttest.Desk, uti string, bodies ...trade.Body) (last trade.Event) {
	t.Helper()
	for _, b := range bodies {
		n := 0
		for _, s := range d.Streams {
			n += len(s)
		}
		at := reporttest.At("2025-02-01").AddDate(0, 0, n).Format(time.DateOnly)
		var err error
		last, err = d.Do(at, uti, b)
		require.NoError(t, err)
	}
	return last
}

// shown prints messages: action-event, the amendment indicator, the quantity and the prior UTI.
func shown(t require.TestingT, d *reporttest.Desk, uti string) (all []string) {
	for _, in := range d.Inputs(cftc.V32, uti, time.Time{}) {
		r, missing, ok := cftc.V32.Row(in)
		require.True(t, ok, missing)
		text := func(n string) string { return cftc.V32.Text(r, n) }
		s := text("26")
		if text("27") != "" {
			s += "-" + text("27")
		}
		for _, v := range []string{text("28"), text("44"), strings.TrimPrefix(text("101"), lei)} {
			if v != "" {
				s += " " + v
			}
		}
		all = append(all, s)
	}
	return all
}

func TestMapping(t *testing.T) {
	t.Parallel()
	novate := func(q string) trade.Body {
		return trade.Novate{Role: trade.Remaining, Quantity: mwh(q), NewUTI: next, Incoming: "BETA"}
	}
	leave := func(q string) trade.Body {
		return trade.Novate{Role: trade.Transferor, Quantity: mwh(q), NewUTI: next,
			Incoming: "BETA"}
	}
	exercise := func(q, how, uti string) trade.Body {
		return trade.Exercise{Quantity: mwh(q), Settlement: how, NewUTI: uti,
			UnderlyingPrice: trade.Dec("85")}
	}
	for name, c := range map[string]struct {
		uti    string
		begin  trade.New
		then   []trade.Body
		want   []string // of the contract, after its NEWT
		linked []string // of the contract that began
	}{
		"new": {first, forward(), nil, nil, nil},
		"amendment": {first, forward(), []trade.Body{trade.Amend{Kind: trade.Amendment,
			Price: price("81")}}, []string{"MODI-TRAD True 100"}, nil},
		"amendment of the quantity": {first, forward(), []trade.Body{trade.Amend{
			Kind: trade.Amendment, Quantity: mwh("120")}}, []string{"MODI-TRAD True 120"}, nil},
		"update": {first, forward(), []trade.Body{trade.Amend{Kind: trade.Update, Trader: "ben"}},
			[]string{"MODI-TRAD False 100"}, nil},
		"void": {first, forward(), []trade.Body{trade.Cancel{Kind: trade.Void}},
			[]string{"EROR 100"}, nil},
		"termination in full": {first, forward(), []trade.Body{trade.Cancel{Kind: trade.Terminate}},
			[]string{"TERM-ETRM 100"}, nil},
		"termination in part": {first, forward(), []trade.Body{trade.Cancel{Kind: trade.Terminate,
			Quantity: mwh("30")}}, []string{"MODI-TRAD True 70"}, nil},
		"termination of the rest": {first, forward(), []trade.Body{
			trade.Cancel{Kind: trade.Terminate, Quantity: mwh("30")},
			trade.Cancel{Kind: trade.Terminate}},
			[]string{"MODI-TRAD True 70", "TERM-ETRM 70"}, nil},
		"novation in full": {first, forward(), []trade.Body{novate("100")},
			[]string{"TERM-NOVA 100"}, []string{"NEWT-NOVA 100 F1"}},
		"novation in part": {first, forward(), []trade.Body{novate("40")},
			[]string{"MODI-NOVA True 60"}, []string{"NEWT-NOVA 40 F1"}},
		"novation away": {first, forward(), []trade.Body{leave("100")},
			[]string{"TERM-NOVA 100"}, nil},
		"novation away in part": {first, forward(), []trade.Body{leave("40")},
			[]string{"MODI-NOVA True 60"}, nil},
		"cash exercise": {opt, call(), []trade.Body{exercise("100", trade.Cash, "")},
			[]string{"TERM-EXER 100"}, nil},
		"cash exercise in part": {opt, call(), []trade.Body{exercise("40", trade.Cash, "")},
			[]string{"MODI-EXER False 60"}, nil},
		"physical exercise": {opt, call(), []trade.Body{exercise("100", trade.Physical, next)},
			[]string{"TERM-EXER 100"}, []string{"NEWT-EXER 100 O1"}},
		"physical exercise in part": {opt, call(), []trade.Body{
			exercise("40", trade.Physical, next)},
			[]string{"MODI-EXER False 60"}, []string{"NEWT-EXER 40 O1"}},
		"settlement": {first, forward(), []trade.Body{trade.Settle{Quantity: mwh("100"),
			Price: trade.Dec("90")}}, nil, nil},
		"amendment down to the terminated quantity": {first, forward(), []trade.Body{
			trade.Cancel{Kind: trade.Terminate, Quantity: mwh("30")},
			trade.Amend{Kind: trade.Amendment, Quantity: mwh("30")}},
			[]string{"MODI-TRAD True 70", "TERM-ETRM 70"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := market(reporttest.New())
			send(t, d, c.uti, c.begin)
			send(t, d, c.uti, c.then...)
			require.Equal(t, append([]string{"NEWT-TRAD 100"}, c.want...), shown(t, d, c.uti))
			require.Equal(t, c.linked, shown(t, d, next))
		})
	}
}

// A correction is CORR. One that takes back an end is REVI, and one that makes an end is TERM.
func TestMappingOfCorrections(t *testing.T) {
	t.Parallel()
	wrong := forward()
	wrong.Price = trade.Dec("81")
	end := func(q string) trade.Body {
		return trade.Cancel{Kind: trade.Terminate, Quantity: mwh(q)}
	}
	for name, c := range map[string]struct {
		then, corrected trade.Body
		want            string
	}{
		"of a NEW":                    {nil, wrong, "CORR 100"},
		"of a quantity":               {end("30"), end("40"), "CORR 60"},
		"that takes back an end":      {end("100"), end("0"), "REVI 100"},
		"that makes an end partial":   {end("100"), end("40"), "REVI 60"},
		"that makes a part an end":    {end("30"), end("100"), "TERM-ETRM 70"},
		"that takes back a reduction": {end("30"), end("0"), "CORR 100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := market(reporttest.New())
			event := send(t, d, first, forward())
			if c.then != nil {
				event = send(t, d, first, c.then)
			}
			_, err := d.Correct("2025-03-01", first, event, c.corrected)
			require.NoError(t, err)
			all := shown(t, d, first)
			require.Equal(t, c.want, all[len(all)-1])
		})
	}
}

// A late amendment that belongs before an end opens the contract again: it is revived first.
func TestLateAmendmentRevives(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	send(t, d, first, forward(), trade.Cancel{Kind: trade.Terminate})
	_, err := d.Late("2025-02-01T12:00:00Z", "2025-03-01", first,
		trade.Amend{Kind: trade.Amendment, Quantity: mwh("120")})
	require.NoError(t, err)
	require.Equal(t, []string{"NEWT-TRAD 100", "TERM-ETRM 100", "REVI 20", "MODI-TRAD True 20"},
		shown(t, d, first))
}

// A catch-up of part 43 disseminates newly agreed terms as a modification, not as a correction. An
// event that only part 45 reports makes no message of part 43, and none of its catch-up.
func TestPublicCatchUp(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	update := trade.Amend{Kind: trade.Update, Trader: "ben"}
	send(t, d, opt, call(), trade.Amend{Kind: trade.Amendment, Price: price("7")}, update)
	actions, _ := report.Actions(d.Contract(opt), time.Time{})
	accepted := cftc.P43.Messages(actions[:1])
	told := func(set report.RuleSet, held int, accepted []report.Message) (all []string) {
		for _, m := range set.CatchUp(actions, held, accepted) {
			all = append(all, strings.TrimSpace(m.Type+" "+m.Event))
			require.Equal(t, "7", m.State.Price.String())
		}
		return all
	}
	require.Equal(t, []string{"CORR"}, told(cftc.V32, 1, accepted))
	require.Equal(t, []string{"MODI TRAD"}, told(cftc.P43, 1, accepted))
	m := cftc.P43.CatchUp(actions, 1, accepted)[0]
	require.True(t, cftc.Disseminated(m))
	require.Equal(t, actions[1].Event.ID, m.Action.Event.ID, "the event that agreed the terms")
	require.Equal(t, "ben", m.State.Trader, "the contract as it is now")
	// A contract that the public does not know begins as it is now.
	require.Equal(t, []string{"NEWT TRAD"}, told(cftc.P43, 0, nil))
	// After the terms were accepted, only a correction is left.
	require.Equal(t, []string{"CORR"}, told(cftc.P43, 2, cftc.P43.Messages(actions[:2])))
}

// Part 43 has no message of a modification without new terms, and none of an exercise in part. Its
// file has the elements that are reported under part 43, and no party's LEI but those that the
// repository needs.
func TestDissemination(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	send(t, d, opt, call(), trade.Amend{Kind: trade.Update, Trader: "ben"},
		trade.Amend{Kind: trade.Amendment, Price: price("7")},
		trade.Exercise{Quantity: mwh("40"), Settlement: trade.Cash,
			UnderlyingPrice: trade.Dec("85")},
		trade.Cancel{Kind: trade.Terminate})
	var both, public []string
	var b bytes.Buffer
	w := cftc.P43.Write(&b, report.Header{})
	for _, in := range d.Inputs(cftc.P43, opt, time.Time{}) {
		both = append(both, in.Message.Type)
		if yes, why, _ := cftc.P43.InScope(in); !yes {
			require.Equal(t, "the message is for part 45 only (appendix F, table 7)", why)
			continue
		}
		r, missing, ok := cftc.P43.Row(in)
		require.True(t, ok, "%v", missing)
		require.NoError(t, w.Row(r))
		public = append(public, cftc.P43.Text(r, "26")+cftc.P43.Text(r, "28"))
		// Monday's events are due by the end of their day.
		require.Equal(t, trade.DayOf(in.Message.DueFrom()), trade.DayOf(cftc.P43.Due(in)))
	}
	require.NoError(t, w.Close())
	require.Equal(t, []string{"NEWT", "MODI", "MODI", "MODI", "TERM"}, both)
	require.Equal(t, []string{"NEWT", "MODITrue", "TERM"}, public)
	lines, err := csv.NewReader(&b).ReadAll()
	require.NoError(t, err)
	require.Len(t, lines, 4)
	require.Len(t, lines[0], 36)
	for _, name := range []string{"Buyer identifier", "Event identifier", "Valuation amount",
		"Final contractual settlement date", "Jurisdiction"} {
		require.NotContains(t, lines[0], name)
	}
}

// What is no swap, and what the counterparty reports, is out of scope. Without the data to decide
// there is an exception.
func TestScope(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		change func(*reporttest.Desk)
		want   string
	}{
		"a swap that we report": {func(*reporttest.Desk) {}, "true  "},
		"no swap": {func(d *reporttest.Desk) {
			d.State("2024-02-01", report.Product, "power/DE-LU/base", "swap", "false")
		}, "false the product is no swap "},
		"their report": {func(d *reporttest.Desk) {
			d.State("2024-02-01", report.Role, "CFTC/POWER/ACME", "reporting_side", "they")
		}, "false the counterparty reports "},
		"unknown side": {func(d *reporttest.Desk) {
			d.State("2024-02-01", report.Role, "CFTC/POWER/ACME", "reporting_side", "")
		}, "true  role CFTC/POWER/ACME has no reporting_side"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := market(reporttest.New())
			c.change(d)
			send(t, d, first, forward())
			yes, why, missing := cftc.V32.InScope(d.Inputs(cftc.V32, first, time.Time{})[0])
			got := fmt.Sprintf("%t %s ", yes, why)
			if missing != nil {
				got += missing.Missing
			}
			require.Equal(t, c.want, got)
		})
	}
}

// Missing data is an exception with its owner and its due time, and so is the calendar of a
// deadline that nobody has stated. Friday's trade of a party that is no dealer is due at the end of
// Tuesday (17 CFR 45.3).
func TestMissingDataIsAnException(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	d.State("2024-02-01", report.Party, "ACME", "lei", "", "federal_entity", "")
	d.State("2024-02-01", report.Calendar, "US", "zone", "")
	send(t, d, "T-1", forward())
	_, err := d.Do("2025-02-07", "T-2", forward())
	require.NoError(t, err)
	_, missing, ok := cftc.V32.Row(d.Inputs(cftc.V32, "T-2", time.Time{})[0])
	require.False(t, ok)
	due := reporttest.At("2025-02-11T23:59:59.999999Z")
	var fields []string
	for _, e := range missing {
		fields = append(fields, e.Field)
		require.Equal(t, due, e.Due)
		require.Equal(t, "T-2/1/1", e.Message)
	}
	require.Equal(t, []string{"14", "19", "24", "103", ""}, fields)
	require.Equal(t, "party ACME has no lei", missing[0].Missing)
	require.Equal(t, "client-data", missing[0].Owner)
	require.Equal(t, "middle-office", missing[3].Owner)
	require.Equal(t, "deadline: calendar US has no zone, product-control",
		fmt.Sprintf("%s: %s, %s", missing[4].Name, missing[4].Missing, missing[4].Owner))
}

// The row of a NEW, field by field.
func TestRow(t *testing.T) {
	t.Parallel()
	for name, n := range map[string]trade.New{"forward": forward(), "option": call()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := market(reporttest.New())
			send(t, d, first, n)
			in := d.Inputs(cftc.V32, first, time.Time{})[0]
			in.Known = reporttest.At("2025-02-02T18:00:00Z")
			r, missing, ok := cftc.V32.Row(in)
			require.True(t, ok, missing)
			var b bytes.Buffer
			for i, f := range cftc.V32.Fields {
				if r.Texts[i] != "" {
					fmt.Fprintf(&b, "%s %s: %s\n", f.Number, f.Name, r.Texts[i])
				}
			}
			golden(t, "row-"+name+".txt", b.Bytes())
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o600))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run the test with -update")
}

// A valuation is due each day for each live contract. Without a mark it is an exception.
func TestValuation(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	send(t, d, first, forward())
	at := reporttest.At("2025-03-03T17:00:00Z")
	june := forward().Instrument.Delivery
	curve := trade.Curve{Points: map[trade.Period]trade.Mark{
		june: {Price: trade.Dec("84"), Currency: "EUR", EffectiveAt: at}}}
	c := d.Contract(first)
	value := func(curve trade.Curve) (map[string]string, []report.Exception) {
		actions, _ := report.Actions(c, time.Time{})
		whole, _ := trade.Fold(first, c.History, trade.AsOf{Effective: at})
		m, ok := report.Valuation(cftc.Value, actions[len(actions)-1], whole, curve, at)
		require.True(t, ok)
		in := report.Input{Message: m, Known: at,
			Reference: report.FoldReference(slices.Values(d.Facts), time.Time{})}
		r, missing, _ := cftc.V32.Row(in)
		all := map[string]string{}
		for i, f := range cftc.V32.Fields {
			if r.Texts[i] != "" {
				all[f.Number] = r.Texts[i]
			}
		}
		return all, missing
	}
	row, missing := value(curve)
	require.Empty(t, missing)
	require.Equal(t, map[string]string{"13": lei, "14": acme, "15": "LEID", "22": lei,
		"26": "VALU", "97": "2025-03-03T17:00:00Z", "103": first, "110": "350", "111": "EUR",
		"112": "MTMA", "113": "2025-03-03", "116": "NOTAPPLICABLE", "124": "NOTAPPLICABLE"}, row)
	_, missing = value(trade.Curve{})
	require.Equal(t, "curve power/DE-LU/base has no mark", missing[0].Missing)
	require.Equal(t, "market-data", missing[0].Owner)
}

// The header of a file has the names of the data elements, and each row as many cells.
func TestFile(t *testing.T) {
	t.Parallel()
	d := market(reporttest.New())
	send(t, d, first, forward(), trade.Cancel{Kind: trade.Terminate})
	var b bytes.Buffer
	w := cftc.V32.Write(&b, report.Header{})
	for _, in := range d.Inputs(cftc.V32, first, time.Time{}) {
		r, _, ok := cftc.V32.Row(in)
		require.True(t, ok)
		require.NoError(t, w.Row(r))
	}
	require.NoError(t, w.Close())
	records, err := csv.NewReader(&b).ReadAll() // fails for records of two lengths
	require.NoError(t, err)
	require.Len(t, records, 3)
	require.Equal(t, "Counterparty 1 (reporting counterparty)", records[0][1])
	require.Equal(t, "TERM", records[2][slices.Index(records[0], "Action type")])
}

// Whatever happens to contracts, their messages follow the rules of states in appendix F: NEWT
// first and once, only REVI opens again after an end, and nothing follows EROR.
// Fields 28, 29, 30 and 101 follow the rules of section 2.
func TestMessagesFollowTheStates(t *testing.T) {
	t.Parallel()
	allowed := map[string]string{ // by state and action, the next state
		" NEWT": "open", "open MODI": "open", "open CORR": "open", "open TERM": "ended",
		"open EROR": "error", "ended CORR": "ended", "ended MODI": "ended",
		"ended REVI": "open", "ended EROR": "error",
	}
	pairs := []string{"NEWT TRAD", "NEWT NOVA", "NEWT EXER", "MODI TRAD", "MODI NOVA", "MODI EXER",
		"TERM ETRM", "TERM NOVA", "TERM EXER", "CORR ", "REVI ", "EROR "}
	rapid.Check(t, func(t *rapid.T) {
		d := market(reporttest.New())
		reporttest.Random(t, d, 40)
		for _, uti := range d.UTIs() {
			state, executed := "", ""
			for _, in := range d.Inputs(cftc.V32, uti, time.Time{}) {
				r, _, _ := cftc.V32.Row(in)
				text := func(n string) string { return cftc.V32.Text(r, n) }
				next, ok := allowed[state+" "+text("26")]
				require.True(t, ok, "%s after %s", text("26"), state)
				state, executed = next, text("96")
				require.Contains(t, pairs, text("26")+" "+text("27"))
				require.Equal(t, text("26") == "MODI", text("28") != "")
				require.GreaterOrEqual(t, text("30"), executed)
				require.Empty(t, text("29"))
			}
			actions, _ := report.Actions(d.Contract(uti), time.Time{})
			last := actions[len(actions)-1].After.Status
			require.Equal(t, last == trade.Voided, state == "error", uti)
			require.Equal(t, slices.Contains([]trade.Status{trade.Terminated, trade.Novated,
				trade.Exercised}, last), state == "ended", uti)
		}
	})
}

// Every field states the passage of its rule, and no number occurs twice.
func TestEveryFieldCitesItsRule(t *testing.T) {
	t.Parallel()
	for _, set := range []report.RuleSet{cftc.V32, cftc.P43} {
		seen := map[string]bool{}
		for _, f := range set.Fields {
			require.NotEmpty(t, f.Source)
			require.NotEmpty(t, f.Format)
			require.False(t, seen[f.Number], f.Number)
			require.Equal(t, f.Unverified, strings.Contains(f.Source, "unverified"))
			seen[f.Number] = true
		}
	}
}

func TestReadmeHasTheFields(t *testing.T) {
	t.Parallel()
	reporttest.HoldTable(t, "../README.md", cftc.V32, *update)
	reporttest.HoldTable(t, "../README.md", cftc.P43, *update)
}
