package lines_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
)

func fences(t *testing.T, language string) []string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	var blocks []string
	for _, m := range regexp.MustCompile("(?s)```"+language+"\n(.*?)```").FindAllStringSubmatch(string(text), -1) {
		blocks = append(blocks, m[1])
	}
	require.NotEmpty(t, blocks)
	return blocks
}

func TestEveryExampleOfAnOperationIsACommandAndComesBackFromItsCanonicalLine(t *testing.T) {
	t.Parallel()
	ops := map[string]bool{}
	for _, block := range fences(t, "json") {
		for line, err := range lines.Read(strings.NewReader(block)) {
			require.NoError(t, err)
			again, err := lines.Parse(line.Number, lines.Format(line.Command))
			require.NoError(t, err)
			require.Equal(t, line, again)
		}
		for _, m := range regexp.MustCompile(`"op":"(\w+)"(?:,"kind":"(\w+)")?`).FindAllStringSubmatch(block, -1) {
			ops[strings.TrimSpace(m[1]+" "+m[2])] = true
		}
	}
	for _, op := range []string{"NEW", "AMEND amendment", "AMEND update", "AMEND correction", "CANCEL void",
		"CANCEL terminate", "NOVATE", "SETTLE", "EXERCISE", "MARK"} {
		require.True(t, ops[op], "no example of %s", op)
	}
}

func TestEveryExampleOfABadLineIsNamedAsTheReadmeSays(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	missing := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z0-9-]+\\.[a-z0-9-]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		missing[m[1]] = true
	}
	require.Len(t, missing, 23)
	for _, example := range strings.Split(strings.TrimSpace(fences(t, "text")[0]), "\n\n") {
		line, want, _ := strings.Cut(example, "\n")
		_, err := lines.Parse(1, []byte(line))
		var bad *lines.Error
		require.ErrorAs(t, err, &bad, line)
		require.Equal(t, want, bad.Error())
		delete(missing, string(bad.Rule))
	}
	require.Equal(t, map[string]bool{"line.too-long": true, "line.bom": true, "line.utf8": true}, missing, "rules without an example")
}
