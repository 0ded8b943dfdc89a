package store_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// What the lab gives away is the same as here, so that a mistake is mended in both.
func TestWhatIsGivenIsTheSame(t *testing.T) {
	t.Parallel()
	if os.Getenv("BLOTTER_CI") == "" {
		t.Skip("in CI only: whoever does the lab may change what was given")
	}
	for _, name := range []string{"store", "owner", "index", "producer", "feed", "record", "mark", "headrecord", "topics", "offloading"} {
		here, err := os.ReadFile(name + ".go")
		require.NoError(t, err)
		there, err := os.ReadFile("../../../labs/2-store/" + name + ".go")
		require.NoError(t, err)
		require.Equal(t, string(here), string(there), name)
	}
}
