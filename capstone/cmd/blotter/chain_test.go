package main

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Chains of other formats or of a longer log say nothing about a program.
func TestOnlyEqualLogsAreCompared(t *testing.T) {
	t.Parallel()
	here := chainAnswer{"blotter/state/v3", contract.Cursor{2}, trade.Chain{{1}, {2}}}
	other := here
	other.Chain = trade.Chain{{1}, {3}}
	n, err := here.firstDifference("old", other)
	require.NoError(t, err)
	require.EqualValues(t, 2, n)

	other.Cursor = contract.Cursor{3}
	_, err = here.firstDifference("old", other)
	require.EqualError(t, err, "the log grew from [2] to [3] between the two replays")
	require.Equal(t, unable, exitCode(err))

	other.Format = "blotter/state/v2"
	_, err = here.firstDifference("old", other)
	require.EqualError(t, err, `old folds to states of format "blotter/state/v2", `+
		`and this program to "blotter/state/v3"`)
	require.Equal(t, failed, exitCode(err))
}

func TestChainAnswerSurvivesJSON(t *testing.T) {
	t.Parallel()
	want := chainAnswer{"f", contract.Cursor{2}, trade.Chain{{1}, {31: 255}}}
	text, err := json.Marshal(want)
	require.NoError(t, err)
	var got chainAnswer
	require.NoError(t, json.Unmarshal(text, &got))
	require.Equal(t, want, got)
	require.ErrorContains(t, json.Unmarshal([]byte(`{"chain":["ab"]}`), &got),
		`"ab" is not a SHA-256 digest in hexadecimal`)
}

func TestDifferenceInOrderAlone(t *testing.T) {
	t.Parallel()
	same := capstone.ChangedField{Subject: "mark", Name: "price", Here: "1", There: "1"}
	other := same
	other.There = "2"
	require.Equal(t, "  the lines of both states are the same, in another order",
		differing([]capstone.ChangedField{same}))
	require.Equal(t, "  mark\n    price: before nothing, here 1, there 2",
		differing([]capstone.ChangedField{other}))
}
