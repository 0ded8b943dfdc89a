package contract_test

import (
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

func TestPlaceOf(t *testing.T) {
	t.Parallel()
	for stream, place := range map[string]string{
		"trade/UTI-1":             "trade/UTI-1",
		"refused/UTI-1":           "trade/UTI-1",
		"confirmation/UTI-1":      "trade/UTI-1",
		"curve/TTF":               "curve/TTF",
		"refused/curve/TTF":       "curve/TTF",
		"account/main/cash":       "main",
		"account/main/cash/eur":   "main",
		"curve/POWER/DE/base":     "curve/POWER/DE/base",
		"refused/curve/GAS/TTF":   "curve/GAS/TTF",
		"refused/main/7":          "trade/main/7",
		"account/main/":           "account/main/",
		"account//cash":           "account//cash",
		"/main/cash":              "/main/cash",
		"account/main":            "account/main",
		"":                        "",
		"journal/elsewhere/2025/": "elsewhere",
	} {
		require.Equal(t, place, contract.PlaceOf(stream), stream)
		require.Equal(t, place == "main" || place == "elsewhere", contract.Grouped(stream), stream)
	}
}

// Streams of no group are apart even if a log on Kafka has them in one partition by chance.
func TestApart(t *testing.T) {
	t.Parallel()
	require.NoError(t, contract.Apart())
	require.NoError(t, contract.Apart("trade/UTI-1", "trade/UTI-1"))
	require.NoError(t, contract.Apart("account/main/cash", "period/main/2025", "journal/main/1"))
	for _, other := range []string{"trade/UTI-1", "account/other/cash", "account/main", "main"} {
		apart := new(contract.ApartError)
		require.ErrorAs(t, contract.Apart("account/main/cash", "account/main/x", other), &apart)
		require.Equal(t, contract.ApartError{Stream: "account/main/cash", Other: other}, *apart)
	}
}

// The group of an append depends on its ids alone, and in no order.
func TestGroupOf(t *testing.T) {
	t.Parallel()
	id := func(n byte) contract.Event { return contract.Event{ID: uuid.UUID{n}} }
	append2 := func(a, b []contract.Event) uuid.UUID {
		return contract.GroupOf(contract.StreamAppend{Stream: "a", Events: a},
			contract.StreamAppend{Stream: "b", Expected: 3, Events: b})
	}
	group := append2([]contract.Event{id(1), id(2)}, []contract.Event{id(3)})
	require.Equal(t, group, append2([]contract.Event{id(3)}, []contract.Event{id(2), id(1)}))
	require.Equal(t, uuid.Version(8), group.Version())
	require.Equal(t, uuid.RFC4122, group.Variant())
	require.NotEqual(t, group, append2([]contract.Event{id(1), id(2)}, nil))
}
