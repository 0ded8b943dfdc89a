package projectiontest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/trade"
)

// The checks prove as much as the histories have in them.
func TestHistoryHasEveryKindOfEventAndEveryStatus(t *testing.T) {
	t.Parallel()
	kinds, statuses, late, corrections := map[string]int{}, map[trade.Status]int{}, 0, 0
	for seed := range uint64(8) {
		log := History(seed, 300, 1)
		for _, events := range streamsOf(log.Events) {
			for i, e := range events {
				kinds[trade.Kind(e.Body)]++
				if e.Corrects != [16]byte{} {
					corrections++
				}
				if i > 0 && e.EffectiveAt.Before(events[i-1].EffectiveAt) {
					late++
				}
			}
		}
		for _, s := range fold(log.Events).Trades {
			statuses[s.Status]++
		}
	}
	for _, kind := range []string{"NEW", "AMEND", "CANCEL", "NOVATE", "SETTLE", "EXERCISE", "REFUSED", "MARK"} {
		require.NotZero(t, kinds[kind], kind)
	}
	for _, status := range []trade.Status{trade.Live, trade.Voided, trade.Terminated, trade.Novated, trade.Settled, trade.Exercised} {
		require.NotZero(t, statuses[status], status)
	}
	require.NotZero(t, late)
	require.NotZero(t, corrections)
}

func TestHistoryIsTheSameForTheSameSeed(t *testing.T) {
	t.Parallel()
	require.Equal(t, History(9, 200, 3), History(9, 200, 3))
	require.NotEqual(t, History(9, 200, 3), History(10, 200, 3))
}
