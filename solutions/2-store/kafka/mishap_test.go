package kafka_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// A site is a log to which things happen while nobody owns it.
type site struct {
	kafka.Options
	compact func(t *testing.T) // has the heads compacted, now
}

// newSite is on the tests' stack if its broker compacts, else on a broker of its own that can be told to.
func newSite(t *testing.T) site {
	var s site
	if stacktest.Can().Compact {
		s.Options = kafka.Options{
			Brokers: stacktest.Kafka(t), Prefix: stacktest.Prefix(t) + "log", Heads: jsonHeads{}, Address: "127.0.0.1:7000",
			Clock: func(context.Context) time.Time { return noon },
		}
		s.compact = s.hasten
	} else {
		cluster := broker(t)
		s.Options = options(cluster, "log")
		s.compact = func(*testing.T) { cluster.Compact() }
	}
	s.Dir, s.Unwritten = t.TempDir(), 5
	return s
}

const (
	streams   = 8
	perName   = 4
	endedOnes = 3 // the first so many have ended
)

func name(i int) string { return fmt.Sprintf("trade/UTI-%d", i) }

// nth is an event of a stream; the last of some ends it.
func nth(i, n int) contract.Event {
	e := event(name(i), n)
	e.Ends = i < endedOnes && n == perName
	return e
}

// write begins the log, each event in a commit of its own, and gives the receipts.
func (s site) write(t *testing.T) map[string][]contract.Receipt {
	t.Helper()
	log, err := kafka.Open(t.Context(), s.Options)
	require.NoError(t, err)
	receipts := map[string][]contract.Receipt{}
	for n := 1; n <= perName; n++ {
		for i := range streams {
			got, err := log.Append(t.Context(), name(i), int64(n-1), nth(i, n))
			require.NoError(t, err)
			receipts[name(i)] = append(receipts[name(i)], got...)
		}
	}
	require.NoError(t, log.Close())
	return receipts
}

// Whatever happens to what is derived from the log, a start leads to what a full replay comes to; and what has ended stays so.
func TestWhatIsDerivedFromTheLogIsDerivedAgain(t *testing.T) {
	t.Parallel()
	nothing := func(site, *testing.T) {}
	for what, mishap := range map[string]func(site, *testing.T){
		"a cold start":                   nothing,
		"the heads are compacted":        func(s site, t *testing.T) { s.compact(t) },
		"the index is deleted":           site.deleteIndex,
		"the index is damaged":           site.damageIndex,
		"heads disagree with the log":    site.falsifyHeads,
		"heads disagree, and no index":   func(s site, t *testing.T) { s.falsifyHeads(t); s.deleteIndex(t) },
		"falsified, compacted, no index": func(s site, t *testing.T) { s.falsifyHeads(t); s.compact(t); s.deleteIndex(t) },
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			receipts := s.write(t)
			mishap(s, t)
			for range 2 { // the second start goes on from what the first left
				s.holds(t, receipts)
			}
		})
	}
}

// holds opens the log and holds all that it answers against a replay.
func (s site) holds(t *testing.T, receipts map[string][]contract.Receipt) {
	t.Helper()
	log, err := kafka.Open(t.Context(), s.Options)
	require.NoError(t, err)
	want := map[string]contract.Head{}
	for _, e := range all(t, log) {
		want[e.Stream] = contract.Head{
			Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt, Digest: e.ContentDigest(), Ended: e.Ends,
		}
	}
	require.Len(t, want, streams)
	require.Equal(t, want, heads(t, s.Options))
	requireWhole(t, log)
	for i := range streams {
		var batch []contract.Event
		for n := range perName {
			batch = append(batch, nth(i, n+1))
		}
		again, err := log.Append(t.Context(), name(i), contract.Any, batch...)
		require.NoError(t, err)
		require.Equal(t, receipts[name(i)], again)
		_, err = log.Append(t.Context(), name(i), perName-1, event(name(i), 99))
		ended, conflict := new(contract.EndedError), new(contract.ConflictError)
		if i < endedOnes {
			require.ErrorAs(t, err, &ended)
			require.Equal(t, contract.EndedError{Stream: name(i), Version: perName}, *ended)
		} else {
			require.ErrorAs(t, err, &conflict)
			require.EqualValues(t, perName, conflict.Actual)
		}
	}
	require.NoError(t, log.Close())
}

func (s site) deleteIndex(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(s.Dir, "*"))
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, f := range files {
		require.NoError(t, os.Remove(f))
	}
}

func (s site) damageIndex(t *testing.T) {
	path := filepath.Join(s.Dir, s.Prefix+".0.index")
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	data[len(data)/3] ^= 0x10
	require.NoError(t, os.WriteFile(path, data, 0o644))
}

// falsifyHeads writes heads as nobody should: of a stream that goes on although it has ended, none for one that has, one that ended
// although it has not, one of a stream that does not exist, and one that cannot be read.
func (s site) falsifyHeads(t *testing.T) {
	right := heads(t, s.Options)
	goesOn, ended, none := right[name(0)], right[name(endedOnes)], right[name(1)]
	goesOn.Ended, goesOn.Version = false, 2
	ended.Ended = !ended.Ended
	none.Stream = "trade/NONE"
	wrong := map[string][]byte{name(2): nil, name(endedOnes + 1): []byte("?")}
	for _, h := range []contract.Head{goesOn, ended, none} {
		data, err := s.Heads.EncodeHead(t.Context(), h)
		require.NoError(t, err)
		wrong[h.Stream] = data
	}
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	for key, value := range wrong {
		require.NoError(t, client.ProduceSync(t.Context(), &kgo.Record{Topic: s.Prefix + ".heads", Key: []byte(key), Value: value}).FirstErr())
	}
}

// hasten has a real broker's cleaner work at once, and waits until it has: until of each stream one head is left. What is written
// meanwhile closes the segments before.
func (s site) hasten(t *testing.T) {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...))
	require.NoError(t, err)
	defer client.Close()
	var alter []kadm.AlterConfig
	for name, value := range map[string]string{
		"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0", "max.compaction.lag.ms": "100",
	} {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	altered, err := kadm.NewClient(client).AlterTopicConfigs(t.Context(), alter, s.Prefix+".heads")
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		kept := s.headRecords(t)
		most := 0
		for name := range maps.Keys(kept) {
			most = max(most, kept[name])
		}
		if most <= 1 {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("not compacted yet: %v", kept)
		}
	}
}

// headRecords counts the heads that are there, by stream. To know where they end it writes one more record.
func (s site) headRecords(t *testing.T) map[string]int {
	client, err := kgo.NewClient(kgo.SeedBrokers(s.Brokers...), kgo.ConsumeTopics(s.Prefix+".heads"), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	require.NoError(t, err)
	defer client.Close()
	end, kept := mark(t, s.Options), map[string]int{}
	for {
		for _, r := range client.PollFetches(t.Context()).Records() {
			if string(r.Key) == end {
				return kept
			}
			if r.Value != nil {
				kept[string(r.Key)]++
			}
		}
	}
}
