package canary_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/canary"
	"example.com/blotter/capstone/domain"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
)

type decision = func(canary.State) (domain.Body, error)

// newLog returns a codec over an empty log, and a function that takes a step of the canary of a
// type.
func newLog(t *testing.T) (*canary.Codec, func(typ string, decide decision) error) {
	t.Helper()
	registry := codec.InMemory()
	inner, err := codec.New(t.Context(), registry, "log")
	require.NoError(t, err)
	log := logs.New(contract.SimulatedClock)
	now := time.Date(2025, 1, 15, 9, 0, 0, 0, time.UTC)
	c := &canary.Codec{Inner: inner, Registry: registry, Name: "log", Log: log,
		Now: func() time.Time { now = now.Add(time.Minute); return now }, Readable: codec.Readable}
	return c, func(typ string, decide decision) error {
		s, err := canary.Read(t.Context(), log, typ)
		require.NoError(t, err)
		body, err := decide(s)
		if err == nil {
			err = s.Record(t.Context(), log, domain.New(registry, "log"), domain.Entry{
				Actor: "ops/1", Reason: "release", Source: "test", EnteredAt: now}, body)
		}
		return err
	}
}

// The stream decides the version while a canary runs. Aborted, no stream has the new version, and
// promoted, all have it. Every event is read with the content that was sent.
func TestStreamDecidesTheVersion(t *testing.T) {
	t.Parallel()
	c, step := newLog(t)
	body := trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("10"), Unit: trade.MWh},
		Price: trade.Dec("71.5")}
	versions := func() map[int]int {
		t.Helper()
		n := map[int]int{}
		for range 200 {
			ctx := canary.OnStream(t.Context(), trade.TradeStream(uuid.NewString()))
			p, err := c.Encode(ctx, body)
			require.NoError(t, err)
			again, err := c.Encode(ctx, body)
			require.NoError(t, err)
			require.Equal(t, p, again)
			n[p.Schema]++
			got, err := c.Decode(t.Context(), p.Type, p.Data)
			require.NoError(t, err)
			require.Equal(t, body, got)
		}
		return n
	}
	const typ = "trade.settled"
	end := func(decide decision) {
		t.Helper()
		require.NoError(t, step(typ, decide))
	}
	promote := func(s canary.State) (domain.Body, error) { return s.Promote(1) }
	start := func(s canary.State) (domain.Body, error) { return s.Start(30, codec.Readable) }
	require.Equal(t, map[int]int{2: 200}, versions(), "without a canary")
	require.NoError(t, step(typ, start))
	running := versions()
	require.InDelta(t, 60, running[2], 40)
	require.Equal(t, 200, running[1]+running[2])
	end(canary.State.Abort)
	require.Equal(t, map[int]int{1: 200}, versions())
	require.NoError(t, step(typ, start), "again")
	end(promote)
	require.Equal(t, map[int]int{2: 200}, versions())
}

// A body that the version before cannot hold is refused, and not changed.
func TestNoValueIsDropped(t *testing.T) {
	t.Parallel()
	c, step := newLog(t)
	require.NoError(t, step("trade.settled", func(s canary.State) (domain.Body, error) {
		return s.Start(1, codec.Readable)
	}))
	body := trade.Settle{Quantity: trade.Quantity{Value: trade.Dec("10"), Unit: trade.MWh},
		Price: trade.Dec("71.5"), PriceSource: "exchange"}
	_, err := c.Encode(canary.OnStream(t.Context(), "trade/A"), body)
	require.ErrorIs(t, err, contract.ErrUnencodable)
	require.ErrorContains(t, err, "until the canary is promoted")
	_, err = c.Encode(t.Context(), body)
	require.NoError(t, err, "events without a stream have the latest version")
}

// A step that breaks a rule is refused by name: above all, the start of a version that the program
// before it could not read.
func TestStepsAreRefused(t *testing.T) {
	t.Parallel()
	_, step := newLog(t)
	start := func(share int64) decision {
		return func(s canary.State) (domain.Body, error) { return s.Start(share, codec.Readable) }
	}
	promote := func(s canary.State) (domain.Body, error) { return s.Promote(0) }
	require.ErrorContains(t, step("price.marked", start(10)), "canary.unreadable: a program of "+
		"version 1 of price.marked cannot read version 2")
	require.ErrorContains(t, step("trade.new", start(10)), "canary.no-version")
	require.ErrorContains(t, step("trade.blessed", start(10)), "canary.no-version")
	require.ErrorContains(t, step("break.opened", start(10)), "canary.no-version")
	require.ErrorContains(t, step("trade.settled", start(0)), "canary.share")
	require.ErrorContains(t, step("trade.settled", start(101)), "canary.share")
	require.ErrorContains(t, step("trade.settled", canary.State.Abort), "canary.not-running")
	require.ErrorContains(t, step("trade.settled", promote), "canary.not-running")
	require.NoError(t, step("trade.settled", start(10)))
	require.ErrorContains(t, step("trade.settled", start(10)), "canary.running")
	require.ErrorContains(t, step("trade.settled", promote), "canary.unused")
}

// Only events of the new version since the last start count: those of an earlier canary were
// compared then, and perhaps caught.
func TestWrittenSinceTheStart(t *testing.T) {
	t.Parallel()
	c, step := newLog(t)
	start := func(s canary.State) (domain.Body, error) { return s.Start(100, codec.Readable) }
	at, n := time.Date(2025, 1, 15, 9, 0, 0, 0, time.UTC), uint32(0)
	write := func() {
		t.Helper()
		stream := trade.TradeStream(uuid.NewString())
		p, err := c.Encode(canary.OnStream(t.Context(), stream), trade.Settle{
			Price:    trade.Dec("71"),
			Quantity: trade.Quantity{Value: trade.Dec("10"), Unit: trade.MWh}})
		require.NoError(t, err)
		n++
		_, err = c.Log.Append(contract.At(t.Context(), at), stream, 0, contract.Event{
			ID: trade.EventID("s", n), Stream: stream, Type: p.Type, Schema: p.Schema,
			Fingerprint: p.Fingerprint, EnteredAt: at, EffectiveAt: at, Actor: "ops/1",
			Reason: "delivered", Source: "test",
			CommandID: "s", Data: p.Data})
		require.NoError(t, err)
	}
	written := func() int64 {
		t.Helper()
		s, err := canary.Read(t.Context(), c.Log, "trade.settled")
		require.NoError(t, err)
		n, err := s.Written(t.Context(), c.Log)
		require.NoError(t, err)
		return n
	}
	write()
	at = at.Add(time.Hour)
	require.NoError(t, step("trade.settled", start))
	require.Zero(t, written(), "the event came before the canary")
	at = at.Add(time.Hour)
	write()
	write()
	require.EqualValues(t, 2, written())
}
