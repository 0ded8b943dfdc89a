package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	reporting "example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// A report on record is made under the version in force: its messages are never made again.
func TestOnlyRulesInForceAreRecorded(t *testing.T) {
	t.Parallel()
	day := func(month time.Month) time.Time {
		return time.Date(2026, month, 1, 9, 0, 0, 0, time.UTC)
	}
	one := reporting.RuleSet{Name: "remit-1", Regime: "REMIT", From: trade.DayOf(day(1))}
	two := reporting.RuleSet{Name: "remit-2", Regime: "REMIT", From: trade.DayOf(day(6))}
	all := []reporting.RuleSet{one, two}
	require.NoError(t, inForce(all, one, day(5)))
	require.NoError(t, inForce(all, two, day(6)))
	for set, at := range map[*reporting.RuleSet]time.Time{&one: day(6), &two: day(5)} {
		err := inForce(all, *set, at)
		require.ErrorContains(t, err, "the rules of "+set.Name+" are not in force on 2026-0")
	}
	require.ErrorContains(t, inForce(all, one, day(1).AddDate(-1, 0, 0)), "not in force")
}
