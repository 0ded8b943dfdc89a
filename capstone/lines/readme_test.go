package lines_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

func readme(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	return string(text)
}

// fences returns the code blocks of the guide in a language.
func fences(t *testing.T, language string) []string {
	t.Helper()
	fence := regexp.MustCompile("(?s)```" + language + "\n(.*?)```")
	var blocks []string
	for _, m := range fence.FindAllStringSubmatch(readme(t), -1) {
		blocks = append(blocks, m[1])
	}
	require.NotEmpty(t, blocks)
	return blocks
}

// Each example is a command, and comes back from its canonical line. Each operation and each of its
// variants has an example.
func TestReadmeHasExamplesOfAllOperations(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, block := range fences(t, "json") {
		for line, err := range lines.Read(strings.NewReader(block)) {
			require.NoError(t, err)
			again, err := lines.Parse(line.Number, lines.Format(line.Command))
			require.NoError(t, err)
			require.Equal(t, line, again)
			seen[line.Command.Label()] = true
			seen[trade.KindOf(line.Command.Body).Operation] = true
		}
	}
	for _, k := range trade.Kinds() {
		require.Equal(t, k.IsCommand(), seen[k.Operation], "an example of %s", k.Operation)
	}
	for _, label := range []string{
		"AMEND amendment", "AMEND update", "AMEND correction", "CANCEL void", "CANCEL terminate",
		"NOVATE transferor", "NOVATE remaining",
	} {
		require.True(t, seen[label], "an example of %s", label)
	}
}

// Each bad line of the guide is reported in the words of the guide, and each rule has an example.
func TestReadmeHasExamplesOfAllRules(t *testing.T) {
	t.Parallel()
	missing := map[string]bool{}
	rule := regexp.MustCompile("(?m)^\\| `([a-z0-9-]+\\.[a-z0-9-]+)` \\|")
	for _, m := range rule.FindAllStringSubmatch(readme(t), -1) {
		missing[m[1]] = true
	}
	require.Len(t, missing, 28)
	for _, example := range strings.Split(strings.TrimSpace(fences(t, "text")[0]), "\n\n") {
		line, want, _ := strings.Cut(example, "\n")
		_, err := lines.Parse(1, []byte(line))
		var bad *lines.Error
		require.ErrorAs(t, err, &bad, line)
		require.Equal(t, want, bad.Error())
		delete(missing, string(bad.Rule))
	}
	require.Equal(t, map[string]bool{
		"line.too-long": true, "line.bom": true, "line.utf8": true,
		string(lines.Reused): true, string(lines.Repeated): true, // of the import
		string(lines.Unwritable): true, string(lines.Elsewhere): true,
	}, missing, "rules without an example")
}
