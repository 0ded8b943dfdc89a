package endure_test

import (
	"context"
	"flag"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/containers"
)

// away is how long a part is stopped in the middle of an import.
const away = 5 * time.Second

// long skips a test that waits more than it works where the longest are cut short, and lets it wait beside the others.
func long(t *testing.T) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for minutes: BLOTTER_CONTAINERS=1 go test -v -run 'Away|Killed' ./capstone/endure")
	}
}

func TestAnImportWaitsForABrokerThatIsAway(t *testing.T) {
	long(t)
	s := inContainers(t, 0)
	l := onKafka(t, s, 12)
	importsThrough(t, l, s, containers.Kafka)
	require.Contains(t, l.said.String(), "waiting for the broker")
	require.Contains(t, l.said.String(), "the broker answers again")
}

func TestAnImportWaitsForADatabaseThatIsAway(t *testing.T) {
	long(t)
	s := inContainers(t, 0)
	l := onPostgres(t, s)
	importsThrough(t, l, s, containers.Postgres)
	require.Contains(t, l.said.String(), "waiting for the database")
	require.Contains(t, l.said.String(), "the database answers again")
}

// importsThrough imports the demo's book, with a part stopped in its middle, and holds the log against an undisturbed one.
func importsThrough(t *testing.T, l log, s *containers.Stack, part containers.Component) {
	t.Helper()
	book := sample(t, -1)
	stopped := make(chan error, 1)
	err := importing(t.Context(), l.System, book, func(line int) {
		if line == len(book)/2 {
			go func() { stopped <- interrupt(t.Context(), s, part) }()
		}
	})
	require.NoError(t, err, l.said)
	require.NoError(t, <-stopped)
	wantState, wantEvents := undisturbed(t, book)
	state, events := digest(t, l.System)
	require.Equal(t, wantEvents, events, "nothing lost, nothing twice")
	require.Equal(t, wantState, state)
	t.Log(l.said)
}

func interrupt(ctx context.Context, s *containers.Stack, part containers.Component) error {
	if err := s.Stop(ctx, part); err != nil {
		return err
	}
	timer := time.NewTimer(away)
	defer timer.Stop()
	<-timer.C
	return s.Start(ctx, part)
}

// How often the broker is killed. Each time takes as long as a start.
var kills = flag.Int("kills", 50, "how often the broker is killed")

// Four writers append pairs of events, each pair in one transaction, and note what is acknowledged.
func TestABrokerThatIsKilledAgainAndAgainKeepsWhatItAcknowledged(t *testing.T) {
	long(t)
	s := inContainers(t, time.Second)
	l := onKafka(t, s, 3)
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	last := make([]int64, 4)
	for w := range last {
		wg.Go(func() { last[w] = load(ctx, t, l, fmt.Sprintf("trade/writer-%d", w), &acknowledged) })
	}
	for kill := range *kills {
		before := acknowledged.Load()
		require.Eventually(t, func() bool { return acknowledged.Load() >= before+20 }, 2*time.Minute, 5*time.Millisecond, "kill %d: the load goes on\n%s", kill, l.said)
		require.NoError(t, s.Kill(t.Context(), containers.Kafka))
		require.NoError(t, s.Start(t.Context(), containers.Kafka))
	}
	stop()
	wg.Wait()
	versions := map[string]int64{}
	for _, e := range whole(t, l.Log) {
		versions[e.Stream]++
		require.Equal(t, versions[e.Stream], e.Version, "of %s: none is lost, none is there twice", e.Stream)
	}
	for w, n := range last {
		stream := fmt.Sprintf("trade/writer-%d", w)
		require.GreaterOrEqual(t, versions[stream], n, "%s: all that was acknowledged is there", stream)
		require.Zero(t, versions[stream]%2, "%s: no half of a pair", stream)
	}
	require.NotContains(t, l.said.String(), "heads differ")
	t.Logf("%d kills, %d pairs acknowledged", *kills, acknowledged.Load())
}

// load appends pairs until ctx ends, each again until it is acknowledged, and returns the last acknowledged version.
func load(ctx context.Context, t *testing.T, l log, stream string, acknowledged *atomic.Int64) (version int64) {
	for ctx.Err() == nil {
		pair := []contract.Event{made(stream, version+1), made(stream, version+2)}
		receipts, err := l.Log.Append(ctx, stream, version, pair...)
		if err != nil {
			continue // whatever it was, the same pair again tells
		}
		if receipts[0].Version != version+1 || receipts[1].Version != version+2 {
			t.Errorf("%s: receipts %v for versions %d and %d", stream, receipts, version+1, version+2)
			return version
		}
		version += 2
		acknowledged.Add(1)
	}
	return version
}

func made(stream string, version int64) contract.Event {
	at := time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC).Add(time.Duration(version) * time.Second)
	return contract.Event{
		ID: uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, version)), Stream: stream, Type: "trade.amended", Schema: 1,
		EffectiveAt: at, Actor: "desk-7", Reason: "load", Source: "endure", Data: []byte{0, 0, 0, 0, 1},
	}
}
