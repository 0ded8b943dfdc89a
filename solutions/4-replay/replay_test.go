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

// A log is a list of bodies. It is its own codec: the data of an event is the number of its body.
type log []entry

type entry struct {
	stream string
	body   trade.Body
}

func (l log) Encode(context.Context, trade.Body) (contract.Payload, error) {
	panic("not called")
}

func (l log) Decode(_ context.Context, _ string, data []byte) (trade.Body, error) {
	return l[binary.BigEndian.Uint32(data)].body, nil
}

type feed = iter.Seq2[contract.Recorded, error]

func (l log) Read(_ context.Context, from, to contract.Cursor) feed {
	return func(yield func(contract.Recorded, error) bool) {
		versions := map[string]int64{}
		for i := from.At(0); i < min(to.At(0), int64(len(l))); i++ {
			versions[l[i].stream]++
			at := time.Date(2025, 3, 3, 12, int(i), 0, 0, time.UTC)
			r := contract.Recorded{
				Event: contract.Event{
					ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, i)),
					Stream: l[i].stream, EffectiveAt: at,
					Data: binary.BigEndian.AppendUint32(nil, uint32(i)),
				},
				Version: versions[l[i].stream], RecordedAt: at,
				Position: contract.Position{Offset: i},
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

func (l log) Follow(context.Context, contract.Cursor) feed { panic("not called") }

func mwh(q string) trade.Quantity { return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh} }

func begin(quantity, price string) trade.New {
	delivery, err := trade.ParsePeriod("2025-04")
	if err != nil {
		panic(err)
	}
	return trade.New{
		Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: trade.Buy, Currency: "EUR",
		Quantity: mwh(quantity), Price: trade.Dec(price),
		Instrument: trade.Instrument{
			Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: delivery,
		},
	}
}

func settle(q string) trade.Settle {
	return trade.Settle{Quantity: mwh(q), Price: trade.Dec("54.25")}
}

// history is the log with which most tests begin.
func history() log {
	return log{
		{"trade/A", begin("100", "50")},
		{"trade/B", begin("50", "56")},
		{"trade/B", settle("10")},
		{"trade/B", settle("20")},
	}
}

// archive returns an archive with the state of a log.
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

// explain replays l and explains the difference from the archived state of another log.
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

func TestAReplayEndsAtTheCursor(t *testing.T) {
	t.Parallel()
	snapshot, err := archive(t, history()).Get(t.Context(), "month-end")
	require.NoError(t, err)
	later := append(history(), entry{"trade/C", begin("1", "1")})
	r := replay.New(later)
	state, events, err := r.Replay(t.Context(), later, snapshot.Cursor)
	require.NoError(t, err)
	require.EqualValues(t, 4, events)
	require.NoError(t, r.Compare(snapshot.State, state.Canonical()))
}

func TestExplainNamesTheFirstChangedEvent(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		change func(log) log
		want   string
	}{
		{"an event was added", func(l log) log {
			return append(l[:2:2], entry{"trade/A", settle("5")}, l[2], l[3])
		}, `trade A
  open: archived "100", replayed "95"
  settled: archived "0", replayed "5"
  settled_amount: archived "0", replayed "250"
  the histories differ from version 2 of stream trade/A on`},
		{"an event was changed", func(l log) log { l[2].body = settle("11"); return l }, `trade B
  open: archived "20", replayed "19"
  settled: archived "30", replayed "31"
  settled_amount: archived "1680", replayed "1736"
  no prefix of stream trade/B gives the archived state: ` + changed},
		{"the last event of a stream was removed", func(l log) log {
			l[3] = entry{"trade/C", begin("1", "1")}
			return l
		}, `trade B
  open: archived "20", replayed "40"
  settled: archived "30", replayed "10"
  settled_amount: archived "1680", replayed "560"
  no prefix of stream trade/B gives the archived state: ` + changed},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			snapshots := archive(t, history())
			finding := explain(t, snapshots, tc.change(history())[:4])
			require.Equal(t, tc.want, finding.String())
		})
	}
}

const changed = "an event of the stream was changed or removed"

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

func TestExplainNamesAMissingTrade(t *testing.T) {
	t.Parallel()
	update := trade.Amend{Kind: trade.Update, Trader: "t-2"}
	shorter := append(history()[1:], entry{"trade/B", update})
	lost := explain(t, archive(t, history()), shorter)
	require.Equal(t, "trade A", lost.Subject)
	require.Equal(t, "trade/A", lost.Stream)
	require.Equal(t, lostTrade, lost.String())

	found := explain(t, archive(t, shorter), history())
	require.Equal(t, "trade A", found.Subject)
	require.EqualValues(t, 1, found.Version)
}

func TestExplainNamesTheParkedStream(t *testing.T) {
	t.Parallel()
	parked := append(history(), entry{"trade/A", settle("1000")})
	legal := append(history(), entry{"refused/A", trade.CommandRefused{}})
	finding := explain(t, archive(t, parked), legal)
	require.Equal(t, "parked trade/A", finding.Subject)
	require.Contains(t, finding.String(), `archived "quantity.exceeds-open", replayed nothing`)
}

func TestExplainNamesTheMark(t *testing.T) {
	t.Parallel()
	delivery := begin("1", "1").Instrument.Delivery
	marked := func(price string) log {
		return append(history(), entry{"curve/power/CET/base", trade.PriceMarked{
			Curve: "power/CET/base", Currency: "EUR",
			Points: []trade.Point{{Delivery: delivery, Price: trade.Dec(price)}},
		}})
	}
	finding := explain(t, archive(t, marked("53")), marked("54"))
	require.Equal(t, "mark power/CET/base 2025-04", finding.Subject)
	require.Empty(t, finding.Stream)
	want := []replay.Field{{Name: "price", Archived: `"53"`, Replayed: `"54"`}}
	require.Equal(t, want, finding.Fields)
}

func TestAReplayStopsAtAMissingVersion(t *testing.T) {
	t.Parallel()
	l := history()
	_, _, err := replay.New(l).Replay(t.Context(), skipping{l}, contract.Cursor{4})
	require.ErrorContains(t, err, "position 0/2: trade/B has version 2 here, want 1")
}

// skipping is a log that leaves out its second event.
type skipping struct{ log }

func (s skipping) Read(ctx context.Context, from, to contract.Cursor) feed {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range s.log.Read(ctx, from, to) {
			if r.Position.Offset != 1 && !yield(r, err) {
				return
			}
		}
	}
}

// A forged line may have two kinds, and no order of a map chooses one of them.
func TestExplainRefusesALineOfTwoKinds(t *testing.T) {
	t.Parallel()
	finding, err := replay.New(history()).Explain(t.Context(), history(), contract.Cursor{4},
		&contract.Difference{Line: 1, Archived: `{"trade":{"uti":"A"},"mark":{"curve":"A"}}`})
	require.NoError(t, err)
	require.Equal(t, "line 1, which is no canonical line", finding.Subject)
}
