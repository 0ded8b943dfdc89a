package main

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
	memorystore "example.com/blotter/solutions/2-store/memory"
)

// A stoppedStore fails after some appends. It calls absent with every id that it does not find.
type stoppedStore struct {
	contract.Store
	appends int
	absent  func(uuid.UUID)
}

var errStopped = errors.New("stopped")

func (s *stoppedStore) Append(
	ctx context.Context, stream string, expected int64, events ...contract.Event,
) ([]contract.Receipt, error) {
	if s.appends--; s.appends < 0 {
		return nil, errStopped
	}
	return s.Store.Append(ctx, stream, expected, events...)
}

func (s *stoppedStore) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := s.Store.Find(ctx, id)
	if err != nil && s.absent != nil {
		s.absent(id)
	}
	return r, err
}

const novation = `{"command_id":"c-1","entered_at":"2026-01-09T09:00:00Z","actor":"trader/1",` +
	`"reason":"client order","op":"NEW","uti":"A","book":"CRUDE","counterparty":"ACME",` +
	`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2026-06",` +
	`"quantity":"70","unit":"bbl","price":"70.00","currency":"USD"}` + "\n" +
	`{"command_id":"c-2","entered_at":"2026-01-10T09:00:00Z","actor":"trader/1",` +
	`"reason":"client leaves","op":"NOVATE","uti":"A","role":"remaining","quantity":"30",` +
	`"unit":"bbl","new_uti":"B","incoming":"NEWCO"}`

// halfNovated returns a log with a novation, but without its follow-up.
func halfNovated(t *testing.T) (*capstone.System, *stoppedStore) {
	log := &stoppedStore{Store: memorystore.New(contract.SimulatedClock), appends: 2}
	system := capstone.New(log, codec.Offline(), "test")
	_, err := system.Import(t.Context(), lines.Read(strings.NewReader(novation)),
		func(capstone.Result) {})
	require.ErrorIs(t, err, errStopped)
	return system, log
}

// A desk issues the follow-up right after status has looked for it.
func TestFollowUpInFlightIsNotMissing(t *testing.T) {
	t.Parallel()
	system, log := halfNovated(t)
	desk := capstone.New(log.Store, codec.Offline(), "test")
	log.absent = func(uuid.UUID) { require.NoError(t, desk.FollowUps.Sweep(t.Context())) }
	s := status{Well: true, Log: &logStatus{}}
	require.NoError(t, countFollowUps(t.Context(), system, &s))
	require.True(t, s.Well)
	require.Equal(t, &followUpCount{}, s.FollowUps)
}

func TestUnissuedFollowUpIsMissing(t *testing.T) {
	t.Parallel()
	system, log := halfNovated(t)
	missing, err := system.FollowUps.Orphaned(t.Context())
	require.NoError(t, err)
	require.Len(t, missing, 1)
	late, err := stillMissing(t.Context(), log, missing, time.Nanosecond)
	require.NoError(t, err)
	require.Equal(t, missing, late)
}

// The status of a service has the health that /readyz gives: the parts, their reasons and the
// verdict. Without a service it has the parts that it examined, by the same names.
func TestStatusHasTheHealthOfAService(t *testing.T) {
	t.Parallel()
	seal := serve.PartOf("seal", "", errors.New("no signer"))
	gone := serve.Part{Name: "kafka", Reason: "no answer", Away: true}
	for _, tc := range []struct {
		part serve.Part
		code int
		line string
	}{
		{serve.PartOf("log", "3 events", nil), done, "log   well   3 events"},
		{seal, failed, "seal  not well  no signer"},
		{gone, unable, "kafka  not well  no answer"},
	} {
		s, health := status{Well: true}, serve.Ready([]serve.Part{tc.part})
		s.takeHealth(t.Context(), func(context.Context) serve.Health { return health })
		require.Equal(t, health, s.Health)
		require.Equal(t, tc.code, exitCode(s.verdict()), tc.part.Name)
		var text strings.Builder
		printStatus(&text, s, time.Time{})
		require.Contains(t, text.String(), tc.line)
	}
	s := status{Well: true, Log: &logStatus{Events: 3}, FollowUps: new(followUpCount),
		Lag: []lag{{Of: "positions", behind: behind{Events: 2}}, {Of: auditLag}}}
	s.takeHealth(t.Context(), nil)
	require.Equal(t, serve.Ready([]serve.Part{{Name: "log", Well: true, Reason: "3 events"},
		{Name: "follow-ups", Well: true, Reason: "all on record"},
		{Name: "read model positions", Well: true, Reason: "2 events behind"},
		{Name: "seal", Well: true, Reason: "it has not sealed yet"}}), s.Health)
	away := status{away: true, Problem: "the database is away"}
	away.takeHealth(t.Context(), nil)
	require.False(t, away.Ready)
	away.Log, away.Problem = &logStatus{Events: 3}, "the archive is away" // later
	away.takeHealth(t.Context(), nil)
	require.Equal(t, serve.Ready([]serve.Part{{Name: "log", Reason: "the archive is away",
		Away: true}}), away.Health)
	s = status{Log: &logStatus{Events: 3}, Strays: []string{"event 7 has no place"},
		Checkpoint: &lastSealed{Size: 3, Unwitnessed: "no witness signed"}}
	s.takeHealth(t.Context(), nil)
	require.Equal(t, []serve.Part{{Name: "log", Reason: "event 7 has no place"},
		{Name: "seal", Reason: "no witness signed"}}, s.Parts)
}

// Each reader has a lag in events and in seconds, for each partition and for all. The first event
// that a reader has not read gives the seconds. A simulated log has none: its times are invented.
func TestLagOfEachPartition(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 9, 12, 0, 0, 0, time.UTC)
	end := contract.Cursor{3, 2, 1}
	reader := newTail("positions", "the read model", contract.Cursor{1, 2}, end)
	for _, at := range []contract.Position{
		{Partition: 0, Offset: 0}, {Partition: 0, Offset: 1}, {Partition: 1, Offset: 1},
		{Partition: 0, Offset: 2}, {Partition: 2, Offset: 0},
	} {
		age := time.Duration(100-10*int(at.Partition)-int(at.Offset)) * time.Second
		reader.see(contract.Recorded{Position: at, RecordedAt: now.Add(-age)})
	}
	got := reader.lag(end, now)
	text, err := json.Marshal(got)
	require.NoError(t, err)
	require.JSONEq(t, `{"of": "positions", "events": 3, "seconds": 99, "partitions": [
		{"partition": 0, "offset": 1, "end": 3, "events": 2, "seconds": 99},
		{"partition": 1, "offset": 2, "end": 2, "events": 0, "seconds": 0},
		{"partition": 2, "offset": 0, "end": 1, "events": 1, "seconds": 80}]}`, string(text))
	require.Equal(t, "3 events behind, for 1m39s", got.line())
	var table strings.Builder
	printLags(&table, []lag{got, reader.lag(end, time.Time{})})
	require.Equal(t, `  reader     partition  events behind  for seconds
  positions          0              2        99.00
  positions          2              1        80.00
  positions          0              2            -
  positions          2              1            -
`, table.String())
	simulated := reader.lag(end, time.Time{})
	require.Nil(t, simulated.Seconds)
	require.Nil(t, simulated.Partitions[0].Seconds)
	ahead := newTail("positions", "the read model", contract.Cursor{4}, end).lag(end, now)
	require.Contains(t, ahead.line(), "the read model")
}
