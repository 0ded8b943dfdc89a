package kafka_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/solutions/2-store/kafka"
)

// A site is a log that is damaged while it has no owner.
type site struct {
	kafka.Options
	compact func(t *testing.T) // compacts the heads, now
}

// newSite returns a site on the tests' stack if its broker compacts, else on a broker of its own.
func newSite(t *testing.T) site {
	var s site
	if stacktest.Can().Compact {
		s.Options = stackOptions(t)
		s.compact = s.compactSoon
	} else {
		cluster := broker(t)
		s.Options = options(cluster, "log")
		s.compact = func(*testing.T) { cluster.Compact() }
	}
	s.Dir, s.Unwritten = t.TempDir(), 5
	return s
}

const (
	siteStreams = 8
	siteEvents  = 4 // of each stream
	siteEnded   = 3 // the first streams have ended
)

// siteEvent returns the nth event of a stream. The last event of some streams ends them.
func siteEvent(i, n int) contract.Event {
	e := event(name(i), n)
	e.Ends = i < siteEnded && n == siteEvents
	return e
}

// write creates the log with a commit for each event, and returns the receipts.
func (s site) write(t *testing.T) map[string][]contract.Receipt {
	t.Helper()
	log, err := kafka.Open(t.Context(), s.Options)
	require.NoError(t, err)
	receipts := map[string][]contract.Receipt{}
	for n := 1; n <= siteEvents; n++ {
		for i := range siteStreams {
			got, err := log.Append(t.Context(), name(i), int64(n-1), siteEvent(i, n))
			require.NoError(t, err)
			receipts[name(i)] = append(receipts[name(i)], got...)
		}
	}
	require.NoError(t, log.Close())
	return receipts
}

// Heads and index are derived from the log. After any damage to them, a start gives the same result
// as a full replay, and streams that have ended stay ended.
func TestDerivedDataIsRebuilt(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(site, *testing.T){
		"no damage":       func(site, *testing.T) {},
		"heads compacted": func(s site, t *testing.T) { s.compact(t) },
		"index deleted":   site.deleteIndex,
		"index damaged":   site.damageIndex,
		"heads wrong":     site.falsifyHeads,
		"heads wrong and index deleted": func(s site, t *testing.T) {
			s.falsifyHeads(t)
			s.deleteIndex(t)
		},
		"heads wrong and compacted, index deleted": func(s site, t *testing.T) {
			s.falsifyHeads(t)
			s.compact(t)
			s.deleteIndex(t)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			receipts := s.write(t)
			written := heads(t, s.Options)
			damage(s, t)
			for range 2 { // the second start continues from the first
				s.requireSame(t, receipts, written)
			}
		})
	}
}

// requireSame opens the log, and compares all its answers with a replay, and the rolling digests of
// all streams with those that were written with the events.
func (s site) requireSame(
	t *testing.T, receipts map[string][]contract.Receipt, written map[string]contract.Head,
) {
	t.Helper()
	log, err := kafka.Open(t.Context(), s.Options)
	require.NoError(t, err)
	want := map[string]contract.Head{}
	for _, e := range all(t, log) {
		want[e.Stream] = contract.Head{
			Stream: e.Stream, Version: e.Version, EventID: e.ID, RecordedAt: e.RecordedAt,
			Digest: e.ContentDigest(), History: written[e.Stream].History, Ended: e.Ends,
		}
		require.NotZero(t, want[e.Stream].History)
	}
	require.Len(t, want, siteStreams)
	require.Equal(t, want, heads(t, s.Options))
	requireConsistent(t, log)
	for i := range siteStreams {
		var batch []contract.Event
		for n := range siteEvents {
			batch = append(batch, siteEvent(i, n+1))
		}
		again, err := log.Append(t.Context(), name(i), contract.Any, batch...)
		require.NoError(t, err)
		require.Equal(t, receipts[name(i)], again)
		_, err = log.Append(t.Context(), name(i), siteEvents-1, event(name(i), 99))
		ended, conflict := new(contract.EndedError), new(contract.ConflictError)
		if i < siteEnded {
			require.ErrorAs(t, err, &ended)
			require.Equal(t, contract.EndedError{Stream: name(i), Version: siteEvents}, *ended)
		} else {
			require.ErrorAs(t, err, &conflict)
			require.EqualValues(t, siteEvents, conflict.Actual)
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

// falsifyHeads writes wrong heads: an ended stream that is open, an open one that has ended, a
// removed head, a head of an unknown stream, and one that cannot be decoded.
func (s site) falsifyHeads(t *testing.T) {
	right := heads(t, s.Options)
	reopened, ended, unknown := right[name(0)], right[name(siteEnded)], right[name(1)]
	reopened.Ended, reopened.Version = false, 2
	ended.Ended = !ended.Ended
	unknown.Stream = "trade/NONE"
	wrong := map[string][]byte{name(2): nil, name(siteEnded + 1): []byte("?")}
	for _, h := range []contract.Head{reopened, ended, unknown} {
		data, err := s.Heads.EncodeHead(t.Context(), h)
		require.NoError(t, err)
		wrong[h.Stream] = data
	}
	writeHeads(t, s.Options, wrong)
}

// compactSoon has the cleaner of a real broker work at once, and waits until each stream has one
// head left. The records that headRecords writes meanwhile close the earlier segments.
func (s site) compactSoon(t *testing.T) {
	var alter []kadm.AlterConfig
	for name, value := range map[string]string{
		"segment.ms": "100", "min.cleanable.dirty.ratio": "0.001", "min.compaction.lag.ms": "0",
		"max.compaction.lag.ms": "100",
	} {
		alter = append(alter, kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value})
	}
	admin := kadm.NewClient(client(t, s.Brokers))
	altered, err := admin.AlterTopicConfigs(t.Context(), alter, s.Prefix+".heads")
	require.NoError(t, err)
	require.NoError(t, altered[0].Err)
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		left := map[string]int{}
		for _, r := range headRecords(t, s.Options) {
			if r.Value != nil {
				left[string(r.Key)]++
			}
		}
		if slices.Max(slices.Collect(maps.Values(left))) <= 1 {
			return
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("not compacted yet: %v", left)
		}
	}
}
