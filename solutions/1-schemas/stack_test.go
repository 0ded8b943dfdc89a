package codec_test

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/sr"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

var modes = []contract.Mode{
	contract.Backward, contract.BackwardTransitive, contract.Forward, contract.ForwardTransitive, contract.Full, contract.FullTransitive,
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

// Offline and against the registry the answer is one, in every mode.
func TestTheRegistryAgreesInEveryMode(t *testing.T) {
	t.Parallel()
	c := client(t)
	plain, optional, required := record(field("a", `"string"`, "")), record(field("a", `"string"`, ""), field("b", `"string"`, `, "default": ""`)), record(field("a", `"string"`, ""), field("b", `"string"`, ""))
	price := record(field("p", decimal, ""))
	histories := map[string][]string{}
	for i, h := range [][]string{ // the last one is to follow the others
		{plain, plain}, {plain, optional}, {plain, required}, {required, plain}, {optional, plain},
		{plain, optional, required}, {required, optional, plain}, {optional, required, plain},
		{plain, record(field("a", `"int"`, ""))}, {record(field("a", `"int"`, "")), record(field("a", `"long"`, ""))},
		{price, price}, {price, record(field("p", strings.Replace(decimal, "6", "4", 1), ""))}, {price, record(field("p", strings.Replace(decimal, "28", "30", 1), ""))},
	} {
		histories[fmt.Sprint("history ", i)] = h
	}
	for name, m := range meanings {
		histories[name], histories[name+", and back"] = []string{m.from, m.to}, []string{m.to, m.from}
	}
	for name, h := range histories {
		published, next := h[:len(h)-1], h[len(h)-1]
		for _, mode := range modes {
			t.Run(fmt.Sprintf("%s %s", name, mode), func(t *testing.T) {
				t.Parallel()
				subject := stacktest.Prefix(t) + "value"
				setLevel(t, c, subject, contract.None)
				for _, text := range published {
					_, err := c.CreateSchema(t.Context(), subject, avroSchema(text))
					require.NoError(t, err)
				}
				setLevel(t, c, subject, mode)
				offline := codec.Compatible(mode, next, published...)
				_, online := c.CreateSchema(t.Context(), subject, avroSchema(next))
				require.True(t, offline != nil || online == nil, "offline lets through what the registry refuses: %v", online)
				if os.Getenv("STACK") != "external" { // some registry of somebody's need not know that decimals keep their scale
					require.True(t, offline == nil || online != nil, "the registry lets through what offline refuses: %v", offline)
				}
			})
		}
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
