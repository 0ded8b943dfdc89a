package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
)

// A command that waits longer than an hour for its approval is a break, also after the time for an
// approval has ended. A refused line of a file is none: nobody is asked to approve it.
func TestALateApprovalIsABreak(t *testing.T) {
	t.Parallel()
	s := capstone.New(logs.New(contract.SimulatedClock), codec.Offline(), "test")
	s.Simulated = true
	do := func(line, by string) {
		t.Helper()
		parsed, err := lines.Parse(1, []byte(line))
		require.NoError(t, err)
		parsed.Command.SubmittedBy = by
		_, err = s.Do(t.Context(), parsed.Command)
		require.NoError(t, err)
	}
	mark := func(id, at string) {
		do(`{"command_id":"`+id+`","entered_at":"`+at+`","actor":"risk/1","reason":"close",`+
			`"op":"MARK","curve":"oil/BRENT","currency":"USD",`+
			`"points":[{"delivery":"2025-06","price":"71"}]}`, "")
	}
	void := func(id, by string) {
		do(`{"command_id":"`+id+`","entered_at":"2025-01-06T11:00:00Z","actor":"trader/1",`+
			`"reason":"never agreed","op":"CANCEL","kind":"void","uti":"A"}`, by)
	}
	do(`{"command_id":"n-1","entered_at":"2025-01-06T09:00:00Z","actor":"trader/1",`+
		`"reason":"order","op":"NEW","uti":"A","book":"oil","counterparty":"ACME",`+
		`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT",`+
		`"delivery":"2025-06","quantity":"10","unit":"bbl","price":"70","currency":"USD"}`, "")
	do(`{"command_id":"n-2","entered_at":"2025-01-06T10:00:00Z","actor":"ops/1",`+
		`"reason":"delivered","op":"SETTLE","uti":"A","quantity":"10","unit":"bbl",`+
		`"price":"71"}`, "")
	void("file-1", "")
	void("v-1", "trader/1")
	late := reconcile.Difference{Job: "pending", Key: "v-1", Field: "approval",
		Ours: "sent by trader/1"}
	for at, want := range []struct {
		now  time.Duration
		want []reconcile.Difference
	}{{30 * time.Minute, nil}, {61 * time.Minute, []reconcile.Difference{late}},
		{48 * time.Hour, []reconcile.Difference{late}}} {
		now := time.Date(2025, 1, 6, 11, 0, 0, 0, time.UTC).Add(want.now)
		mark(string(rune('a'+at)), now.Format(time.RFC3339))
		found, err := lateApprovals(t.Context(), s)
		require.NoError(t, err)
		require.Equal(t, want.want, found, "after %s", want.now)
	}
}
