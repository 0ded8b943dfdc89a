package extract_test

import (
	"encoding/base64"
	"encoding/csv"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
)

func TestNoCellIsAFormula(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                       "",
		"=cmd()":                 "'=cmd()",
		"+1":                     "'+1",
		"-1+2":                   "'-1+2",
		"@SUM(A1)":               "'@SUM(A1)",
		"\t=1":                   "'\t'=1",
		"\r=1":                   "'\r'=1",
		"\n=1":                   "'\n'=1",
		"\x00=1":                 "'\x00=1",
		"  =1":                   "'  =1",
		"\u00a0=1":               "'\u00a0=1", // a blank at which a line must not break
		"\u200b\ufeff=1":         "'\u200b\ufeff=1",
		"＝1":                     "'＝1",
		"＋1":                     "'＋1",
		"－1":                     "'－1",
		"＠1":                     "'＠1",
		`"=1`:                    `'"=1`,
		"'=1":                    "''=1",
		"a;=1":                   "a;'=1",
		`a;"=1"`:                 `a;'"=1"`,
		"a, b; -c|@d\t+e\r\n=f":  "a, b;' -c|'@d\t'+e\r\n'=f",
		"a - b = c@d":            "a - b = c@d",
		"trade/T-1":              "trade/T-1",
		`[{"price":"-4.25"},{}]`: `[{"price":"-4.25"},{}]`,
	} {
		require.Equal(t, want, extract.Harmless(text), "%q", text)
		require.Equal(t, text, extract.Verbatim(want), "%q", text)
	}
}

func TestVerbatimIsTheInverseOfHarmless(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		runes := rapid.RuneFrom([]rune("=+-@'\"＝,;|\t\r\n a1\u00a0"))
		text := rapid.StringOfN(runes, 0, 12, -1).Draw(t, "text")
		safe := extract.Harmless(text)
		if back := extract.Verbatim(safe); back != text {
			t.Fatalf("%q became %q and then %q", text, safe, back)
		}
		separator := func(r rune) bool { return strings.ContainsRune(",;|\t\r\n", r) }
		for _, cell := range strings.FieldsFunc(safe, separator) {
			if strings.HasPrefix(strings.TrimLeft(cell, "\" \u00a0"), "=") {
				t.Fatalf("%q became %q, in which a cell begins with =", text, safe)
			}
		}
	})
}

// cells returns the rows of events.csv by the names of the columns.
func cells(t *testing.T, bundle fstest.MapFS) (rows []map[string]string) {
	all, err := csv.NewReader(strings.NewReader(string(bundle["events.csv"].Data))).ReadAll()
	require.NoError(t, err)
	for _, r := range all[1:] {
		row := map[string]string{}
		for i, cell := range r {
			row[all[0][i]] = cell
		}
		rows = append(rows, row)
	}
	return rows
}

// A formula is harmless in events.csv and exact in events.jsonl.
func TestFormulaInBothFiles(t *testing.T) {
	t.Parallel()
	d := newLog(t)
	reasons := []string{`=cmd|' /C calc'!A0`, "=1+1\r\n@x", "\t-2", "ordinary; nothing = wrong"}
	for _, reason := range reasons {
		change := func(e *contract.Event) { e.Reason = reason }
		d.record("trade/=T", oil("=BOOK()", "70"), change)
	}
	d.seal()
	bundle := d.make(extract.Query{Book: "=BOOK()"}, 0)
	lines, rows := events(t, bundle), cells(t, bundle)
	for i, reason := range reasons {
		require.Equal(t, reason, lines[i]["reason"])
		require.Equal(t, "=BOOK()", lines[i]["data"].(map[string]any)["book"])
		require.Equal(t, "'=BOOK()", rows[i]["data.book"])
		require.NotContains(t, "=+-@\t\r", rows[i]["reason"][:1])
		if i != 1 { // encoding/csv reads \r\n within a cell as \n
			require.Equal(t, reason, extract.Verbatim(rows[i]["reason"]))
		}
	}
}

func TestOnlyNumbersHaveNoQuotes(t *testing.T) {
	t.Parallel()
	bundle := story(t).make(extract.Query{}, 0)
	rows := cells(t, bundle)
	require.Equal(t, "-37.63", rows[2]["data.price"])
	require.Equal(t, "-12.5", rows[7]["data.fee"])
	require.Equal(t, "30", rows[2]["data.quantity.value"])
	require.Equal(t, "bbl", rows[2]["data.quantity.unit"])
	require.Equal(t, "", rows[0]["data.option.strike"], "a null field is an empty cell")
	require.Contains(t, string(bundle["events.csv"].Data), `,-37.63,`)
	require.Contains(t, string(bundle["events.csv"].Data), `"'-2+3"`, "an actor is not a number")
}

func TestLinesHaveTheDataOfTheLog(t *testing.T) {
	t.Parallel()
	d := story(t)
	lines := events(t, d.make(extract.Query{}, 0))
	end, err := d.store.End(t.Context())
	require.NoError(t, err)
	i := 0
	for r, err := range d.store.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		require.Equal(t, base64.StdEncoding.EncodeToString(r.Data), lines[i]["raw"])
		at := r.RecordedAt.Format("2006-01-02T15:04:05.000000Z")
		require.Equal(t, at, lines[i]["recorded_at"])
		i++
	}
	require.Len(t, lines, i)
}
