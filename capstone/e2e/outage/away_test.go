package outage_test

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

// long skips a test of minutes in a short run. Such a test mostly waits, so it is parallel.
func long(t *testing.T) {
	t.Helper()
	t.Parallel()
	if testing.Short() {
		t.Skip("takes minutes: BLOTTER_CONTAINERS=1 go test -v -run 'Waits|Killed' " +
			"./capstone/e2e/outage")
	}
}

func TestImportWaitsForTheBroker(t *testing.T) {
	long(t)
	s := inContainers(t, 0)
	l := onKafka(t, s, 12)
	importThrough(t, l, s, containers.Kafka)
	require.Contains(t, l.said.String(), "waiting for the broker")
	require.Contains(t, l.said.String(), "the broker answers again")
}

func TestImportWaitsForTheDatabase(t *testing.T) {
	long(t)
	s := inContainers(t, 0)
	l := onPostgres(t, s)
	importThrough(t, l, s, containers.Postgres)
	require.Contains(t, l.said.String(), "waiting for the database")
	require.Contains(t, l.said.String(), "the database answers again")
}

// importThrough imports the demo's book, stops a part in the middle, and compares the log with that
// of an undisturbed import.
func importThrough(t *testing.T, l log, s *containers.Stack, part containers.Component) {
	t.Helper()
	book := sample(t, -1)
	stopped := make(chan error, 1)
	err := importEach(t.Context(), l.System, book, func(line int) {
		if line == len(book)/2 {
			go func() { stopped <- interrupt(t.Context(), s, part) }()
		}
	})
	require.NoError(t, err, l.said)
	require.NoError(t, <-stopped)
	wantState, wantEvents := undisturbed(t, book)
	state, events := digest(t, l.System)
	require.Equal(t, wantEvents, events, "an event is lost or recorded twice")
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

// Each kill takes as long as a start of the broker.
var kills = flag.Int("kills", 50, "how often the broker is killed")

// Four writers append pairs of events, each pair in one transaction, and note the acknowledged
// ones.
func TestKilledBrokerKeepsAcknowledged(t *testing.T) {
	long(t)
	s := inContainers(t, time.Second)
	l := onKafka(t, s, 3)
	ctx, stop := context.WithCancel(t.Context())
	var acknowledged atomic.Int64
	var wg sync.WaitGroup
	last := make([]int64, 4)
	for w := range last {
		stream := fmt.Sprintf("trade/writer-%d", w)
		wg.Go(func() { last[w] = load(ctx, t, l, stream, &acknowledged) })
	}
	for kill := range *kills {
		before := acknowledged.Load()
		require.Eventually(t, func() bool { return acknowledged.Load() >= before+20 },
			2*time.Minute, 5*time.Millisecond, "the load stopped after kill %d\n%s", kill, l.said)
		require.NoError(t, s.Kill(t.Context(), containers.Kafka))
		require.NoError(t, s.Start(t.Context(), containers.Kafka))
	}
	stop()
	wg.Wait()
	versions := map[string]int64{}
	for _, e := range all(t, l.Log) {
		versions[e.Stream]++
		require.Equal(t, versions[e.Stream], e.Version,
			"an event of %s is lost or recorded twice", e.Stream)
	}
	for w, n := range last {
		stream := fmt.Sprintf("trade/writer-%d", w)
		require.GreaterOrEqual(t, versions[stream], n, "%s lost an acknowledged event", stream)
		require.Zero(t, versions[stream]%2, "%s has half of a pair", stream)
	}
	require.NotContains(t, l.said.String(), "heads differ")
	t.Logf("%d kills, %d pairs acknowledged", *kills, acknowledged.Load())
}

// load appends pairs until ctx ends, each again until it is acknowledged. It returns the last
// acknowledged version.
func load(
	ctx context.Context, t *testing.T, l log, stream string, acknowledged *atomic.Int64,
) (version int64) {
	for ctx.Err() == nil {
		pair := []contract.Event{made(stream, version+1), made(stream, version+2)}
		receipts, err := l.Log.Append(ctx, stream, version, pair...)
		if err != nil {
			continue // the outcome is unknown, and the same pair again shows it
		}
		if receipts[0].Version != version+1 || receipts[1].Version != version+2 {
			t.Errorf("%s: receipts %v after version %d", stream, receipts, version)
			return version
		}
		version += 2
		acknowledged.Add(1)
	}
	return version
}

// made returns an event that depends only on its stream and version.
func made(stream string, version int64) contract.Event {
	noon := time.Date(2025, 3, 30, 12, 0, 0, 0, time.UTC)
	return contract.Event{
		ID:     uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s/%d", stream, version)),
		Stream: stream, Type: "trade.amended", Schema: 1,
		EffectiveAt: noon.Add(time.Duration(version) * time.Second),
		EnteredAt:   noon.Add(time.Duration(version) * time.Second), CommandID: "c-1",
		Actor: "desk-7", Reason: "load", Source: "outage", Data: []byte{0, 0, 0, 0, 1},
	}
}
