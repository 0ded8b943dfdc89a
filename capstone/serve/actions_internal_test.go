package serve

import (
	"net/http"
	"path/filepath"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/stretchr/testify/require"
)

// An operation that states no actions would be open to everybody who signs in.
func TestOperationStatesItsActions(t *testing.T) {
	t.Parallel()
	api := func(path string, metadata map[string]any) *huma.OpenAPI {
		op := &huma.Operation{Method: http.MethodPost, Path: path, Metadata: metadata}
		return &huma.OpenAPI{Paths: map[string]*huma.PathItem{path: {Post: op}}}
	}
	require.PanicsWithValue(t, "serve: POST /v1/new states no actions", func() {
		requireActions(api("/v1/new", nil))
	})
	requireActions(api("/v1/new", needs()))
	requireActions(api("/livez", nil))
}

// Strangers and other principals use up no allowance of a principal: its denials stay on record.
func TestAllowanceIsOfOnePrincipal(t *testing.T) {
	t.Parallel()
	now := time.Date(2025, 3, 1, 9, 0, 0, 0, time.UTC)
	l, err := OpenRefusals(filepath.Join(t.TempDir(), "refused"), func() time.Time { return now })
	require.NoError(t, err)
	defer l.Close()
	for _, principal := range []string{"", "trader/1", "trader/2"} {
		for range refusalsAtOnce {
			written, err := l.add(refusal{Rule: RoleTooLow, Principal: principal})
			require.NoError(t, err)
			require.True(t, written, principal)
		}
		written, err := l.add(refusal{Rule: RoleTooLow, Principal: principal})
		require.NoError(t, err)
		require.False(t, written, principal)
	}
}
