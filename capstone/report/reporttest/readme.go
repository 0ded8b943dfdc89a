package reporttest

import (
	"fmt"
	"os"
	"strings"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
)

// HoldTable fails unless a rule set names the sources of its scope and its deadlines, and a README
// has the table of its rules between two comments. With update it writes the table there.
func HoldTable(t require.TestingT, readme string, s report.RuleSet, update bool) {
	for _, source := range []string{s.ScopeSource, s.DeadlineSource} {
		require.Regexp(t, `(Regulation|CFR|CEA).*(article|section|CFR) ?\d`, source,
			"%s: name the regulation and the article of the scope and the deadlines", s.Name)
	}
	HoldBlock(t, readme, "fields of "+s.Name, report.Table(s), update)
}

// HoldBlock fails unless a README has a text between the comments that begin and end a block.
func HoldBlock(t require.TestingT, readme, name, want string, update bool) {
	text, err := os.ReadFile(readme)
	require.NoError(t, err)
	begin, end := fmt.Sprintf("<!-- %s -->\n", name), fmt.Sprintf("<!-- end of %s -->\n", name)
	before, rest, ok := strings.Cut(string(text), begin)
	require.True(t, ok, "%s has no line %s", readme, begin)
	got, after, ok := strings.Cut(rest, end)
	require.True(t, ok, "%s has no line %s", readme, end)
	if update {
		require.NoError(t, os.WriteFile(readme, []byte(before+begin+want+end+after), 0o600))
		return
	}
	require.Equal(t, want, got, "run the test with -update")
}
