package main

import (
	"fmt"
	"strings"
	"testing"
)

// Every answer about the content of the log states its two times: in a line of the table, beside
// the CSV, and in JSON. It counts the events that are effective later.
func TestEveryAnswerStatesItsTimes(t *testing.T) {
	t.Parallel()
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			if testing.Short() && store == "postgres" {
				t.Skip("a run at full length asks the same in Postgres")
			}
			runScript(t, timesScript(store))
		})
	}
}

// timesScript asks every command for its answer in every format.
func timesScript(store string) string {
	const (
		now    = `"known_at": "2025-01-10T09:00:00Z",`
		cursor = `"known_at_cursor": \[`
		last   = `"recorded_through": "2025-01-10T09:00:00Z",`
		at     = `"effective_at": "2025-01-10T09:00:00Z",`
		all    = `"effective_at": "all",`
	)
	var script strings.Builder
	fmt.Fprintf(&script, "exec blotter --store %s import --simulate a.jsonl\n", store)
	fmt.Fprintln(&script, "exec blotter up")
	for _, tc := range []struct {
		command string
		later   int
		json    []string
	}{
		{"snapshot s1", 1, []string{cursor, last, all}},
		{"replay", 1, []string{cursor, last, all}},
		{"rebuild", 1, []string{cursor, last, all}},
		{"snapshots", 0, []string{now, all}},
		{"checkpoints", 0, []string{now, all}},
		{"history A", 1, []string{now, all}},
		{"history --command a-1", 0, []string{now, all}},
		{"state A", 1, []string{now, at}},
		{"trades", 1, []string{now, at}},
		{"search order", 1, []string{cursor, last, all}},
		{"books", 1, []string{now, at}},
		{"curves", 1, []string{now, at}},
		{"position", 1, []string{now, at}},
		{"pnl", 1, []string{now, at}},
		{"confirmations", 0, []string{now, at}},
		{"exposure", 1, []string{now, at}},
		{"what-if --method fifo", 1, []string{now, at}},
		{"explain --from 2025-01-09T00:00:00Z --to 2025-01-10T09:00:00Z", 1, []string{now, at}},
	} {
		line := `^\(as known at .*2025-01-10T09:00:00Z, effective at [^;]*\)$`
		if tc.later == 1 {
			line = strings.Replace(line, `[^;]*`, `[^;]*; 1 event is effective later`, 1)
		}
		fmt.Fprintf(&script, "exec blotter %s\nstdout '%s'\n", tc.command, line)
		fmt.Fprintf(&script, "exec blotter --format csv %s\nstderr '%s'\n", tc.command, line)
		fmt.Fprintf(&script, "exec blotter --format json %s\n", tc.command)
		for _, field := range append(tc.json, fmt.Sprintf(`"effective_later": %d,`, tc.later)) {
			fmt.Fprintf(&script, "stdout '^  %s'\n", field)
		}
	}
	return script.String() + ahead
}

// ahead begins a contract, and amends it after the last time of the log.
const ahead = `-- a.jsonl --
{"command_id":"a-1","entered_at":"2025-01-10T08:00:00Z","actor":"trader/1",` +
	`"reason":"client order","op":"NEW","uti":"A","book":"CRUDE","counterparty":"ACME",` +
	`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT",` +
	`"delivery":"2025-06","quantity":"70","unit":"bbl","price":"70.00","currency":"USD"}
{"command_id":"a-2","entered_at":"2025-01-10T09:00:00Z",` +
	`"effective_at":"2025-02-01T09:00:00Z","actor":"trader/1","reason":"agreed for later",` +
	`"op":"AMEND","kind":"amendment","uti":"A","price":"71.00"}
`
