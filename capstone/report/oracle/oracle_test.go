package oracle_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/mifir"
	"example.com/blotter/capstone/report/oracle"
	"example.com/blotter/capstone/report/remit"
	"example.com/blotter/capstone/report/reporttest"
	"example.com/blotter/labs/kit/trade"
)

// records returns a file with the chosen messages of a contract, counted from 0.
func records(t *testing.T, set report.RuleSet, d *reporttest.Desk, chosen ...int) []byte {
	t.Helper()
	inputs := d.Inputs(set, "A", time.Time{})
	var b bytes.Buffer
	w := set.Write(&b, report.Header{})
	for _, i := range chosen {
		r, missing, ok := set.Row(inputs[i])
		require.True(t, ok, "%v", missing)
		require.NoError(t, w.Row(r))
	}
	require.NoError(t, w.Close())
	return b.Bytes()
}

// life returns a contract that begins, is amended, ends early and is voided.
func life(t *testing.T) *reporttest.Desk {
	t.Helper()
	d := reporttest.World()
	price := trade.Dec("82")
	for i, b := range []trade.Body{reporttest.Story()[0].Body,
		trade.Amend{Kind: trade.Amendment, Price: &price}, trade.Cancel{Kind: trade.Terminate},
		trade.Cancel{Kind: trade.Void}} {
		_, err := d.Do(reporttest.At("2025-01-02").AddDate(0, 0, i).Format(time.DateOnly), "A", b)
		require.NoError(t, err)
	}
	return d
}

func answers(t *testing.T, regime string, files ...[]byte) (codes []string) {
	t.Helper()
	r := oracle.New()
	for _, f := range files {
		all, err := r.Submit(regime, f)
		require.NoError(t, err)
		for _, a := range all {
			codes = append(codes, a.Code)
		}
	}
	return codes
}

// The messages under REMIT are N, M, C, and E of C, M and N.
func TestREMIT(t *testing.T) {
	t.Parallel()
	d, set := life(t), remit.Table1()
	for name, c := range map[string]struct {
		sent  []int
		codes []string
	}{
		"all":                     {[]int{0, 1, 2, 3, 4, 5}, []string{"", "", "", "", "", ""}},
		"again after its error":   {[]int{0, 5, 0}, []string{"", "", ""}},
		"twice":                   {[]int{0, 0}, []string{"", oracle.Duplicate}},
		"M without N":             {[]int{1}, []string{oracle.Unknown}},
		"E without N":             {[]int{5}, []string{oracle.Unknown}},
		"M after C":               {[]int{0, 2, 1}, []string{"", "", oracle.Closed}},
		"E of another record":     {[]int{0, 1, 5}, []string{"", "", oracle.NotLast}},
		"M after the error of C":  {[]int{0, 1, 2, 3, 1}, []string{"", "", "", "", ""}},
		"C after the error of N":  {[]int{0, 5, 2}, []string{"", "", oracle.Unknown}},
		"E twice":                 {[]int{0, 5, 5}, []string{"", "", oracle.Unknown}},
		"E of a record not there": {[]int{0, 4}, []string{"", oracle.NotLast}},
	} {
		require.Equal(t, c.codes, answers(t, set.Regime, records(t, set, d, c.sent...)), name)
	}
}

// The messages under MiFIR are NEWT, CANC and NEWT of the amendment, NEWT of the termination, and
// two CANC.
func TestMIFIR(t *testing.T) {
	t.Parallel()
	d, set := life(t), mifir.RTS22()
	for name, c := range map[string]struct {
		sent  []int
		codes []string
	}{
		"all":             {[]int{0, 1, 2, 3, 4, 5}, []string{"", "", "", "", "", ""}},
		"twice":           {[]int{0, 0}, []string{"", oracle.Duplicate}},
		"again":           {[]int{0, 1, 0}, []string{"", "", oracle.Duplicate}},
		"unknown":         {[]int{1}, []string{oracle.Unknown}},
		"cancelled twice": {[]int{0, 1, 1}, []string{"", "", oracle.Closed}},
	} {
		require.Equal(t, c.codes, answers(t, set.Regime, records(t, set, d, c.sent...)), name)
	}
}

// The rules for swaps (appendix F): what each state allows, and which event an action has.
func TestCFTC(t *testing.T) {
	t.Parallel()
	const header = "Action type,Event type,Amendment indicator,Total notional quantity,Price," +
		"Unique transaction identifier (UTI)\n"
	newt, modi := "NEWT,TRAD,,100,80,U\n", "MODI,TRAD,True,90,80,U\n"
	term, erro, revi := "TERM,ETRM,,90,80,U\n", "EROR,,,90,80,U\n", "REVI,,,90,80,U\n"
	for name, c := range map[string]struct {
		lines string
		codes []string
	}{
		"a life":             {newt + modi + term + erro + revi, []string{"", "", "", "", ""}},
		"revived":            {newt + term + revi + modi, []string{"", "", "", ""}},
		"twice":              {newt + newt, []string{"", oracle.Duplicate}},
		"unknown":            {modi, []string{oracle.Unknown}},
		"ended twice":        {newt + term + term, []string{"", "", oracle.Closed}},
		"changed in error":   {newt + erro + modi, []string{"", "", oracle.Closed}},
		"a wrong event":      {"NEWT,ETRM,,100,80,U\n", []string{oracle.BadPair}},
		"an event too many":  {newt + "EROR,TRAD,,90,80,U\n", []string{"", oracle.BadPair}},
		"no event":           {"NEWT,,,100,80,U\n", []string{oracle.BadPair}},
		"no indicator":       {newt + "MODI,TRAD,,90,80,U\n", []string{"", oracle.BadPair}},
		"an indicator alone": {"NEWT,TRAD,True,100,80,U\n", []string{oracle.BadPair}},
	} {
		require.Equal(t, c.codes, answers(t, "CFTC", []byte(header+c.lines)), name)
	}
}

// A file that cannot be read counts for nothing.
func TestBadFile(t *testing.T) {
	t.Parallel()
	for regime, file := range map[string]string{"CFTC": "a,b\n1,2\n", "REMIT": "<a>",
		"MIFIR": "<Document><FinInstrmRptgTxRpt><Tx/></FinInstrmRptgTxRpt></Document>",
		"EMIR":  ""} {
		_, err := oracle.New().Submit(regime, []byte(file))
		require.ErrorContains(t, err, "oracle: ", regime)
	}
}
