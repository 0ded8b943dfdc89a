package capstone_test

import (
	"context"
	"encoding/hex"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
	replay "example.com/blotter/solutions/4-replay"
	"example.com/blotter/solutions/4-replay/memory"
)

// The facts of two types under their first version, which had fewer fields: 2,160 MWh settled at
// 83.10, and a price of 84.25 for March 2025 in the curve power/CET/base.
var firstWritten = map[string]string{
	"trade.settled": "0a0080befc00000804f40160",
	"price.marked":  "1c706f7765722f4345542f626173650645555202e8ba02a6bb020805058d9000",
}

// withOldEvents returns a system with a settlement and a mark, as first written or in the latest
// version of their schemas.
func withOldEvents(t *testing.T, first bool) *capstone.System {
	t.Helper()
	s := newSystem()
	s.Snapshots, s.Replayer = memory.New(), replay.New(s.Desk.Codec)
	s.Clock = func() time.Time { return nine }
	cmd := oil("c-1", "A")
	terms := cmd.Body.(trade.New)
	terms.Instrument = trade.Instrument{
		Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: period("2025-03"),
	}
	terms.Quantity = trade.Quantity{Value: trade.Int(7430), Unit: trade.MWh}
	terms.Currency = "EUR"
	cmd.Body = terms
	require.Nil(t, do(t, s, cmd).Refusal)
	for stream, typ := range map[string]string{
		trade.TradeStream("A"):              "trade.settled",
		trade.CurveStream("power/CET/base"): "price.marked",
	} {
		p := contract.Payload{Type: typ, Schema: 1, Data: oldData(t, typ)}
		if !first {
			body, err := s.Desk.Codec.Decode(t.Context(), typ, p.Data)
			require.NoError(t, err)
			p, err = s.Desk.Codec.Encode(t.Context(), body)
			require.NoError(t, err)
			require.Equal(t, 2, p.Schema)
		}
		_, err := s.Log.Append(t.Context(), stream, contract.Any, contract.Event{
			ID: trade.EventID(typ, 0), Stream: stream, CommandID: typ, Type: typ,
			Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
			EffectiveAt: nine.Add(time.Hour), EnteredAt: nine.Add(time.Hour),
			Actor: "ops/1", Source: "test", Reason: "as the invoice says",
		})
		require.NoError(t, err)
	}
	return s
}

// schemaID returns the id of the first version of a type in the offline registry, which counts from
// 1.
func schemaID(typ string) byte {
	return byte(slices.IndexFunc(schemas.All(), func(s schemas.Schema) bool {
		return s.Type == typ && s.Version == 1
	}) + 1)
}

func oldData(t *testing.T, typ string) []byte {
	t.Helper()
	body, err := hex.DecodeString(firstWritten[typ])
	require.NoError(t, err)
	return append([]byte{0, 0, 0, 0, schemaID(typ)}, body...)
}

// Events as first written, and the same facts written in the new version of their schemas, replay
// to one state.
func TestOldEventsReplayToTheSameState(t *testing.T) {
	t.Parallel()
	first, err := withOldEvents(t, true).Snapshot(t.Context(), "now")
	require.NoError(t, err)
	latest := withOldEvents(t, false)
	second, err := latest.Snapshot(t.Context(), "now")
	require.NoError(t, err)
	require.Equal(t, string(first.State), string(second.State))
	require.Contains(t, string(first.State), `"settled":"2160"`)
	require.Contains(t, string(first.State), `"price":"84.25"`)
	r, err := latest.Replay(t.Context(), "now")
	require.NoError(t, err)
	require.Nil(t, r.Difference)
}

// A changedUpcaster reads one type in its first version differently from the program that archived
// the snapshot.
type changedUpcaster struct {
	contract.Codec
	typ    string
	change func(trade.Body) trade.Body
}

func (c changedUpcaster) Decode(
	ctx context.Context, typ string, data []byte,
) (trade.Body, error) {
	body, err := c.Codec.Decode(ctx, typ, data)
	if err == nil && typ == c.typ && data[4] == schemaID(typ) {
		body = c.change(body)
	}
	return body, err
}

// A changed upcaster is caught by a replay against a snapshot, which names the first line. No
// registry finds it: the schemas are the same.
func TestReplayCatchesAChangedUpcaster(t *testing.T) {
	t.Parallel()
	s := withOldEvents(t, true)
	_, err := s.Snapshot(t.Context(), "now")
	require.NoError(t, err)
	for typ, tc := range map[string]struct {
		change             func(trade.Body) trade.Body
		archived, replayed string
	}{
		"trade.settled": {func(b trade.Body) trade.Body {
			settle := b.(trade.Settle)
			settle.Price = trade.Dec("8.31")
			return settle
		}, `"realised":"28296"`, `"realised":"-133250.4"`},
		"price.marked": {func(b trade.Body) trade.Body {
			m := b.(trade.PriceMarked)
			m.Currency = "GBP"
			return m
		}, `"currency":"EUR","price":"84.25"`, `"currency":"GBP","price":"84.25"`},
	} {
		s.Replayer = replay.New(changedUpcaster{codec.Offline(), typ, tc.change})
		r, err := s.Replay(t.Context(), "now")
		require.NoError(t, err)
		require.NotNil(t, r.Difference, typ)
		require.Contains(t, r.Difference.Archived, tc.archived, typ)
		require.Contains(t, r.Difference.Replay, tc.replayed, typ)
	}
}
