package main

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	memorystore "example.com/blotter/solutions/2-store/memory"
)

// between is a store whose writer stops at the last of some appends; asked is called with every id that is asked for and not there.
type between struct {
	contract.Store
	appends int
	asked   func(uuid.UUID)
}

var errStopped = errors.New("stopped")

func (s *between) Append(ctx context.Context, stream string, expected int64, events ...contract.Event) ([]contract.Receipt, error) {
	if s.appends--; s.appends < 0 {
		return nil, errStopped
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func (s *between) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := s.Store.Find(ctx, id)
	if err != nil && s.asked != nil {
		s.asked(id)
	}
	return r, err
}

const novation = `{"command_id":"c-1","entered_at":"2026-01-09T09:00:00Z","actor":"trader/1","reason":"client order","op":"NEW","uti":"A","book":"CRUDE","counterparty":"ACME","trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2026-06","quantity":"70","unit":"bbl","price":"70.00","currency":"USD"}
{"command_id":"c-2","entered_at":"2026-01-10T09:00:00Z","actor":"trader/1","reason":"client leaves","op":"NOVATE","uti":"A","role":"remaining","quantity":"30","unit":"bbl","new_uti":"B","incoming":"NEWCO"}`

// halfway is a log in which a novation is on record, and the contract that begins from it is not.
func halfway(t *testing.T) (*capstone.System, *between) {
	log := &between{Store: memorystore.New(contract.SimulatedClock), appends: 2}
	system := capstone.New(log, codec.Offline(), "test")
	_, err := system.Import(t.Context(), lines.Read(strings.NewReader(novation)), func(capstone.Result) {})
	require.ErrorIs(t, err, errStopped)
	return system, log
}

// The desk goes on when status has just seen that it did not yet.
func TestAFollowUpThatIsOnItsWayIsNotMissing(t *testing.T) {
	t.Parallel()
	system, log := halfway(t)
	other := capstone.New(log.Store, codec.Offline(), "test")
	log.asked = func(uuid.UUID) {
		require.NoError(t, other.FollowUps.Sweep(t.Context()))
	}
	s := status{Well: true, Log: &logStatus{}}
	require.NoError(t, new(app).countFollowUps(t.Context(), system, &s))
	require.True(t, s.Well)
	require.Equal(t, &followUpCount{}, s.FollowUps)
}

func TestAFollowUpThatDoesNotComeIsMissing(t *testing.T) {
	t.Parallel()
	system, log := halfway(t)
	missing, err := system.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 1)
	late, err := stillMissing(t.Context(), log, missing, time.Nanosecond)
	require.NoError(t, err)
	require.Equal(t, missing, late)
}
