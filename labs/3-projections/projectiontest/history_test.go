package projectiontest

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// The checks prove as much as the histories have in them.
func TestHistoriesHaveEveryKindOfEventAndEveryStatus(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for seed := range uint64(20) {
		log := History(seed, 200, 1)
		for stream, events := range streamsOf(log.Events) {
			note(seen, stream, events)
		}
		for _, s := range fold(log.Events).Trades {
			seen[string(s.Status)]++
		}
	}
	for _, what := range []string{
		"NEW", "AMEND", "CANCEL", "NOVATE", "SETTLE", "EXERCISE", "REFUSED", "MARK",
		"LIVE", "VOIDED", "TERMINATED", "NOVATED", "SETTLED", "EXERCISED",
		"late", "dated ahead", "in MW", "refused mark",
		"successor by NOVATE", "successor by EXERCISE", "life of a successor", "cash exercise",
		"price alone", "quantity alone", "price and quantity",
		"corrected NEW", "corrected AMEND", "corrected CANCEL", "corrected NOVATE", "corrected SETTLE", "corrected EXERCISE", "corrected MARK",
		"other side", "other currency", "other instrument", "other fee", "other book",
		"annulled CANCEL", "annulled NOVATE", "annulled SETTLE", "annulled EXERCISE",
		"mark of several points",
	} {
		require.NotZero(t, seen[what], what)
	}
}

// note counts what there is in the events of one stream.
func note(seen map[string]int, stream string, events []trade.Event) {
	count := func(what string, is bool) {
		if is {
			seen[what]++
		}
	}
	byID := map[uuid.UUID]trade.Event{}
	begun, _ := events[0].Body.(trade.New)
	latest := events[0].EffectiveAt
	for _, e := range events {
		byID[e.ID] = e
		count("late", e.EffectiveAt.Before(latest))
		count("dated ahead", e.EffectiveAt.After(e.RecordedAt))
		latest = later(latest, e.EffectiveAt)
		count("life of a successor", e.Version > 1 && begun.PriorUTI != "")
		kind := trade.Kind(e.Body)
		seen[kind]++
		wrong, corrects := byID[e.Corrects]
		count("corrected "+kind, corrects)
		q, reduces := reduced(e.Body)
		count("annulled "+kind, corrects && reduces && q.Value.IsZero())
		switch b := e.Body.(type) {
		case trade.New:
			was, _ := wrong.Body.(trade.New)
			count("in MW", !b.Capacity.IsZero())
			count("successor by EXERCISE", b.PriorUTI != "" && !b.CarriedIn.IsZero())
			count("successor by NOVATE", b.PriorUTI != "" && b.CarriedIn.IsZero())
			count("other side", corrects && b.Side != was.Side)
			count("other currency", corrects && b.Currency != was.Currency)
			count("other instrument", corrects && b.Instrument.ID() != was.Instrument.ID())
			count("other fee", corrects && !b.Fee.Equal(was.Fee))
			count("other book", corrects && b.Book != was.Book)
		case trade.Amend:
			count("price alone", b.Price != nil && b.Quantity.IsZero())
			count("quantity alone", b.Price == nil && !b.Quantity.IsZero())
			count("price and quantity", b.Price != nil && !b.Quantity.IsZero())
		case trade.Exercise:
			count("cash exercise", b.Settlement == trade.Cash)
		case trade.PriceMarked:
			count("mark of several points", len(b.Points) > 1)
		case trade.CommandRefused:
			count("refused mark", strings.HasPrefix(trade.Subject(stream), trade.CurveStream("")))
		}
	}
}

func reduced(b trade.Body) (q trade.Quantity, ok bool) {
	switch b := b.(type) {
	case trade.Settle:
		return b.Quantity, true
	case trade.Novate:
		return b.Quantity, true
	case trade.Exercise:
		return b.Quantity, true
	case trade.Cancel:
		return b.Quantity, b.Kind == trade.Terminate
	}
	return q, false
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Models keep a pool's state after every so many legs, and go back to it when a leg comes late: L3.2 has a pool that is longer.
func TestTheLongHistoryHasALongPool(t *testing.T) {
	t.Parallel()
	legs := map[trade.PoolKey]int{}
	for _, s := range fold(History(2, 800, 5).Events).Trades {
		for _, l := range s.Legs {
			legs[l.Pool]++
		}
	}
	require.Greater(t, slices.Max(slices.Collect(maps.Values(legs))), 64)
}

func TestHistoriesHavePoolsOfSeveralCurrenciesMarkedAndNot(t *testing.T) {
	t.Parallel()
	pools := map[string]int{}
	currencies := map[string]trade.Currency{}
	for seed := range uint64(20) {
		for _, p := range fold(History(seed, 200, 1).Events).Positions {
			open := !p.Quantity.IsZero()
			if open && p.MarketValue != nil {
				pools["marked in "+string(p.Currency)]++
			}
			if open && p.MarketValue == nil {
				pools["unmarked"]++
			}
			if known, ok := currencies[p.Instrument]; ok && known != p.Currency {
				pools["of one instrument in two currencies"]++
			}
			currencies[p.Instrument] = p.Currency
		}
	}
	for _, what := range []string{"marked in EUR", "marked in GBP", "marked in JPY", "unmarked", "of one instrument in two currencies"} {
		require.NotZero(t, pools[what], what)
	}
}

func TestHistoryIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	require.Equal(t, History(9, 200, 3), History(9, 200, 3))
	require.NotEqual(t, History(9, 200, 3), History(10, 200, 3))
}
