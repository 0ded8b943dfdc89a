package stack

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The hint names the release of the gateway that the tests use.
func TestHintNamesTestedGateway(t *testing.T) {
	t.Parallel()
	tools, err := os.ReadFile("../../../.tools/go.mod")
	require.NoError(t, err)
	require.Contains(t, string(tools), "github.com/versity/versitygw "+gatewayVersion)
}
