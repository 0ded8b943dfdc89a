package trade_test

import (
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/labs/kit/trade"
)

// stepsOf returns the steps of a history.
func stepsOf(t require.TestingT, streams map[string][]trade.Event) (all []trade.Step) {
	for s, err := range trade.Steps(streams) {
		require.NoError(t, err)
		all = append(all, s)
	}
	return all
}

// prefix returns the events of the first n steps.
func prefix(streams map[string][]trade.Event, steps []trade.Step) map[string][]trade.Event {
	some := map[string][]trade.Event{}
	for _, s := range steps {
		some[s.Stream] = streams[s.Stream][:s.Version]
	}
	return some
}

func chainOf(t require.TestingT, streams map[string][]trade.Event) trade.Chain {
	c, err := trade.ChainOf(streams)
	require.NoError(t, err)
	return c
}

// The former lines of a step are in the state before it, and its new lines make the state after it.
func TestStepsAddUpToTheState(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		streams := histories().Draw(t, "history").streams
		state, steps := map[string]bool{}, stepsOf(t, streams)
		for i, s := range steps {
			for _, line := range s.Before {
				require.True(t, state[line], "step %d removes %s", s.N, line)
				delete(state, line)
			}
			for _, line := range s.After {
				require.False(t, state[line], "step %d adds %s again", s.N, line)
				state[line] = true
			}
			if i%7 != 0 && i+1 != len(steps) {
				continue
			}
			alone, ok, err := trade.StepAt(streams, s.N)
			require.True(t, ok)
			require.NoError(t, err)
			require.Equal(t, s, alone)
			want := trade.StateOf(prefix(streams, steps[:i+1]), trade.AsOf{}).Canonical()
			require.ElementsMatch(t, slices.Collect(strings.Lines(string(want))),
				slices.Collect(maps.Keys(state)))
		}
	})
}

// FirstDifference equals a search through all prefixes, one after the other, by their full states.
func TestFirstDifferenceEqualsALinearSearch(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		streams := histories().Draw(t, "history").streams
		if len(streams) == 0 {
			return
		}
		stream := rapid.SampledFrom(slices.Sorted(maps.Keys(streams))).Draw(t, "stream")
		shorter := maps.Clone(streams)
		from := rapid.IntRange(0, len(streams[stream])-1).Draw(t, "version")
		if shorter[stream] = streams[stream][:from]; from == 0 {
			delete(shorter, stream)
		}
		a, b := chainOf(t, streams), chainOf(t, shorter)
		require.Equal(t, linear(t, streams, shorter), a.FirstDifference(b))
		require.Equal(t, linear(t, streams, shorter), b.FirstDifference(a))
		require.Zero(t, a.FirstDifference(a))
	})
}

func linear(t require.TestingT, a, b map[string][]trade.Event) int64 {
	of, than := stepsOf(t, a), stepsOf(t, b)
	state := func(streams map[string][]trade.Event, steps []trade.Step) string {
		return string(trade.StateOf(prefix(streams, steps), trade.AsOf{}).Canonical())
	}
	for i := range max(len(of), len(than)) {
		if i >= min(len(of), len(than)) || of[i].Stream != than[i].Stream ||
			state(a, of[:i+1]) != state(b, than[:i+1]) {
			return int64(i) + 1
		}
	}
	return 0
}

// A correction is lost in one history, and a void makes both states equal again. The chains still
// part at the correction.
func TestADifferenceThatDoesNotLast(t *testing.T) {
	t.Parallel()
	settle := of("T1", on("02-10", trade.Settle{Quantity: mwh("30"), Price: dec("81")}))
	history := func(corrected string) map[string][]trade.Event {
		d := newDesk()
		d.do(t, of("T1", on("02-03", power("100", "80"))), settle)
		fix := corrects(settle,
			on("02-11", trade.Settle{Quantity: mwh(corrected), Price: dec("81")}))
		void := of("T1", on("02-12", trade.Cancel{Kind: trade.Void}))
		fix.Approver, void.Approver = "control/1", "control/1"
		d.do(t, fix, void)
		return d.streams
	}
	a, b := history("25"), history("30")
	require.Equal(t, trade.StateOf(a, trade.AsOf{}).Digest(),
		trade.StateOf(b, trade.AsOf{}).Digest())
	require.EqualValues(t, 3, chainOf(t, a).FirstDifference(chainOf(t, b)))
	step := stepsOf(t, a)[2]
	require.Equal(t, "trade/T1", step.Stream)
	require.EqualValues(t, 3, step.Version)
	require.Contains(t, step.Before[0], `"settled":"30"`)
	require.Contains(t, step.After[0], `"settled":"25"`)
	require.Contains(t, step.After[1], `{"position":`)
}

// Other programs keep chains, so their digests never change within a format.
func TestChainNeverChanges(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, golden()...)
	c := chainOf(t, d.streams)
	require.Equal(t, "c54911a109f9026afbe614490452f49466847ded36f0c1040f1705d6f3cac6ca",
		hex.EncodeToString(c[len(c)-1][:]))
}

func TestChainNeedsEveryVersion(t *testing.T) {
	t.Parallel()
	d := newDesk()
	d.do(t, golden()...)
	d.streams["trade/T1"] = slices.Delete(d.streams["trade/T1"], 1, 2)
	_, err := trade.ChainOf(d.streams)
	require.EqualError(t, err, "stream trade/T1: version 3 comes after 1")
	_, ok, err := trade.StepAt(d.streams, 5)
	require.False(t, ok)
	require.EqualError(t, err, "stream trade/T1: version 3 comes after 1")
	for _, n := range []int64{-1, 0, 1000} {
		_, ok, err = trade.StepAt(d.streams, n)
		require.False(t, ok)
		require.NoError(t, err)
	}
}
