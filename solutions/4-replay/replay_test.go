package replay_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay"
	"example.com/blotter/solutions/4-replay/memory"
)

// A log of bodies. It is its own codec: an event's data is the number of its body.
type log []told

type told struct {
	stream string
	body   trade.Body
}

func (l log) Encode(context.Context, trade.Body) (contract.Payload, error) {
	panic("nothing is encoded here")
}

func (l log) Decode(_ context.Context, _ string, data []byte) (trade.Body, error) {
	return l[binary.BigEndian.Uint32(data)].body, nil
}

func (l log) Read(_ context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		versions := map[string]int64{}
		for i := from.At(0); i < min(to.At(0), int64(len(l))); i++ {
			versions[l[i].stream]++
			at := time.Date(2025, 3, 3, 12, int(i), 0, 0, time.UTC)
			r := contract.Recorded{
				Event: contract.Event{
					ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)), Stream: l[i].stream, EffectiveAt: at,
					Data: binary.BigEndian.AppendUint32(nil, uint32(i)),
				},
				Version: versions[l[i].stream], RecordedAt: at, Position: contract.Position{Offset: i},
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func (l log) End(context.Context) (contract.Cursor, error) {
	return contract.Cursor{int64(len(l))}, nil
}

func (l log) Frontier(context.Context) (time.Time, error) { return time.Time{}, nil }

func (l log) Follow(context.Context, contract.Cursor) iter.Seq2[contract.Recorded, error] {
	panic("a replay reads a range, it does not follow")
}

func mwh(q string) trade.Quantity { return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh} }

func begin(quantity, price string) trade.New {
	delivery, err := trade.ParsePeriod("2025-04")
	if err != nil {
		panic(err)
	}
	return trade.New{
		Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: trade.Buy, Currency: "EUR", Quantity: mwh(quantity), Price: trade.Dec(price),
		Instrument: trade.Instrument{Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: delivery},
	}
}

func settle(q string) trade.Settle { return trade.Settle{Quantity: mwh(q), Price: trade.Dec("54.25")} }

// history is what most tests begin with.
func history() log {
	return log{
		{"trade/A", begin("100", "50")},
		{"trade/B", begin("50", "56")},
		{"trade/B", settle("10")},
		{"trade/B", settle("20")},
	}
}

// archive puts the state of a log away.
func archive(t *testing.T, l log) contract.Snapshots {
	t.Helper()
	end, _ := l.End(t.Context())
	state, _, err := replay.New(l).Replay(t.Context(), l, end)
	require.NoError(t, err)
	snapshots := memory.New()
	require.NoError(t, snapshots.Put(t.Context(), contract.Snapshot{
		Name: "month-end", Cursor: end, Digest: state.Digest(), State: state.Canonical(),
	}))
	return snapshots
}

// explain replays l, whose states differ from what another log's led to, and says where.
func explain(t *testing.T, snapshots contract.Snapshots, l log) replay.Finding {
	t.Helper()
	snapshot, err := snapshots.Get(t.Context(), "month-end")
	require.NoError(t, err)
	r := replay.New(l)
	state, _, err := r.Replay(t.Context(), l, snapshot.Cursor)
	require.NoError(t, err)
	difference := new(contract.Difference)
	require.ErrorAs(t, r.Compare(snapshot.State, state.Canonical()), &difference)
	finding, err := r.Explain(t.Context(), l, snapshot.Cursor, difference)
	require.NoError(t, err)
	return finding
}

func TestAReplayDoesNotLookPastTheCursor(t *testing.T) {
	t.Parallel()
	snapshot, err := archive(t, history()).Get(t.Context(), "month-end")
	require.NoError(t, err)
	later := append(history(), told{"trade/C", begin("1", "1")})
	r := replay.New(later)
	state, events, err := r.Replay(t.Context(), later, snapshot.Cursor)
	require.NoError(t, err)
	require.EqualValues(t, 4, events)
	require.NoError(t, r.Compare(snapshot.State, state.Canonical()))
}

func TestExplainNamesTheFirstEventAtWhichHistoriesPart(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(log) log
		want   string
	}{
		{"an event came in", func(l log) log { return append(l[:2:2], told{"trade/A", settle("5")}, l[2], l[3]) }, `trade A
  open: archived "100", replayed "95"
  settled: archived "0", replayed "5"
  settled_amount: archived "0", replayed "250"
  the histories part at version 2 of stream trade/A`},
		{"an event was changed", func(l log) log { l[2].body = settle("11"); return l }, `trade B
  open: archived "20", replayed "19"
  settled: archived "30", replayed "31"
  settled_amount: archived "1680", replayed "1736"
  no beginning of stream trade/B comes to the archived state: one of its events was changed, or is gone`},
		{"the last event of a stream is gone", func(l log) log { l[3] = told{"trade/C", begin("1", "1")}; return l }, `trade B
  open: archived "20", replayed "40"
  settled: archived "30", replayed "10"
  settled_amount: archived "1680", replayed "560"
  no beginning of stream trade/B comes to the archived state: one of its events was changed, or is gone`},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			snapshots := archive(t, history())
			changed := tc.change(history())
			finding := explain(t, snapshots, changed[:4])
			require.Equal(t, tc.want, finding.String())
		})
	}
}

const lostTrade = `trade A
  book: archived "north", replayed nothing
  contracted: archived "100", replayed nothing
  counterparty: archived "LEI-1", replayed nothing
  currency: archived "EUR", replayed nothing
  exercised: archived "0", replayed nothing
  instrument: archived "power/CET/base@2025-04", replayed nothing
  novated: archived "0", replayed nothing
  open: archived "100", replayed nothing
  price: archived "50", replayed nothing
  settled: archived "0", replayed nothing
  settled_amount: archived "0", replayed nothing
  side: archived "buy", replayed nothing
  status: archived "LIVE", replayed nothing
  terminated: archived "0", replayed nothing
  trader: archived "t-1", replayed nothing
  unit: archived "MWh", replayed nothing
  uti: archived "A", replayed nothing
  the log has no stream trade/A`

func TestExplainNamesATradeThatOneSideDoesNotHave(t *testing.T) {
	t.Parallel()
	shorter := log{history()[1], history()[2], history()[3], told{"trade/B", trade.Amend{Kind: trade.Update, Trader: "t-2"}}}
	lost := explain(t, archive(t, history()), shorter)
	require.Equal(t, "trade A", lost.Subject)
	require.Equal(t, "trade/A", lost.Stream)
	require.Equal(t, lostTrade, lost.String())

	found := explain(t, archive(t, shorter), history())
	require.Equal(t, "trade A", found.Subject)
	require.EqualValues(t, 1, found.Version)
}

func TestExplainNamesThePositionWhereTradesAgree(t *testing.T) {
	t.Parallel()
	marked := func(price string) log {
		return append(history(), told{"curve/power/CET/base", trade.PriceMarked{
			Curve: "power/CET/base", Currency: "EUR", Points: []trade.Point{{Delivery: begin("1", "1").Instrument.Delivery, Price: trade.Dec(price)}},
		}})
	}
	finding := explain(t, archive(t, marked("53")), marked("54"))
	require.Equal(t, "position north power/CET/base@2025-04 EUR", finding.Subject)
	require.Empty(t, finding.Stream)
	require.Equal(t, replay.Field{Name: "market_value", Archived: `"6360"`, Replayed: `"6480"`}, finding.Fields[2])
}

func TestAReplayStopsWhereAVersionIsMissing(t *testing.T) {
	t.Parallel()
	l := history()
	_, _, err := replay.New(l).Replay(t.Context(), skipping{l}, contract.Cursor{4})
	require.ErrorContains(t, err, "stream trade/B has version 2 at position 0/2, want 1")
}

// skipping is a feed that leaves out its second event.
type skipping struct{ log }

func (s skipping) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range s.log.Read(ctx, from, to) {
			if r.Position.Offset != 1 && !yield(r, err) {
				return
			}
		}
	}
}
