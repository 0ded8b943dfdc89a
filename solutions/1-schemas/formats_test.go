package codec

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/schemas"
)

// The catalog and the formats are one: nothing is published that cannot be walked, and nothing old that has no way to today.
func TestEverySchemaHasAFormat(t *testing.T) {
	t.Parallel()
	for _, s := range schemas.All() {
		f, ok := formatOf(s.Type, s.Version)
		require.True(t, ok, "%s version %d", s.Type, s.Version)
		latest, _ := schemas.Latest(s.Type)
		require.Equal(t, s.Version == latest.Version, f.body != nil && f.from != nil, "%s version %d: what is written has a body", s.Type, s.Version)
		require.Equal(t, s.Version < latest.Version, f.next != nil, "%s version %d: what is not has a next version", s.Type, s.Version)
	}
	require.Len(t, schemas.All(), len(formats)+len(older))
}
