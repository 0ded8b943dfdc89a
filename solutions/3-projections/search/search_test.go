package search_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel/readmodeltest"
	"example.com/blotter/solutions/3-projections/search"
)

func TestMain(m *testing.M) { stacktest.Main(m) }

// opened returns a model of a log, brought up to date in batches by two processes.
func opened(t *testing.T, log *projectiontest.Log, batch int) *search.Model {
	t.Helper()
	dsn, schema := stacktest.Schema(t)
	return readmodeltest.Shared(t, log, batch, func() (*search.Model, error) {
		return search.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	})
}

// history returns a log with the reasons of five clients.
func history(seed uint64, n int) *projectiontest.Log {
	log := projectiontest.History(seed, n, 2)
	for i := range log.Events {
		log.Events[i].Reason = fmt.Sprintf("Client %d asks for delivery", i%5)
	}
	return log
}

// folded returns the contracts of a log, folded from scratch.
func folded(t *testing.T, log *projectiontest.Log) (all []search.Contract) {
	t.Helper()
	streams := map[string][]trade.Event{}
	for _, r := range log.Events {
		e, err := contract.Decoded(t.Context(), projectiontest.Codec{}, r)
		require.NoError(t, err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	for _, tr := range trade.StateOf(streams, trade.AsOf{}).Trades {
		all = append(all, search.ContractOf(tr))
	}
	return all
}

func utis[T any](all []T, uti func(T) string) []string {
	names := []string{}
	for _, c := range all {
		names = append(names, uti(c))
	}
	return names
}

func foundUTIs(t *testing.T, m *search.Model, q search.Query) []string {
	t.Helper()
	a, err := m.Search(t.Context(), q)
	require.NoError(t, err)
	return utis(a.Found, func(f search.Found) string { return f.UTI })
}

// Every value of every attribute of every contract finds the contracts that have it, and no other,
// whatever the batches were.
func TestEveryAttributeFindsItsContracts(t *testing.T) {
	t.Parallel()
	log := history(3, 300)
	m, contracts := opened(t, log, 37), folded(t, log)
	require.Greater(t, len(contracts), 10)
	want := map[string]map[string][]string{} // UTIs by value, by attribute
	for _, c := range contracts {
		text, err := json.Marshal(c)
		require.NoError(t, err)
		var attributes map[string]string
		require.NoError(t, json.Unmarshal(text, &attributes))
		for name, value := range attributes {
			if want[name] == nil {
				want[name] = map[string][]string{}
			}
			want[name][value] = append(want[name][value], c.UTI)
		}
	}
	require.Subset(t, search.Attributes(), slices.Collect(maps.Keys(want)))
	for name, values := range want {
		for value, utis := range values {
			got := foundUTIs(t, m, search.Query{Where: map[string]string{name: value}})
			require.Equal(t, utis, got, "%s=%s", name, value)
		}
	}
}

// A search answers with whole contracts, and with the events whose reasons have the words.
func TestWordsFindReasons(t *testing.T) {
	t.Parallel()
	log := history(5, 200)
	m := opened(t, log, 50)
	answer, err := m.Search(t.Context(), search.Query{Words: `"client 3" -refused`})
	require.NoError(t, err)
	want := map[string][]int64{}
	for i, r := range log.Events {
		uti, isTrade := strings.CutPrefix(r.Stream, trade.TradeStream(""))
		if isTrade && i%5 == 3 {
			want[uti] = append(want[uti], r.Version)
		}
	}
	got, actors := map[string][]int64{}, map[string]bool{}
	for _, f := range answer.Found {
		for _, r := range f.Reasons {
			require.Equal(t, "Client 3 asks for delivery", r.Reason)
			got[f.UTI] = append(got[f.UTI], r.Version)
			actors[r.Actor] = true
		}
	}
	require.NotEmpty(t, want)
	require.Equal(t, want, got)
	require.Equal(t, map[string]bool{"desk-7": true, "process/follow-ups": true}, actors)
	for _, c := range folded(t, log) {
		i := slices.IndexFunc(answer.Found, func(f search.Found) bool { return f.UTI == c.UTI })
		if i >= 0 {
			require.Equal(t, asJSON(t, c), asJSON(t, answer.Found[i].Contract))
		}
	}
	end, err := log.End(t.Context())
	require.NoError(t, err)
	require.Equal(t, end, answer.Cursor)
	require.Empty(t, foundUTIs(t, m, search.Query{Words: "nobody"}))
}

func asJSON(t *testing.T, c search.Contract) string {
	t.Helper()
	text, err := json.Marshal(c)
	require.NoError(t, err)
	return string(text)
}

// Words and attributes hold all at once, and a rebuilt model answers the same.
func TestConditionsHoldTogether(t *testing.T) {
	t.Parallel()
	log := history(9, 200)
	m := opened(t, log, 64)
	all := folded(t, log)
	q := search.Query{Words: "delivery", Where: map[string]string{
		"book": all[0].Book, "status": string(all[0].Status),
	}}
	var want []string
	for _, c := range all {
		if c.Book == all[0].Book && c.Status == all[0].Status {
			want = append(want, c.UTI)
		}
	}
	require.Equal(t, want, foundUTIs(t, m, q))
	require.NoError(t, m.Rebuild(t.Context(), log, 64))
	require.Equal(t, want, foundUTIs(t, m, q))
}

// A SQL reader reads the views of its role, and nothing else.
func TestReadersReadTheirViews(t *testing.T) {
	t.Parallel()
	dsn, schema := stacktest.Schema(t)
	m, err := search.OpenAs(t.Context(), dsn, dsn, schema, projectiontest.Codec{})
	require.NoError(t, err)
	t.Cleanup(m.Close)
	for _, role := range []string{"auditor", "compliance"} {
		require.Equal(t, 2, stacktest.RequireReader(t, dsn, schema, role))
	}
}
