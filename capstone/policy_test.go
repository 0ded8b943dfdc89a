package capstone_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	replay "example.com/blotter/solutions/4-replay"
)

func TestPolicyText(t *testing.T) {
	t.Parallel()
	p, err := capstone.ParsePolicy("every=10000,age=24h,keep=43800h")
	require.NoError(t, err)
	require.Equal(t, capstone.Policy{
		Every: 10_000, Age: 24 * time.Hour, Keep: 5 * 365 * 24 * time.Hour,
	}, p)
	for _, bad := range []string{
		"", "every", "every=x", "every=0", "every=-1", "age=5", "age=-1h", "keep=1h", "often=1",
		"every=1,", "every=1,keep=-1h", "every=1;age=1h",
	} {
		_, err := capstone.ParsePolicy(bad)
		require.ErrorIs(t, err, capstone.ErrPolicy, "%q", bad)
	}
}

// A snapshot is due after so many events or so much time, and never without a new event.
func TestPolicyIsDue(t *testing.T) {
	t.Parallel()
	both := capstone.Policy{Every: 10, Age: time.Hour}
	for _, tc := range []struct {
		policy capstone.Policy
		events int64
		age    time.Duration
		due    bool
	}{
		{both, 9, 59 * time.Minute, false}, {both, 10, 0, true}, {both, 1, time.Hour, true},
		{both, 0, 100 * time.Hour, false},
		{capstone.Policy{Every: 10}, 9, 100 * time.Hour, false},
		{capstone.Policy{Age: time.Hour}, 1000, 0, false},
	} {
		lag := capstone.Lag{Events: tc.events, Age: tc.age}
		require.Equal(t, tc.due, tc.policy.Due(lag), "%+v", tc)
	}
}

// The lag counts the events of trades and curves after the last snapshot on record.
func TestSnapshotLag(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	s.Clock = func() time.Time { return nine.Add(5 * time.Hour) }
	lag, err := s.SnapshotLag(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s2", lag.Last)
	require.Zero(t, lag.Events, "the event of a snapshot does not count")
	do(t, s, oil("c-3", "S3"))
	lag, err = s.SnapshotLag(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, lag.Events)
	require.InDelta(t, 4*time.Hour, lag.Age, float64(time.Second))
	s.Simulated = true // its clock is the log
	lag, err = s.SnapshotLag(t.Context())
	require.NoError(t, err)
	require.Less(t, lag.Age, time.Hour)

	empty := newSystem()
	lag, err = empty.SnapshotLag(t.Context())
	require.NoError(t, err)
	require.Equal(t, capstone.Lag{}, lag)
}

// A snapshot that is recorded late has an earlier state, and does not count as the last one.
func TestLagAfterTheFurthestCursor(t *testing.T) {
	t.Parallel()
	s, archive := withSnapshots(t)
	late, err := archive.Get(t.Context(), "s1")
	require.NoError(t, err)
	late.Name = "late"
	record(t, s, late)
	lag, err := s.SnapshotLag(t.Context())
	require.NoError(t, err)
	require.Equal(t, "s2", lag.Last)
	require.Zero(t, lag.Events)
}

// A price that returns gives a state that is on record already. Its snapshot says so.
func TestSnapshotOfAnUnchangedState(t *testing.T) {
	t.Parallel()
	s, _ := withSnapshots(t)
	mark := func(id, price string) {
		m := oil(id, "S1").Body.(trade.New).Instrument
		require.Nil(t, do(t, s, command(id, "", trade.PriceMarked{Curve: m.Curve(), Currency: "USD",
			Points: []trade.Point{{Delivery: m.Delivery, Price: trade.Dec(price)}}})).Refusal)
	}
	mark("m-1", "80")
	first, err := s.Snapshot(t.Context(), "")
	require.NoError(t, err)
	require.False(t, first.Unchanged)
	mark("m-2", "81")
	mark("m-3", "80")
	again, err := s.Snapshot(t.Context(), "")
	require.NoError(t, err)
	require.Equal(t, first.Name, again.Name)
	require.True(t, again.Unchanged)
	require.False(t, again.Earlier)
}

// The measured costs are those of the snapshots that the policy would have taken.
func TestPolicyCosts(t *testing.T) {
	t.Parallel()
	s := newSystem()
	imported(t, s, sample(t)[:900], 1)
	r := replay.New(s.Desk.Codec)
	s.Replayer, s.Window = r, r.Window
	costs, err := s.PolicyCosts(t.Context(), []int64{100, 300, 1 << 40})
	require.NoError(t, err)
	require.Len(t, costs, 4)
	folded, sizes, at := int64(0), int64(0), contract.Cursor{}
	for e, err := range s.Log.Read(t.Context(), nil, end(t, s.Log)) {
		require.NoError(t, err)
		at = at.After(e.Position)
		if e.Type == "command.refused" {
			continue
		}
		if folded++; folded%300 == 0 {
			state, _, err := r.Replay(t.Context(), s.Log, at)
			require.NoError(t, err)
			sizes += int64(len(state.Canonical()))
		}
	}
	require.Equal(t, folded/100, costs[0].Snapshots)
	require.Equal(t, folded/300, costs[1].Snapshots)
	require.Equal(t, sizes, costs[1].Bytes)
	require.Less(t, costs[0].Decoded, costs[1].Decoded)
	require.Less(t, costs[1].Decoded, costs[3].Decoded)
	never := costs[3]
	require.Equal(t, folded, never.Decoded)
	require.Zero(t, never.Every+never.Snapshots+never.Bytes)
	require.Equal(t, never.Decoded, costs[2].Decoded, "one that is never due")
}
