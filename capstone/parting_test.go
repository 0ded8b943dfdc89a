package capstone_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/trade"
)

// The former lines of both histories are one state, because their chains were equal up to there. A
// line that only one of them changed is still the former line in the other.
func TestPartingNamesTheFields(t *testing.T) {
	t.Parallel()
	const (
		live    = `{"trade":{"uti":"A","status":"LIVE","open":"5"}}` + "\n"
		settled = `{"trade":{"uti":"A","status":"SETTLED","open":"0"}}` + "\n"
		long    = `{"position":{"book":"north","instrument":"oil","currency":"EUR","quantity":"5"}}`
		mark    = `{"mark":{"curve":"oil/BRENT","delivery":"2025-03","price":"70"}}`
		parked  = `{"parked":{"stream":"trade/A"}}`
	)
	here := trade.Step{Before: []string{live, long}, After: []string{settled, mark}}
	there := trade.Step{Before: []string{live}, After: []string{settled, mark, parked}}
	require.Equal(t, []capstone.ChangedField{
		{"parked trade/A", "stream", "", "", `"trade/A"`},
		{"position north oil EUR", "book", `"north"`, "", `"north"`},
		{"position north oil EUR", "currency", `"EUR"`, "", `"EUR"`},
		{"position north oil EUR", "instrument", `"oil"`, "", `"oil"`},
		{"position north oil EUR", "quantity", `"5"`, "", `"5"`},
	}, capstone.Parting(here, there))
	alone := capstone.Parting(there, there)
	require.Len(t, alone, 6)
	require.Equal(t, `open: before "5", after "0"`, alone[4].String())
	require.Equal(t, `stream: before nothing, after "trade/A"`, alone[3].String())
}

// A line of a program that writes no canonical lines is named as it is.
func TestPartingOfAnUnreadableLine(t *testing.T) {
	t.Parallel()
	fields := capstone.Parting(trade.Step{}, trade.Step{After: []string{"no line\n"}})
	require.Len(t, fields, 1)
	require.Equal(t, "no line", fields[0].Subject)
}
