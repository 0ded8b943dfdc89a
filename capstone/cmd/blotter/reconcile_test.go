package main

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
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

// An index that cannot be read is no index without a difference: the job fails, and closes nothing.
func TestUnreadIndexIsNoAnswer(t *testing.T) {
	t.Parallel()
	away := errors.New("the index is away")
	_, err := indexBreak(nil, away)
	require.ErrorIs(t, err, away)
	found, err := indexBreak(nil, session.ErrIndexDiffers)
	require.NoError(t, err)
	require.Len(t, found, 1)
	found, err = indexBreak(nil, nil)
	require.NoError(t, err)
	require.Empty(t, found)
}

// A slow model is one that lags, and that a service brings to the end right after its rows were
// read. No step of the job itself moves it.
type slowModel struct {
	*readmodel.Projection
	after func() // once, right after the first reading of the rows
}

func (m *slowModel) State(ctx context.Context) (trade.State, error) {
	s, err := m.Projection.State(ctx)
	if m.after != nil {
		m.after()
		m.after = nil
	}
	return s, err
}

// A model that takes an event between the reading of its rows and that of its cursor has no break.
func TestModelThatMovesHasNoBreak(t *testing.T) {
	t.Parallel()
	s := capstone.New(logs.New(contract.SimulatedClock), codec.Offline(), "test")
	s.Simulated = true
	model := &slowModel{Projection: readmodel.New(codec.Offline())}
	s.Project = func(ctx context.Context, log contract.Reader, to contract.Applier,
		end contract.Cursor, batch int) error {
		if model.after != nil {
			return nil // another projector holds the model
		}
		return projection.Project(ctx, log, to, end, batch)
	}
	line, err := lines.Parse(1, []byte(`{"command_id":"n-1","entered_at":"2025-01-06T09:00:00Z",`+
		`"actor":"trader/1","reason":"order","op":"NEW","uti":"A","book":"oil",`+
		`"counterparty":"ACME","trader":"trader/1","side":"buy","commodity":"oil",`+
		`"zone":"BRENT","delivery":"2025-06","quantity":"10","unit":"bbl","price":"70",`+
		`"currency":"USD"}`))
	require.NoError(t, err)
	_, err = s.Do(t.Context(), line.Command)
	require.NoError(t, err)
	end, err := s.Log.End(t.Context())
	require.NoError(t, err)
	model.after = func() {
		require.NoError(t, projection.Project(t.Context(), s.Log, model.Projection, end, 10))
	}
	found, err := compareModel(t.Context(), s, model)
	require.NoError(t, err)
	require.Empty(t, found)
}
