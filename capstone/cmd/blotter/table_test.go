package main

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// show returns the lines of a table on a screen.
func show(s screen, header string, rows ...string) []string {
	var out strings.Builder
	table(&output{Writer: &out, screen: s}, header, rows...)
	return strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
}

// Numbers are on the right, and a dash among them stands for a missing one. No line ends in blanks.
func TestTableAlignsNumbers(t *testing.T) {
	t.Parallel()
	require.Equal(t, []string{
		"  book   amount  note",
		"  CRUDE  -12.50  a",
		"  甲乙     3.00",
		"  x           -  bc",
	}, show(screen{}, "book\tamount\tnote", "CRUDE\t-12.50\ta", "甲乙\t3.00\t", "x\t-\tbc"))
}

// A table fits a terminal: text is wrapped and no number is. A pipe takes lines of any length.
func TestTableFitsTheTerminal(t *testing.T) {
	t.Parallel()
	header, row := "book\tquantity\treason", "POWER\t1234567890\tthe client asked for it"
	require.Equal(t, []string{
		"  book     quantity  reason",
		"  POWER  1234567890  the client",
		"                     asked for",
		"                     it",
	}, show(screen{width: 31}, header, row))
	require.Equal(t, []string{
		"  book      POWER", "  quantity  1234567890", "  reason    the client",
		"            asked for", "            it",
	}, show(screen{width: 22}, header, row))
	require.Len(t, show(screen{}, header, row), 2)
	for width := 40; width < 300; width += 7 {
		p := trade.Valuation{Unit: "MWh", Expired: true}
		p.Book, p.Instrument, p.Currency = strings.Repeat("B", 70), "power/CET/base@2025-03", "EUR"
		var out strings.Builder
		printPositions(&output{Writer: &out, screen: screen{width: width}},
			[]trade.Valuation{p, p})
		for line := range strings.Lines(out.String()) {
			line = strings.TrimSuffix(line, "\n")
			require.LessOrEqual(t, columnsOf(line), width)
			require.Equal(t, strings.TrimRight(line, " "), line)
		}
	}
}

// Only a terminal has colours. A file has none.
func TestColoursOnTerminalsOnly(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	table(&output{Writer: &out, screen: screen{colour: &out}}, "a", "b")
	require.Equal(t, "\x1b[1m  a\x1b[0m\n  b\n", out.String())
	require.Equal(t, "  a", show(screen{}, "a", "b")[0])
	f, err := os.Create(t.TempDir() + "/file")
	require.NoError(t, err)
	require.Equal(t, screen{}, screenOf(&visible{out: f}))
	require.NoError(t, f.Close())
}

// An answer as CSV has the names of its JSON, and no cell that a spreadsheet would run.
func TestCSVHasTheNamesOfJSON(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	missing := (*string)(nil)
	require.NoError(t, printCSV(&out, []any{
		map[string]any{"a": 1, "b": map[string]any{"c": "-1.50", "d": missing}},
		map[string]any{"a": "=cmd()", "e": []int{1, 2}},
	}))
	require.Equal(t, "a,b.c,b.d,e\n1,-1.50,,\n'=cmd(),,,\"[1,2]\"\n", out.String())
	out.Reset()
	require.NoError(t, printCSV(&out, struct {
		Z string `json:"z"`
		A bool   `json:"a"`
	}{"1", true}))
	require.Equal(t, "z,a\n1,true\n", out.String(), "the fields keep their order")
}
