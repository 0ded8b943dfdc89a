package records_test

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/records"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "write the tables of README.md")

// file writes the records of a contract, without any reference data.
func file(t *testing.T, d *reporttest.Desk, uti string) []byte {
	t.Helper()
	set := records.Kept()
	var b bytes.Buffer
	w := set.Write(&b, report.Header{})
	for _, in := range d.Inputs(set, uti, time.Time{}) {
		in.Reference = report.Reference{}
		in.Event = report.Entry{CommandID: "command-" + in.Message.ID(), Approver: "desk/control",
			Reason: "as agreed", Source: "day.jsonl", SourceLine: 7}
		r, missing, ok := set.Row(in)
		require.True(t, ok, "%v", missing)
		require.NoError(t, w.Row(r))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// Every event of a contract is a record, in the order of entry, with its times and its content.
// So are a correction, beside the content that it replaces, a late event and a settlement (2017/565
// Article 72(1)).
func TestStory(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	require.NoError(t, d.Play(reporttest.Story(), func(int) {}))
	lines, err := csv.NewReader(bytes.NewReader(file(t, d, "A"))).ReadAll()
	require.NoError(t, err)
	column := map[string]int{}
	for i, name := range lines[0] {
		column[name] = i
	}
	var got []string
	for _, l := range lines[1:] {
		get := func(name string) string { return l[column[name]] }
		was := cutTime(get("Replaced content"))
		got = append(got, strings.TrimSuffix(fmt.Sprintf("%s %s %s %s: %s | %s",
			get("Order of entry"), get("Event"), get("Effective time")[5:16],
			get("Entry time")[5:10], get("Content"), was), " | "))
		require.Equal(t, "2025-01-02T09:00:00.000000Z", get("Execution time"))
		require.Equal(t, "day.jsonl:7", get("Source"))
		require.Equal(t, strings.HasPrefix(get("Event"), "correction"), get("Replaces") != "")
	}
	require.Equal(t, []string{
		"1 begin 01-02T09:00 01-02: buy 100 MWh@80 fee 0",
		"2 amendment 01-03T00:00 01-03: price 82",
		"3 amendment 01-04T00:00 01-04: quantity 120 MWh",
		"4 amendment 01-05T00:00 01-05: quantity 110 MWh, price 83",
		"5 update 01-06T00:00 01-06: trader ben",
		"6 correction of begin 01-02T09:00 01-07: buy 105 MWh@80 fee 0 | buy 100 MWh@80 fee 0",
		"7 correction of amendment 01-03T00:00 01-08: price 82.5 | price 82",
		"8 termination 01-03T12:00 01-09: terminate 10 MWh fee 0",
		"9 novation 01-10T00:00 01-10: remaining 40 MWh to BETA as A2 fee 0",
		"10 correction of novation 01-10T00:00 01-11: remaining 30 MWh to BETA as A2 fee 0" +
			" | remaining 40 MWh to BETA as A2 fee 0",
		"11 correction of termination 01-03T12:00 01-14: terminate 0 MWh fee 0" +
			" | terminate 10 MWh fee 0",
		"12 settlement 07-02T00:00 07-02: 50 MWh@85",
		"13 settlement 07-03T00:00 07-03: 30 MWh@85",
		"14 correction of novation 01-10T00:00 07-06: remaining 0 MWh to BETA as A2 fee 0" +
			" | remaining 30 MWh to BETA as A2 fee 0",
		"15 void 01-02T09:00 07-07: void",
	}, got)
	require.Equal(t, file(t, d, "A"), file(t, d, "A"), "the same events give the same bytes")
	for _, uti := range d.UTIs() {
		all, err := csv.NewReader(bytes.NewReader(file(t, d, uti))).ReadAll()
		require.NoError(t, err)
		require.Len(t, all[1:], len(d.Streams[trade.TradeStream(uti)]), uti)
	}
}

// cutTime cuts the effective time off a replaced content.
func cutTime(s string) string {
	_, content, _ := strings.Cut(s, " ")
	return content
}

// A record without the envelope of its event is an exception.
func TestEnvelope(t *testing.T) {
	t.Parallel()
	d := reporttest.World()
	require.NoError(t, d.Play(reporttest.Story()[:1], func(int) {}))
	set := records.Kept()
	_, missing, ok := set.Row(d.Inputs(set, "A", time.Time{})[0])
	require.False(t, ok)
	require.Len(t, missing, 4)
	require.Contains(t, missing[0].Missing, "has no envelope")
}

// Each field has a source, and a row in the documentation.
func TestFields(t *testing.T) {
	t.Parallel()
	reporttest.HoldTable(t, "../README.md", records.Kept(), *update)
	for _, f := range records.Fields {
		require.NotEmpty(t, f.Source, f.Name)
	}
}
