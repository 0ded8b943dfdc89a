package books_test

import (
	"bytes"
	"errors"
	"os"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/books"
	"example.com/blotter/capstone/lines"
)

func open(t *testing.T, name string) []byte {
	t.Helper()
	text, err := books.FS.ReadFile(name)
	require.NoError(t, err)
	return text
}

// readmeTable returns the second column of a table in the README, by the first.
func readmeTable(t *testing.T, row string) map[string]string {
	t.Helper()
	text, err := os.ReadFile("README.md")
	require.NoError(t, err)
	table := map[string]string{}
	for _, m := range regexp.MustCompile(row).FindAllStringSubmatch(string(text), -1) {
		table[m[1]] = m[2]
	}
	require.NotEmpty(t, table)
	return table
}

func TestBrokenBookMatchesTheReadme(t *testing.T) {
	t.Parallel()
	const rules = "`((?:json|field|decimal|time|value)\\.[a-z-]+)`"
	want := readmeTable(t, "(?m)^\\| (\\d+) \\| "+rules+" \\|")
	got := map[string]string{}
	for line, err := range lines.Read(bytes.NewReader(open(t, books.Broken))) {
		var bad *lines.Error
		if errors.As(err, &bad) {
			got[strconv.Itoa(line.Number)] = string(bad.Rule)
		} else {
			require.NoError(t, err)
		}
	}
	require.Equal(t, want, got)
}

func TestFirstBookReads(t *testing.T) {
	t.Parallel()
	n := 0
	for _, err := range lines.Read(bytes.NewReader(open(t, books.First))) {
		require.NoError(t, err)
		n++
	}
	require.Equal(t, 61, n)
}
