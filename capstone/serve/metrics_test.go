package serve_test

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	"example.com/blotter/solutions/2-store/memory"
	projection "example.com/blotter/solutions/3-projections"
	readmodel "example.com/blotter/solutions/3-projections/memory"
)

// realTime gives a service a log whose times are those of the clock, and a model of positions.
func realTime(c *serve.Config) {
	log := memory.New(func(context.Context) time.Time { return time.Now() })
	c.System = capstone.New(log, codec.Offline(), "test")
	c.System.Projection, c.System.Project = readmodel.New(codec.Offline()), projection.Project
	c.System.FollowUps.SweptTo = new(cursor)
	c.Models = []serve.Model{{Name: "positions", Applier: c.System.Projection}}
	c.Store = "kafka"
}

// A cursor is a saved cursor in memory. The sweep saves it while a scrape loads it.
type cursor struct {
	saved atomic.Pointer[contract.Cursor]
}

func (c *cursor) Load() (contract.Cursor, error) {
	if saved := c.saved.Load(); saved != nil {
		return *saved, nil
	}
	return nil, nil
}

func (c *cursor) Save(next contract.Cursor) error {
	next = slices.Clone(next)
	c.saved.Store(&next)
	return nil
}

// metric returns the value of a series of a new page; -1 if the page has none.
func (s *service) metric(series string) float64 {
	s.t.Helper()
	return s.page()(series)
}

// page measures once. It returns the values of the series of that page; -1 if it has none.
func (s *service) page() func(series string) float64 {
	s.t.Helper()
	w := s.do("reader/1", "GET", "/metrics", "")
	require.Equal(s.t, 200, w.Code)
	text := w.Body.String()
	return func(series string) float64 {
		for line := range strings.Lines(text) {
			if value, ok := strings.CutPrefix(line, series+" "); ok {
				n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
				require.NoError(s.t, err)
				return n
			}
		}
		return -1
	}
}

// halted is a read model whose work stops, as that of a projector that was killed.
type halted struct {
	contract.Applier
	stopped atomic.Bool
}

func (h *halted) Apply(
	ctx context.Context, events []contract.Recorded, next contract.Cursor,
) error {
	if h.stopped.Load() {
		return fmt.Errorf("the projector is stopped")
	}
	return h.Applier.Apply(ctx, events, next)
}

// The lag rises while the projector is stopped, in events and in seconds, and is 0 after.
func TestLagRisesAndFalls(t *testing.T) {
	t.Parallel()
	model := new(halted)
	s := newService(t, realTime, func(c *serve.Config) {
		model.Applier = c.Models[0].Applier
		c.Models[0].Applier = model
	})
	model.stopped.Store(true)
	_, stop := s.start()
	labels := `{messaging_consumer_group_name="positions",messaging_destination_partition_id="0"}`
	events, age := "blotter_consumer_lag_events"+labels, "blotter_consumer_lag_seconds"+labels
	s.command("trader/1", mark("m-1", "70"))
	require.InDelta(t, 1, s.metric(events), 0)
	s.command("trader/1", mark("m-2", "71"))
	require.InDelta(t, 2, s.metric(events), 0)
	before := s.metric(age)
	require.Greater(t, before, 0.0)
	require.Greater(t, s.metric(age), before)
	model.stopped.Store(false)
	require.Eventually(t, func() bool { return s.metric(events) == 0 && s.metric(age) == 0 },
		time.Minute, 10*time.Millisecond)
	require.InDelta(t, 2, s.metric("blotter_consumer_offset"+labels), 0)
	require.InDelta(t, 2, s.metric("messaging_client_consumed_messages_total"+
		`{messaging_consumer_group_name="positions",messaging_system="kafka"}`), 0)
	require.NoError(t, stop())
}

// Each count of the page follows from the commands, the seals and the verdicts.
func TestMetricsCount(t *testing.T) {
	t.Parallel()
	s := newService(t, realTime, func(c *serve.Config) {
		c.SealEveryEvents = 100
		c.Seal = func(context.Context) (contract.Checkpoint, error) {
			return contract.Checkpoint{}, nil
		}
		c.Sealed = func(context.Context) (contract.Checkpoint, time.Time, error) {
			at := time.Now().Add(-time.Minute)
			return contract.Checkpoint{Size: 3, End: contract.Cursor{1}}, at, nil
		}
	})
	s.command("trader/1", mark("m-1", "70"))
	s.command("trader/1", mark("m-2", "71"))
	s.command("trader/1", settleNothing)
	s.Verdict("replay", 0)
	s.Verdict("verify", 1)
	s.Verdict("status", 1)
	_, stop := s.start()
	require.Eventually(t, func() bool {
		return s.metric("blotter_checkpoint_leaves") == 3 &&
			s.metric("blotter_followups_missing") == 0
	},
		time.Minute, 10*time.Millisecond)
	for series, want := range map[string]float64{
		`blotter_commands_total{outcome="failed",rule=""}`:                     0,
		`blotter_measure_failures_total{measurement="end of the log"}`:         0,
		`blotter_commands_total{outcome="accepted",rule=""}`:                   2,
		`blotter_commands_total{outcome="refused",rule="lifecycle.not-begun"}`: 1,
		`blotter_verdicts_total{check="replay",verdict="holds"}`:               1,
		`blotter_verdicts_total{check="replay",verdict="differs"}`:             0,
		`blotter_verdicts_total{check="verify",verdict="differs"}`:             1,
		`blotter_unsealed_events`:                                              2,
		`blotter_followups_missing`:                                            0,
		`blotter_log_end_offset{messaging_destination_partition_id="0"}`:       3,
		`messaging_client_operation_duration_seconds_count{error_type="",` +
			`messaging_operation_name="append",messaging_system="kafka"}`: 3,
		`messaging_client_sent_messages_total{error_type="",` +
			`messaging_operation_name="append",messaging_system="kafka"}`: 3,
	} {
		require.InDelta(t, want, s.metric(series), 0, series)
	}
	require.InDelta(t, 60, s.metric("blotter_checkpoint_age_seconds"), 30)
	require.Greater(t, s.metric("blotter_unsealed_age_seconds"), 0.0)
	require.InDelta(t, -1, s.metric("blotter_snapshot_age_seconds"), 0, "there is none")
	require.NoError(t, stop())
}

// A codec that refuses to write a settlement, as a canary does, and loses its registry at a mark.
type narrow struct{ contract.Codec }

func (c narrow) Encode(ctx context.Context, b trade.Body) (contract.Payload, error) {
	if mark, is := b.(trade.PriceMarked); is && mark.Curve == "oil/WTI" {
		return contract.Payload{}, fmt.Errorf("the registry is away")
	} else if is {
		return contract.Payload{}, fmt.Errorf("%w: it needs version 2", contract.ErrUnencodable)
	}
	return c.Codec.Encode(ctx, b)
}

// A command whose event does not fit its schema is told so, and the lines after it go on. It is no
// outage. A command that a part away kept from its outcome is counted as failed.
func TestUnwritableIsNoOutage(t *testing.T) {
	t.Parallel()
	s := newService(t, realTime, func(c *serve.Config) {
		c.System.Desk.Codec = narrow{c.System.Desk.Codec}
	})
	const failed = `blotter_commands_total{outcome="failed",rule=""}`
	w := s.do("trader/1", "POST", "/v1/commands", mark("m-1", "70"))
	require.Equal(t, 422, w.Code, w.Body)
	require.Contains(t, w.Body.String(), "it needs version 2")
	require.Contains(t, w.Body.String(), `"command.unwritable"`)
	require.InDelta(t, 0, s.metric(failed), 0)
	away := strings.ReplaceAll(mark("m-2", "70"), "oil/BRENT", "oil/WTI")
	require.Equal(t, 503, s.do("trader/1", "POST", "/v1/commands", away).Code)
	require.InDelta(t, 1, s.metric(failed), 0)

	w = s.do("trader/1", "POST", "/v1/batches", mark("m-3", "70")+"\n"+settleNothing+"\n")
	require.Contains(t, w.Body.String(), `"rule":"command.unwritable"`)
	require.Contains(t, w.Body.String(), `"result":"done"`)
	require.Contains(t, w.Body.String(), "lifecycle.not-begun")
}

// Without a measurement there is no figure: a zero would say that nothing is unsealed or missing.
func TestNothingMeasuredIsNoZero(t *testing.T) {
	t.Parallel()
	s := newService(t, realTime)
	for _, name := range []string{"blotter_followups_missing", "blotter_unsealed_age_seconds",
		"blotter_unsealed_events", "blotter_breaks_open", "blotter_checkpoint_leaves"} {
		require.InDelta(t, -1, s.metric(name), 0, name)
	}
}

// An append to several streams is measured as others are.
func TestMetricsCountAtomicAppends(t *testing.T) {
	t.Parallel()
	s := newService(t, realTime)
	s.command("trader/1", mark("m-1", "70"))
	appends := atomicAppends(t, s, 1, 3)
	log, ok := s.System.Desk.Log.(contract.Atomic)
	require.True(t, ok)
	require.True(t, log.Together("account/main/0", "account/main/1"))
	_, err := log.AppendAll(t.Context(), appends)
	require.NoError(t, err)
	appends[0].Expected, appends[0].Events[0].ID = 7, uuid.New()
	_, err = log.AppendAll(t.Context(), appends[:1])
	require.Error(t, err)
	for series, want := range map[string]float64{
		`messaging_client_operation_duration_seconds_count{error_type="",` +
			`messaging_operation_name="append",messaging_system="kafka"}`: 2,
		`messaging_client_sent_messages_total{error_type="",` +
			`messaging_operation_name="append",messaging_system="kafka"}`: 4,
		`messaging_client_sent_messages_total{error_type="conflict",` +
			`messaging_operation_name="append",messaging_system="kafka"}`: 1,
	} {
		require.InDelta(t, want, s.metric(series), 0, series)
	}
}
