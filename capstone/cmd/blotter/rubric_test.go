package main

import (
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

// The reference earns all points that a machine gives by capstone/RUBRIC.md: each command of its
// table exits with 0 and prints its text.
func TestRubric(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("the scripts run these commands, too")
	}
	text, err := os.ReadFile("../../RUBRIC.md")
	require.NoError(t, err)
	require.Contains(t, string(text), "`blotter import --simulate book.jsonl`")
	row := regexp.MustCompile("(?m)^\\| (\\d+) \\| `blotter (.*?)` \\| `(.*?)` \\|")
	script, points := "exec head -n 60 $BOOKS/sample.jsonl\ncp stdout book.jsonl\n", 0
	for i, m := range row.FindAllStringSubmatch(string(text), -1) {
		n, err := strconv.Atoi(m[1])
		require.NoError(t, err)
		points += n
		script += "exec blotter " + m[2] + "\nstdout '" + m[3] + "'\n"
		if i == 0 {
			script += "exec blotter import --simulate book.jsonl\n"
		}
	}
	require.Equal(t, 60, points)
	runScript(t, script)
}
