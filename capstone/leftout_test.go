package capstone_test

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// What a desk expects and the project leaves out is a list in the guide and in the domain.
func TestLeftOutIsListed(t *testing.T) {
	t.Parallel()
	for file, heading := range map[string]string{
		"README.md":                "## What a desk expects and we leave out\n",
		"../labs/kit/trade/doc.go": "// # Left out\n",
	} {
		text, err := os.ReadFile(file)
		require.NoError(t, err)
		_, list, found := strings.Cut(string(text), heading)
		require.True(t, found, file)
		for _, what := range []string{"Shaped contracts", "Prices that float", "Spreads and swaps",
			"Storage", "FX conversion", "Transfers between books", "Compression"} {
			require.Contains(t, list, "- "+what, file)
		}
	}
}
