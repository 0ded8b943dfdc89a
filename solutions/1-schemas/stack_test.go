package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func TestMain(m *testing.M) {
	stacktest.MainWith(m, stack.EmbeddedOptions{Compatible: func(mode, next string, published ...string) error {
		return codec.Compatible(contract.Mode(mode), next, published...)
	}})
}

func client(t *testing.T) *sr.Client {
	url, err := stacktest.Shared(t).Registry(t.Context())
	require.NoError(t, err)
	c, err := sr.NewClient(sr.URLs(url))
	require.NoError(t, err)
	return c
}

func setLevel(t *testing.T, c *sr.Client, subject string, mode contract.Mode) {
	var level sr.CompatibilityLevel
	require.NoError(t, level.UnmarshalText([]byte(mode)))
	for _, r := range c.SetCompatibility(t.Context(), sr.SetCompatibility{Level: level}, subject) {
		require.NoError(t, r.Err)
	}
}

// The catalog goes through a registry that holds every subject to the mode that a log needs, and its ids are stable.
func TestTheCatalogIsPublishedUnderTheModeOfALog(t *testing.T) {
	t.Parallel()
	c, prefix := client(t), stacktest.Prefix(t)
	for _, s := range schemas.All() {
		setLevel(t, c, prefix+"-"+s.Type, contract.BackwardTransitive)
	}
	url, err := stacktest.Shared(t).Registry(t.Context())
	require.NoError(t, err)
	registry, err := codec.Confluent(url)
	require.NoError(t, err)
	first, err := codec.New(t.Context(), registry, prefix)
	require.NoError(t, err)
	again, err := codec.New(t.Context(), registry, prefix)
	require.NoError(t, err)
	p, err := first.Encode(t.Context(), begun())
	require.NoError(t, err)
	q, err := again.Encode(t.Context(), begun())
	require.NoError(t, err)
	require.Equal(t, p, q)
}
