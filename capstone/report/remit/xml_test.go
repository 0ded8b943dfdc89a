package remit_test

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "rewrite the golden file")

// The file of a forward, its change and its end, and of an option for gas. It has the structure of
// ACER's schema.
func TestGolden(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	gas := reporttest.Forward("3000", "31.5")
	gas.Book, gas.Side = "GAS", trade.Sell
	gas.Instrument = trade.Instrument{Commodity: trade.Gas, Zone: "TTF", Profile: "base",
		Delivery: reporttest.Period("2025-06"), Option: &trade.Option{Kind: trade.Put,
			Strike: dec("30"), From: reporttest.At("2025-03-01"),
			Until: reporttest.At("2025-05-20")}}
	peak := reporttest.Forward("2520", "90.25")
	peak.Instrument.Profile = "peak"
	play(t, d, []step{
		{"2025-01-02T10:11:12.5Z", "A", peak, 0, "N A 2520@90.25"},
		{"2025-01-03", "A", reporttest.Amendment("", "1260"), 0,
			"M A 1260@90.25"},
		{"2025-01-04", "GAS-1", gas, 0, "N GAS-1 3000@31.5"},
		{"2025-01-06", "A", trade.Cancel{Kind: trade.Terminate}, 0, "C A 1260@90.25"},
	})
	got := reporttest.Written(t, remit.Table1(), d.Rows(t, remit.Table1()))
	const name = "testdata/remit.golden.xml"
	if *update {
		require.NoError(t, os.WriteFile(name, got, 0o644))
	}
	want, err := os.ReadFile(name)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got))
	root, err := remit.Read(got)
	require.NoError(t, err)
	require.Len(t, root.Children[1].Children, 4)
	reporttest.HoldStructure(t, "http://www.acer.europa.eu/REMIT/REMITTable1_V3.xsd", got,
		remit.Read, map[string]bool{"contractName": true}, map[string]bool{"TradeReport": true,
			"contractTradingHours": true, "deliveryPointOrZone": true, "deliveryProfile": true,
			"daysOfTheWeek": true, "optionExerciseDate": true, "energyCommodity": true})
	again := reporttest.Written(t, remit.Table1(), d.Rows(t, remit.Table1()))
	require.Equal(t, got, again, "the same rows give the same bytes")
}

// Table 1 fields 48 to 54: the profile of each kind of delivery (TRUM 4.6; ACER FAQ 2.1.44).
func TestDelivery(t *testing.T) {
	t.Parallel()
	set := remit.Table1()
	for name, c := range map[string]struct {
		commodity           trade.Commodity
		zone, profile, when string
		wants               string
	}{
		"base":    {trade.Power, "DE-LU", "base", "2025-06", "BL|M||00:00:00|24:00:00|MW"},
		"peak":    {trade.Power, "DE-LU", "peak", "2025-Q3", "PL|Q|MOtoFR|08:00:00|20:00:00|MW"},
		"british": {trade.Power, "GB", "base", "2026", "BL|Y||23:00:00|23:00:00|MW"},
		"gas": {trade.Gas, "TTF", "base", "2025-10-01/2026-04-01",
			"GD|S||06:00:00|06:00:00|MWh/d"},
		"a year of gas": {trade.Gas, "TTF", "base", "2025-10-01/2026-10-01",
			"GD|Y||06:00:00|06:00:00|MWh/d"},
		"a week": {trade.Power, "DE-LU", "base", "2025-06-02/2025-06-09",
			"BL|W||00:00:00|24:00:00|MW"},
		"a day": {trade.Power, "DE-LU", "base", "2025-06-02/2025-06-03",
			"BL|D||00:00:00|24:00:00|MW"},
		"other": {trade.Power, "DE-LU", "base", "2025-06-02/2025-06-12",
			"BL|O||00:00:00|24:00:00|MW"},
	} {
		d := reporttest.World()
		d.State("2024-12-01", report.Product, "power/GB/base", "eic", "10YGB----------A",
			"remit", "standard")
		n := reporttest.Forward("744", "80")
		n.Instrument = trade.Instrument{Commodity: c.commodity, Zone: c.zone, Profile: c.profile,
			Delivery: reporttest.Period(c.when)}
		_, err := d.Do("2025-01-02", "A", n)
		require.NoError(t, err, name)
		all := d.Rows(t, remit.Table1())
		require.Len(t, all, 1)
		got := []string{set.Text(all[0], "52"), set.Text(all[0], "51"), set.Text(all[0], "53")}
		for i, f := range set.Fields {
			if f.Number == "54" || f.Number == "42" && strings.HasPrefix(f.Element, "quantity") {
				got = append(got, all[0].Texts[i])
			}
		}
		require.Equal(t, c.wants, strings.Join(got, "|"), name)
		_, err = remit.Read(reporttest.Written(t, remit.Table1(), all))
		require.NoError(t, err, name)
	}
}

// A contract that the reference data keeps out is not reported, and neither is one for oil.
// Missing data is an exception, never a blank field.
func TestScope(t *testing.T) {
	t.Parallel()
	d, set := reporttest.World(), remit.Table1()
	oil := reporttest.Forward("100", "70")
	oil.Instrument = trade.Instrument{Commodity: trade.Oil, Zone: "BRENT",
		Delivery: reporttest.Period("2025-06")}
	oil.Quantity.Unit, oil.Currency = trade.BBL, "USD"
	henry := reporttest.Forward("100", "4")
	henry.Instrument = trade.Instrument{Commodity: trade.Gas, Zone: "HENRY-HUB", Profile: "base",
		Delivery: reporttest.Period("2025-06")}
	henry.Quantity.Unit, henry.Currency = trade.MMBtu, "USD"
	d.State("2024-12-01", report.Product, "gas/HENRY-HUB/base", "remit", "out")
	french := reporttest.Forward("100", "80")
	french.Instrument.Zone, french.Counterparty, french.Trader = "FR", "NOBODY", "carl"
	for uti, n := range map[string]trade.New{"OIL": oil, "HENRY": henry, "FRENCH": french} {
		_, err := d.Do("2025-01-03", uti, n)
		require.NoError(t, err)
	}
	reason := func(uti string) string {
		_, why, missing := set.InScope(d.Inputs(set, uti, time.Time{})[0])
		if missing != nil {
			return missing.Missing
		}
		return why
	}
	require.Contains(t, reason("OIL"), "oil is no wholesale energy product")
	require.Equal(t, "out", reason("HENRY"))
	require.Equal(t, "product power/FR/base has no remit", reason("FRENCH"))
	_, missing, ok := set.Row(d.Inputs(set, "FRENCH", time.Time{})[0])
	require.False(t, ok)
	var all []string
	for _, e := range missing {
		all = append(all, e.Field+" "+e.Missing+" "+e.Owner)
		require.Equal(t, "2025-01-06T23:59:59.999999Z", e.Due.Format(time.RFC3339Nano), "T+1")
	}
	require.Equal(t, []string{"3 trader carl has no acer_trader_id desk-heads",
		"4 party NOBODY has no lei client-data",
		"48 product power/FR/base has no eic product-control"}, all)
}

// A UTI that the desk allows and the schema does not is an exception.
func TestUTI(t *testing.T) {
	t.Parallel()
	d, set := reporttest.World(), remit.Table1()
	_, err := d.Do("2025-01-03", "A.1", reporttest.Forward("100", "80"))
	require.NoError(t, err)
	_, missing, ok := set.Row(d.Inputs(set, "A.1", time.Time{})[0])
	require.False(t, ok)
	require.Equal(t, "contract A.1 has no UTI that ACER's schema allows", missing[0].Missing)
}

// One file has one reporting entity.
func TestOneEntity(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	d.State("2024-12-01", report.Book, "OTHER", "lei", reporttest.LEI("ANOTHER"))
	other := reporttest.Forward("100", "80")
	other.Book = "OTHER"
	for uti, n := range map[string]trade.New{"A": reporttest.Forward("100", "80"), "B": other} {
		_, err := d.Do("2025-01-03", uti, n)
		require.NoError(t, err)
	}
	w := remit.Table1().Write(&bytes.Buffer{}, report.Header{})
	all := d.Rows(t, remit.Table1())
	require.NoError(t, w.Row(all[0]))
	require.ErrorContains(t, w.Row(all[1]), "make one file for each entity")
}

// Each field has a source, a form and a rule, and a row in the documentation.
func TestFields(t *testing.T) {
	t.Parallel()
	reporttest.HoldTable(t, "../README.md", remit.Table1(), *update)
	for _, f := range remit.Fields {
		require.NotEmpty(t, f.Source, f.Name)
		require.NotEmpty(t, f.Format, f.Name)
		require.NotNil(t, f.Rule, f.Name)
	}
}
