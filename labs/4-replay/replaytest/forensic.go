package replaytest

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

var forensic = []spec{
	{Check: check.Check{
		ID: "L4.17", Points: 3, Invariant: "L4.I6", Operation: chain,
		Title: "a chain is by recorded_at, stream and version, whatever the partitions and the " +
			"order of arrival",
		Hint: "collect all events first, and sort them; two partitions may record at the same " +
			"microsecond",
		More: "slices.SortFunc(events, …) with cmp.Or(a.RecordedAt.Compare(b.RecordedAt), " +
			"cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Version, b.Version))",
		Misconception: "that the order of arrival is the order of history",
	}, try: chainOrder},
	{Check: check.Check{
		ID: "L4.18", Points: 3, Invariant: "L4.I6", Operation: chain,
		Title: "two chains are equal before the first event whose effect differs, and differ " +
			"from it on",
		Hint: "each digest covers the one before it, and the effect of its event: " +
			"SHA-256(D(k-1) ‖ effect)",
		More: "last = sha256.Sum256(append(last[:], effect(r.Stream, streams[r.Stream])...)) " +
			"after take, and chain = append(chain, last)",
		Misconception: "that a digest of each effect alone is enough to find the first difference",
	}, try: chainsPart},
	{Check: check.Check{
		ID: "L4.19", Points: 2, Invariant: "L4.I6", Operation: bisect,
		Title: "Bisect finds the first place that differs, and asks about log2(n) times",
		Hint: "halve the range: if the middle is the same, the first difference is after it, " +
			"otherwise at it or before it",
		More: "from, to := 0, n; while from < to: middle := from + (to-from)/2; same: from = " +
			"middle+1, otherwise to = middle; return from",
		Misconception: "that each place must be compared",
	}, try: bisected},
	{Check: check.Check{
		ID: "L4.20", Points: 3, Invariant: "L4.I6", Operation: bisect,
		Title: "the altered event of a log is found, also if the states are equal in the end",
		Hint: "if L4.17 to L4.19 pass, nothing is left to write: does Chain begin with 32 zero " +
			"bytes each time?",
		More: "last and streams are local variables of Chain; Bisect asks about the digest at a " +
			"place, and the place is that of the event",
		Misconception: "that equal states have equal histories",
	}, try: alteredFound},
}

// byTime orders events as a chain does.
func byTime(a, b contract.Recorded) int {
	return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), cmp.Compare(a.Stream, b.Stream),
		cmp.Compare(a.Version, b.Version))
}

// named names an event for people.
func named(r contract.Recorded) string {
	return fmt.Sprintf("%s version %d, recorded at %s", r.Stream, r.Version,
		r.RecordedAt.Format("15:04:05.000000"))
}

// simultaneous returns a history in which each three events have one time, where they are of
// different streams.
func simultaneous(seed uint64, n, partitions int) *projectiontest.Log {
	log := projectiontest.History(seed, n, partitions)
	for i := range log.Events {
		first := i - i%3
		same := slices.ContainsFunc(log.Events[first:i], func(r contract.Recorded) bool {
			return r.Stream == log.Events[i].Stream
		})
		if !same {
			log.Events[i].RecordedAt = log.Events[first].RecordedAt
		}
	}
	return log
}

func chainOrder(t *trial) {
	log := simultaneous(46, 90, 3)
	want := slices.SortedFunc(slices.Values(log.Events), byTime)
	events, digests := t.chain(log, endOf(log))
	require.Len(t, events, len(want), "the events of the chain")
	for i := range want {
		require.Equal(t, named(want[i]), named(events[i]), "event %d of the chain", i+1)
	}
	for _, partitions := range []int{1, 5} {
		spread := log.Spread(partitions)
		_, same := t.chain(spread, endOf(spread))
		requireChain(t, digests, same, fmt.Sprintf("the same events in %d partitions", partitions))
	}
	_, again := t.chain(log, endOf(log))
	requireChain(t, digests, again, "the same log again")
}

// requireChain requires a chain of some log.
func requireChain(t check.T, want, got [][sha256.Size]byte, log string) {
	require.Len(t, got, len(want), "the chain of %s", log)
	for i := range want {
		require.True(t, want[i] == got[i], "the chain of %s differs from event %d on", log, i+1)
	}
}

func chainsPart(t *trial) {
	log := projectiontest.History(47, 90, 2)
	_, chain := t.chain(log, endOf(log))
	require.Len(t.Hint("a chain has a digest for each event of the log"), chain, len(log.Events),
		"the chain of a log")
	for _, after := range []int{0, 30, 60} {
		other, k := altered(log, after)
		_, parted := t.chain(other, endOf(other))
		requireParted(t, chain, parted, k)
	}
	reworded := *log
	reworded.Events = slices.Clone(log.Events)
	for i := range reworded.Events {
		r := &reworded.Events[i]
		r.Data, r.Reason = append(slices.Clone(r.Data), ' '), "another reason"
	}
	_, same := t.chain(&reworded, endOf(log))
	requireChain(t.Hint("hash the effect of an event, and not its bytes: other bytes may have "+
		"the same meaning"), chain, same, "a log whose payloads have a space more")
	_, _, err := t.tryChain(broken{log, 12}, endOf(log))
	require.ErrorIs(t.Hint("each step of the feed has an error, as in L4.5: return it, because "+
		"the chain of a part of the log shows no difference after that part"), err, errBroken,
		"chain of a log that fails after 12 events")
	hinted := t.Hint("as Replay, return each error of contract.Decoded and of take: " +
		"a chain that lacks an event names a wrong place")
	requireErrors(hinted, "the chain", func(log contract.Reader, to contract.Cursor) error {
		_, _, err := t.tryChain(log, to)
		return err
	})
}

// requireParted requires that two chains are equal before place k, and differ from it on.
func requireParted(t *trial, a, b [][sha256.Size]byte, k int) {
	require.Len(t, b, len(a), "the chain of a log in which event %d was altered", k+1)
	for i := range a {
		require.Equal(t, i < k, a[i] == b[i], "event %d was altered; the digests at event %d are "+
			"equal", k+1, i+1)
	}
}

func bisected(t *trial) {
	for _, n := range []int{0, 1, 2, 3, 64, 1000} {
		for _, first := range []int{0, n / 3, n / 2, n - 1, n} {
			asked := 0
			k, err := t.bisect(n, func(place int) (bool, error) {
				require.True(t, place >= 0 && place < n, "Bisect asked about place %d of %d",
					place, n)
				asked++
				return place < first, nil
			})
			if first < 0 {
				continue
			}
			require.NoError(t, err)
			hinted := t.T
			if first == n {
				hinted = t.Hint("perhaps no place differs: the answer is then n")
			}
			require.Equal(hinted, first, k, "the first of %d places that differs", n)
			require.LessOrEqual(t, asked, bits.Len(uint(n))+1, "questions about %d places", n)
		}
	}
	_, err := t.bisect(9, func(int) (bool, error) { return false, errBroken })
	require.ErrorIs(t.Hint("return the error of same: a question without an answer is neither "+
		"equal nor different"), err, errBroken, "an error of same")
}

// passing returns a history, and the same one with another NEW of a contract that is voided later.
// The states are equal in the end.
func passing() (log, other *projectiontest.Log, k int) {
	log = projectiontest.History(48, 120, 1)
	end := stateOf(log.Events, trade.AsOf{}).Canonical()
	for after := range log.Events[:len(log.Events)-20] {
		other, k = altered(log, after)
		if bytes.Equal(end, stateOf(other.Events, trade.AsOf{}).Canonical()) {
			return log, other, k
		}
	}
	panic("replaytest: no contract of the history is voided")
}

func alteredFound(t *trial) {
	log := projectiontest.History(49, 120, 3)
	other, k := altered(log, 50)
	requireFound(t, log, other, k)
	log, other, k = passing()
	requireFound(t, log, other, k)
}

// requireFound requires that the answer finds event k, at which two logs part.
func requireFound(t *trial, log, other contract.Reader, k int) {
	events, chain := t.chain(log, endOf(log))
	_, parted := t.chain(other, endOf(other))
	found, err := t.bisect(len(chain), func(place int) (bool, error) {
		return chain[place] == parted[place], nil
	})
	require.NoError(t, err)
	require.Less(t, found, len(events), "two logs that differ at %s", named(events[k]))
	require.Equal(t, named(events[k]), named(events[found]),
		"the first event at which two logs part")
}

var asking = []spec{
	{Check: check.Check{
		ID: "L4.21", Points: 2, Invariant: "L4.I7", Operation: asOf, Bonus: true,
		Title: "an answer as of two times has the events known by then, and of those the slots " +
			"effective by then",
		Hint: "decode every event of the log, and give trade.StateOf both times: it selects",
		More: "end, err := log.End(ctx); collect the streams as in Replay, up to end; " +
			"trade.StateOf(streams, at)",
		Misconception: "that an event is effective when it is recorded",
	}, try: twoTimes},
	{Check: check.Check{
		ID: "L4.22", Points: 2, Invariant: "L4.I7", Operation: asOf, Bonus: true,
		Title: "a time past the frontier is refused, and a time up to it has every event",
		Hint: "ask for the frontier BEFORE the end: every event recorded by the frontier is then " +
			"before the end",
		More: "frontier, err := log.Frontier(ctx); if at.Known.After(frontier), return " +
			"&contract.BeyondFrontierError{…}; a zero at.Known is the frontier; then log.End",
		Misconception: "that the end of a log is also its present",
	}, try: frontier},
}

func twoTimes(t *trial) {
	log := projectiontest.History(50+t.Seed(), 90, 2)
	for n := 9; n < 90; n += 20 {
		known := log.Events[n].RecordedAt
		for _, effective := range []time.Time{{}, known, known.AddDate(0, -1, 0)} {
			at := trade.AsOf{Known: known, Effective: effective}
			got, err := t.asOf(log, at)
			require.NoError(t, err)
			requireState(t, stateOf(log.Events, at), got,
				fmt.Sprintf("the state as known at %s and effective at %s", known, effective))
		}
	}
}

// A growing log gets one event more at each question about its end or its frontier.
type growing struct {
	*projectiontest.Log
	n  int // events so far
	at time.Time
}

func (g *growing) End(context.Context) (contract.Cursor, error) {
	end := contract.Cursor(nil)
	for _, r := range g.Events[:g.n] {
		end = end.After(r.Position)
	}
	g.n++
	return end, nil
}

func (g *growing) Frontier(context.Context) (time.Time, error) {
	g.n++
	g.at = g.Events[g.n-2].RecordedAt
	return g.at, nil
}

func (g *growing) Read(ctx context.Context, from, to contract.Cursor) (
	feed iter.Seq2[contract.Recorded, error]) {
	return g.Log.Read(ctx, from, to)
}

func frontier(t *trial) {
	log := projectiontest.History(51+t.Seed(), 60, 2)
	last := log.Events[len(log.Events)-1].RecordedAt
	_, err := t.asOf(log, trade.AsOf{Known: last.Add(time.Second)})
	beyond := new(contract.BeyondFrontierError)
	require.ErrorAs(t.Hint("compare at.Known with log.Frontier: an event recorded by then may yet "+
		"come"), err, &beyond, "a time past the frontier")
	for n := 20; n < 50; n++ {
		g := &growing{Log: log, n: n}
		got, err := t.asOf(g, trade.AsOf{})
		require.NoError(t, err)
		want := stateOf(log.Events, trade.AsOf{Known: g.at})
		requireState(t, want, got, "the state as known at the frontier, while the log grows")
	}
	hinted := t.Hint("return each error of the log: of Frontier, of End, and of each step of the " +
		"feed; a part of the log has another state")
	for _, tc := range []struct {
		fails string
		log   contract.Reader
	}{
		{"Frontier", deaf{Reader: log, frontier: errBroken}},
		{"End", deaf{Reader: log, end: errBroken}},
		{"Read", broken{log, 12}},
	} {
		_, err := t.asOf(tc.log, trade.AsOf{})
		require.ErrorIs(hinted, err, errBroken, "the state of a log whose %s fails", tc.fails)
	}
	hinted = t.Hint("as Replay, return each error of contract.Decoded and of take: " +
		"an answer must have every event recorded by its time")
	requireErrors(hinted, "the state", func(log contract.Reader, _ contract.Cursor) error {
		_, err := t.asOf(log, trade.AsOf{})
		return err
	})
}

// A deaf log answers a question with an error, where one is given.
type deaf struct {
	contract.Reader
	end, frontier error
}

func (d deaf) End(ctx context.Context) (contract.Cursor, error) {
	if d.end != nil {
		return nil, d.end
	}
	return d.Reader.End(ctx)
}

func (d deaf) Frontier(ctx context.Context) (time.Time, error) {
	if d.frontier != nil {
		return time.Time{}, d.frontier
	}
	return d.Reader.Frontier(ctx)
}
