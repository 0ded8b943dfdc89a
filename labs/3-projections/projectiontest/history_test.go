package projectiontest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// A check finds only faults in cases that the histories contain.
func TestHistoriesContainEveryCase(t *testing.T) {
	t.Parallel()
	seen := tally{}
	for seed := range uint64(20) {
		log := History(seed, 200, 1)
		for stream, events := range streamsOf(log.Events) {
			seen.stream(stream, events)
		}
		for _, s := range fold(log.Events).Trades {
			seen[string(s.Status)]++
		}
	}
	wanted := []string{
		"LIVE", "VOIDED", "TERMINATED", "NOVATED", "SETTLED", "EXERCISED",
		"late", "dated ahead", "in MW", "refused mark",
		"successor by NOVATE", "successor by EXERCISE", "life of a successor", "cash exercise",
		"only the price", "only the quantity", "price and quantity",
		"other side", "other currency", "other instrument", "other fee", "other book",
		"mark of several points",
	}
	for _, k := range trade.Kinds() {
		wanted = append(wanted, k.Operation)
		if k.IsCommand() {
			wanted = append(wanted, "corrected "+k.Operation)
		}
		if _, reduces := k.Zero.(trade.Reducer); reduces {
			wanted = append(wanted, "annulled "+k.Operation)
		}
	}
	for _, name := range wanted {
		require.NotZero(t, seen[name], "no history contains: %s", name)
	}
}

// A tally counts the cases in histories, by name.
type tally map[string]int

func (n tally) count(name string, is bool) {
	if is {
		n[name]++
	}
}

// stream counts the cases in the events of one stream.
func (n tally) stream(stream string, events []trade.Event) {
	byID := map[uuid.UUID]trade.Event{}
	begun, _ := events[0].Body.(trade.New)
	for i, e := range events {
		byID[e.ID] = e
		kind := trade.KindOf(e.Body).Operation
		wrong, corrects := byID[e.Corrects]
		q, reduces := trade.Reduction(e.Body)
		n[kind]++
		n.count("late", i > 0 && e.EffectiveAt.Before(events[i-1].EffectiveAt))
		n.count("dated ahead", e.EffectiveAt.After(e.RecordedAt))
		n.count("life of a successor", i > 0 && begun.PriorUTI != "")
		n.count("corrected "+kind, corrects)
		n.count("annulled "+kind, corrects && reduces && q.Value.IsZero())
		refusedCurve := trade.Command{}.RefusedStream() + trade.CurveStream("")
		n.count("refused mark", strings.HasPrefix(stream, refusedCurve))
		n.body(e.Body, wrong.Body)
	}
}

// body counts the cases in one event, which may correct another.
func (n tally) body(is, wrong trade.Body) {
	switch b := is.(type) {
	case trade.New:
		n.count("in MW", !b.Capacity.IsZero())
		n.count("successor by EXERCISE", b.PriorUTI != "" && !b.CarriedIn.IsZero())
		n.count("successor by NOVATE", b.PriorUTI != "" && b.CarriedIn.IsZero())
		if was, corrects := wrong.(trade.New); corrects {
			n.count("other side", b.Side != was.Side)
			n.count("other currency", b.Currency != was.Currency)
			n.count("other instrument", b.Instrument.ID() != was.Instrument.ID())
			n.count("other fee", !b.Fee.Equal(was.Fee))
			n.count("other book", b.Book != was.Book)
		}
	case trade.Amend:
		n.count("only the price", b.Price != nil && b.Quantity.IsZero())
		n.count("only the quantity", b.Price == nil && !b.Quantity.IsZero())
		n.count("price and quantity", b.Price != nil && !b.Quantity.IsZero())
	case trade.Exercise:
		n.count("cash exercise", b.Settlement == trade.Cash)
	case trade.PriceMarked:
		n.count("mark of several points", len(b.Points) > 1)
	}
}

// Models save the state of a pool at intervals, and go back to a saved state for a late leg. L3.15
// needs a pool that is long enough to have saved states.
func TestTheLongHistoryHasALongPool(t *testing.T) {
	t.Parallel()
	legs := tally{}
	for _, s := range fold(History(longSeed, longEvents, 1).Events).Trades {
		for _, l := range s.Legs {
			legs[fmt.Sprint(l.Pool)]++
		}
	}
	require.Greater(t, slices.Max(slices.Collect(maps.Values(legs))), 64)
}

func TestHistoriesHaveMarkedAndUnmarkedPools(t *testing.T) {
	t.Parallel()
	pools := tally{}
	for seed := range uint64(20) {
		last := trade.Valuation{}
		for _, p := range fold(History(seed, 200, 1).Events).ValuedAt(time.Time{}) {
			open := !p.Quantity.IsZero()
			pools.count("marked in "+string(p.Currency), open && p.MarketValue != nil)
			pools.count("unmarked", open && p.MarketValue == nil)
			same := last.Book == p.Book && last.Instrument == p.Instrument
			pools.count("of one instrument in two currencies", same)
			last = p
		}
	}
	for _, name := range []string{
		"marked in EUR", "marked in GBP", "marked in JPY", "unmarked",
		"of one instrument in two currencies",
	} {
		require.NotZero(t, pools[name], "no history has a pool: %s", name)
	}
}

func TestHistoryDependsOnlyOnItsArguments(t *testing.T) {
	t.Parallel()
	require.Equal(t, History(9, 200, 3), History(9, 200, 3))
	require.NotEqual(t, History(9, 200, 3), History(10, 200, 3))
}
