package main

import (
	"os"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// Every command in the table of controls of GOVERNANCE.md runs, in the order of its rows, on the
// log that the page describes.
func TestGovernanceControls(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../GOVERNANCE.md")
	require.NoError(t, err)
	rows := regexp.MustCompile("(?m)^\\|.*\\| `blotter ([^`]+)` \\|$").FindAllSubmatch(page, -1)
	require.GreaterOrEqual(t, len(rows), 18)
	script := "exec blotter up\n! exec blotter import --quiet $BOOKS/first.jsonl\n" +
		"exec blotter seal\nexec blotter snapshot month-end\n"
	for _, party := range []string{"trader/4", "client/1"} {
		script += "stdin fields\nexec blotter party record " + party +
			" --actor hr/1 --reason joins\n"
	}
	script += "exec blotter hold place case-17 --book gas-prop --actor legal/1 --reason letter\n"
	for _, row := range rows {
		script += "exec blotter " + string(row[1]) + "\n"
	}
	runScript(t, script+"-- fields --\nname=Ann Smith\n")
}
