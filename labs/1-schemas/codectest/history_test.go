package codectest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/schemas"
)

// A version without a fact could be broken, and nothing would fail. A head is no event: its bytes are headBytes.
func TestEveryVersionHasAFact(t *testing.T) {
	t.Parallel()
	for _, s := range schemas.All() {
		if s.Type == "store.head" {
			require.Equal(t, 1, s.Version, "the golden bytes of the next version of %s", s.Type)
			continue
		}
		require.NotEmpty(t, factsOf(s.Type, s.Version), "facts of %s version %d", s.Type, s.Version)
	}
}
