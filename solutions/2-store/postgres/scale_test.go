package postgres

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

const perStream = 20

// Stream and Find take about the same time in a long log as in a short one. By default the test
// compares 10,000 with 100,000 events, with a loose bound because the machine may be busy.
// BLOTTER_SCALE=1000000 compares with a million events, with the bound that the store promises.
func TestALongLogAnswersAsFastAsAShortOne(t *testing.T) {
	if testing.Short() {
		t.Skip("it writes a long log")
	}
	small, large, bound := 10_000, 100_000, 4.0
	if size, err := strconv.Atoi(os.Getenv("BLOTTER_SCALE")); err == nil {
		large = size
	}
	if large >= 1_000_000 {
		bound = 1.3
	}
	logs := [2]*Store{longLog(t, small), longLog(t, large)}
	sizes := [2]int{small / perStream, large / perStream}
	for name, ask := range map[string]func(s *Store, stream string){
		"a stream": func(s *Store, stream string) {
			n := 0
			for _, err := range s.Stream(t.Context(), stream) {
				require.NoError(t, err)
				n++
			}
			require.Equal(t, perStream, n)
		},
		"an id": func(s *Store, stream string) {
			_, err := s.Find(t.Context(), nth(stream, 3).ID)
			require.NoError(t, err)
		},
	} {
		const rounds = 301
		var took [2][]time.Duration // in turns
		for i := range rounds {
			for k, s := range logs {
				stream := streamOf(i * 7919 % sizes[k])
				begun := time.Now()
				ask(s, stream)
				took[k] = append(took[k], time.Since(begun))
			}
		}
		slices.Sort(took[0])
		slices.Sort(took[1])
		short, long := took[0][rounds/2], took[1][rounds/2]
		t.Logf("%s: %v of %d events, %v of %d: %.2f times", name, short, small, long, large,
			float64(long)/float64(short))
		slack := float64(20 * time.Microsecond) // times below this are fast enough
		require.Less(t, float64(long), bound*float64(short)+slack, name)
	}
}

// longLog returns a log of streams of 20 events.
func longLog(t *testing.T, events int) *Store {
	s, dsn := open(t)
	streams := make(chan string)
	var all sync.WaitGroup
	for range 64 { // concurrent, so that many appends share a commit
		all.Go(func() {
			for stream := range streams {
				batch := make([]contract.Event, perStream)
				for n := range batch {
					batch[n] = nth(stream, n)
				}
				if _, err := s.Append(t.Context(), stream, 0, batch...); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for i := range events / perStream {
		streams <- streamOf(i)
	}
	close(streams)
	all.Wait()
	_, err := session(t, dsn).Exec(t.Context(), "vacuum analyze events")
	require.NoError(t, err)
	return s
}

func streamOf(i int) string { return fmt.Sprintf("trade/UTI-%d", i) }

func nth(stream string, n int) contract.Event {
	e := event(stream, n)
	e.ID = uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%s#%d", stream, n))
	return e
}
