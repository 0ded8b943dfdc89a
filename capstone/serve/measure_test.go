package serve_test

import (
	"context"
	"fmt"
	"iter"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
)

// A stuckLog answers no read before the time of the call is over, and no End without an end.
type stuckLog struct {
	contract.Store
	end contract.Cursor
}

func (l *stuckLog) End(ctx context.Context) (contract.Cursor, error) {
	if l.end == nil {
		<-ctx.Done()
	}
	return l.end, ctx.Err()
}

func (l *stuckLog) Read(
	ctx context.Context, _, _ contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		<-ctx.Done()
		yield(contract.Recorded{}, ctx.Err())
	}
}

func (l *stuckLog) Stream(ctx context.Context, _ string) iter.Seq2[contract.Recorded, error] {
	return l.Read(ctx, nil, nil)
}

// A placed reader stands at a cursor. Without one it does not tell before the time is over.
type placed struct {
	contract.Applier
	at contract.Cursor
}

func (m placed) Cursor(ctx context.Context) (contract.Cursor, error) {
	if m.at == nil {
		<-ctx.Done()
	}
	return m.at, ctx.Err()
}

func failures(of string) string {
	return fmt.Sprintf("blotter_measure_failures_total{measurement=%q}", of)
}

func lag(of string) string {
	return fmt.Sprintf(`blotter_consumer_lag_events{messaging_consumer_group_name=%q,`+
		`messaging_destination_partition_id="0"}`, of)
}

// A measurement that gets no answer ends after a second and counts as failed. The measurements
// after it still have their time, and their figures.
func TestStuckMeasurementIsCutShort(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, realTime, func(c *serve.Config) {
			c.System.Log = &stuckLog{c.System.Log, contract.Cursor{7}}
			c.System.FollowUps.SweptTo = nil
			c.Models = []serve.Model{{Name: "stuck", Applier: placed{}},
				{Name: "behind", Applier: placed{at: contract.Cursor{4}}},
				{Name: "last", Applier: placed{at: contract.Cursor{7}}}}
		})
		began := time.Now()
		figure := s.page()
		require.Equal(t, 3*time.Second, time.Since(began), "a cursor, an event, the snapshots")
		for series, want := range map[string]float64{
			lag("stuck"): -1, lag("behind"): 3, lag("last"): 0, failures("end of the log"): 0,
			failures("cursor of stuck"): 1, failures("first unread event of stuck"): 0,
			failures("cursor of behind"): 0, failures("first unread event of behind"): 1,
			failures("cursor of last"): 0, failures("snapshots"): 1,
		} {
			require.InDelta(t, want, figure(series), 0, series)
		}
	})
}

// A page takes 5 seconds at most, which is half the time of a scrape, however many readers and
// parts give no answer. Each failure is on the page.
func TestPageHasADeadline(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newService(t, realTime, func(c *serve.Config) {
			c.System.Log = &stuckLog{Store: c.System.Log}
			c.System.FollowUps.SweptTo = nil
			c.Models = nil
			for i := range 8 {
				c.Models = append(c.Models, serve.Model{Name: fmt.Sprint(i), Applier: placed{}})
			}
		})
		began := time.Now()
		figure := s.page()
		require.Equal(t, 5*time.Second, time.Since(began))
		require.InDelta(t, 1, figure(failures("end of the log")), 0)
		require.InDelta(t, 1, figure(failures("snapshots")), 0)
		for i := range 8 {
			require.InDelta(t, 1, figure(failures(fmt.Sprint("cursor of ", i))), 0)
			require.InDelta(t, -1, figure(lag(fmt.Sprint(i))), 0, "an unknown lag is no zero")
		}
	})
}

// Up to 10 000 unswept events are read for their follow-ups. Beyond them there is no count, and it
// is no failure: the lag of the sweep tells more.
func TestFarSweepHasNoCount(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const most = 10_000
		swept := new(cursor)
		s := newService(t, realTime, func(c *serve.Config) {
			c.System.Log = &stuckLog{c.System.Log, contract.Cursor{most + 1}}
			c.System.FollowUps.SweptTo, c.Models = swept, nil
		})
		for _, step := range [][2]int64{{1, 0}, {0, -1}, {2, 0}} {
			require.NoError(t, swept.Save(contract.Cursor{step[0]}))
			figure := s.page()
			require.InDelta(t, step[1], figure("blotter_followups_missing"), 0, "%v", step)
			require.InDelta(t, 0, figure(failures("follow-ups")), 0)
			require.InDelta(t, most+1-step[0], figure(lag("follow-ups")), 0)
		}
	})
}

// A parking model counts parked streams, as that in the database does.
type parking struct{ contract.Projection }

func (parking) CountParked(context.Context) (int64, error) { return 2, nil }

// Half of a novation: the desk stopped before it issued the follow-up.
const halfNovated = `{"command_id":"c-1","entered_at":"2025-01-09T09:00:00Z","actor":"trader/1",` +
	`"reason":"client order","op":"NEW","uti":"A","book":"CRUDE","counterparty":"ACME",` +
	`"trader":"trader/1","side":"buy","commodity":"oil","zone":"BRENT","delivery":"2026-06",` +
	`"quantity":"70","unit":"bbl","price":"70.00","currency":"USD"}` + "\n" +
	`{"command_id":"c-2","entered_at":"2025-01-10T09:00:00Z","actor":"trader/1",` +
	`"reason":"client leaves","op":"NOVATE","uti":"A","role":"remaining","quantity":"30",` +
	`"unit":"bbl","new_uti":"B","incoming":"NEWCO"}`

// The figures are those of the log: a follow-up that nobody issued, the parked streams of the read
// model, and the age of the last snapshot on record.
func TestMeasuredFiguresAreTrue(t *testing.T) {
	t.Parallel()
	log := memory.New(func(context.Context) time.Time { return time.Now().Add(-time.Hour) })
	s := newService(t, realTime, func(c *serve.Config) {
		parks := parking{c.System.Projection}
		c.System = capstone.New(log, codec.Offline(), "test")
		c.System.Projection, c.System.FollowUps.SweptTo = parks, new(cursor)
		require.NoError(t, c.System.FollowUps.SweptTo.Save(contract.Cursor{0}))
	})
	figure := s.page()
	require.InDelta(t, -1, figure("blotter_snapshot_age_seconds"), 0)
	require.InDelta(t, 0, figure("blotter_followups_missing"), 0)
	require.InDelta(t, 2, figure("blotter_parked_streams"), 0)
	for line, err := range lines.Read(strings.NewReader(halfNovated)) {
		require.NoError(t, err)
		out, err := s.system.Desk.Do(t.Context(), line.Command)
		require.NoError(t, err)
		require.Nil(t, out.Refusal)
	}
	require.InDelta(t, 1, s.metric("blotter_followups_missing"), 0)
	require.NoError(t, s.system.FollowUps.Sweep(t.Context()))
	p, err := codec.Offline().Encode(t.Context(), trade.SnapshotTaken{Name: "state-1",
		Format: trade.StateFormat, Cursor: []int64{3}})
	require.NoError(t, err)
	at := time.Date(2025, 1, 11, 9, 0, 0, 0, time.UTC)
	_, err = log.Append(t.Context(), trade.SnapshotStream, 0, contract.Event{
		ID: trade.EventID("snapshot", 0), Stream: trade.SnapshotStream, Type: p.Type,
		Schema: p.Schema, Fingerprint: p.Fingerprint, EffectiveAt: at, EnteredAt: at,
		Actor: capstone.SnapshotActor, Reason: "test", CommandID: "snapshot", Source: "test",
		Data: p.Data})
	require.NoError(t, err)
	figure = s.page()
	require.InDelta(t, 0, figure("blotter_followups_missing"), 0)
	require.InDelta(t, 3600, figure("blotter_snapshot_age_seconds"), 300)
}
