package stack_test

import (
	"testing"

	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"github.com/stretchr/testify/require"
)

// TestAMissingProgram costs the component that needs it, and no other.
func TestAMissingProgram(t *testing.T) {
	t.Parallel()
	s := stack.Embedded(stack.EmbeddedOptions{Dir: stacktest.Dir(t), PostgresBin: t.TempDir(), S3Gateway: t.TempDir() + "/versitygw"})
	for name, ask := range components(t, s) {
		err := ask()
		variable := map[string]string{"postgres": "BLOTTER_POSTGRES_BIN", "s3": "BLOTTER_S3_GATEWAY"}[name]
		if variable == "" {
			require.NoError(t, err, name)
			continue
		}
		var h interface{ Hint() string }
		require.ErrorAs(t, err, &h, name)
		require.Contains(t, h.Hint(), variable)
	}
	require.NoError(t, s.Close())
}
