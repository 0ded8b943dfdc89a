package audit_test

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// counting counts the objects that are read and written, and the names that are listed. It counts
// the reads of each object, too.
type counting struct {
	audit.Archive
	mu   sync.Mutex
	used map[string]int
	gets map[string]int
}

func (c *counting) count(what string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.used == nil {
		c.used = map[string]int{}
	}
	c.used[what] += n
}

func (c *counting) Get(ctx context.Context, name string) ([]byte, error) {
	c.mu.Lock()
	if c.gets == nil {
		c.gets = map[string]int{}
	}
	c.gets[name]++
	c.mu.Unlock()
	c.count("read", 1)
	return c.Archive.Get(ctx, name)
}

func (c *counting) Current(ctx context.Context, name string) ([]byte, error) {
	c.count("read", 1)
	return c.Archive.Current(ctx, name)
}

func (c *counting) Put(ctx context.Context, name string, data []byte) error {
	c.count("written", 1)
	return c.Archive.Put(ctx, name, data)
}

func (c *counting) Replace(ctx context.Context, name string, data []byte) error {
	c.count("written", 1)
	return c.Archive.Replace(ctx, name, data)
}

func (c *counting) List(ctx context.Context, prefix string) ([]string, error) {
	return c.ListAfter(ctx, prefix, "")
}

func (c *counting) ListAfter(ctx context.Context, prefix, after string) ([]string, error) {
	names, err := c.Archive.ListAfter(ctx, prefix, after)
	c.count("listed", len(names))
	return names, err
}

// Sealing is steady: a seal of three events reads, writes and lists as many objects after 20 seals
// as after 220. Verifying since the checkpoint before does, too.
func TestSealingIsSteady(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	var kept []byte
	seal := func(archive audit.Archive) {
		log.Add(3)
		c, err := open(t, log, archive).Seal(t.Context())
		require.NoError(t, err)
		kept = c.Note
	}
	cost := func(seals int) (sealing, verifying map[string]int) {
		for range seals {
			seal(archive)
		}
		before, counted := kept, &counting{Archive: archive}
		seal(counted)
		sealing = counted.used
		counted = &counting{Archive: archive}
		v, err := open(t, log, counted).VerifySince(t.Context(), before)
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Equal(t, int64(3), v.Sealed)
		require.Positive(t, v.Since)
		return sealing, counted.used
	}
	sealing, verifying := cost(70) // more than one full tile
	later, verifyingLater := cost(200)
	require.Equal(t, sealing, later)
	require.Equal(t, verifying, verifyingLater)
	require.Less(t, sealing["listed"], 3)
}

// A full verification reads the log once, and each object of the archive once. A foreign tile in
// the slot of a right one is not read.
func TestVerifyReadsEachObjectOnce(t *testing.T) {
	t.Parallel()
	archive := new(audit.Memory)
	plant(t, archive, "tile/0/000", []byte("junk"))
	for size := range 6 {
		a := open(t, generatedLog(100*(size+1)), archive)
		a.Batch = 64
		_, err := a.Seal(t.Context())
		require.NoError(t, err)
	}
	names, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	for _, junk := range []string{"tile/0/001.1", "tile/entries/000.7"} {
		plant(t, archive, junk, []byte("junk"))
	}
	counted, log := &counting{Archive: archive}, &reading{SealableLog: generatedLog(600)}
	a, passed := passing(t, nil, counted)
	a.Log = log
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	require.Nil(t, v.Fault)
	require.Equal(t, int64(600), v.Sealed)
	require.Equal(t, 600, log.events)
	require.Len(t, passed, 3)
	want := map[string]int{}
	for _, name := range names {
		if name != "checkpoint" { // nobody trusts the copy
			want[name] = 1
		}
	}
	require.Equal(t, want, maps.Collect(maps.All(counted.gets)))
}

// reading counts the events that are read.
type reading struct {
	contract.SealableLog
	events int
}

func (r *reading) Read(ctx context.Context, from, to contract.Cursor) events {
	return func(yield func(contract.Recorded, error) bool) {
		for ev, err := range r.SealableLog.Read(ctx, from, to) {
			if r.events++; !yield(ev, err) {
				return
			}
		}
	}
}

// VerifySince finds a fault after the checkpoint, and does not read the events before it.
func TestVerifySinceReadsOnlyTheRest(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	since := func(log *audittest.Log) string {
		v, err := open(t, log, archive).VerifySince(t.Context(), signed[0].Note)
		require.NoError(t, err)
		require.Equal(t, int64(6), v.Since)
		return fmt.Sprint(v.Fault)
	}
	before, after := log.Clone(), log.Clone()
	before.FlipBit(at(0, 1))
	require.Equal(t, "<nil>", since(before))
	require.NotEqual(t, "<nil>", faultText(t, open(t, before, archive)))
	after.FlipBit(at(0, 6))
	require.Contains(t, since(after), "position 0/6 (leaf 7): changed event: ")
	v, err := open(t, log, archive).VerifySince(t.Context(), signed[0].Note)
	require.NoError(t, err)
	require.Equal(t, [2]int64{4, 2}, [2]int64{v.Sealed, int64(v.Batches)})
}

// Every byte of every object matters: a flipped bit anywhere in the archive is a fault, or the
// object counts for nothing and something is missing. Only the copy may be anything, and a
// checkpoint that a later one covers.
func TestAnyFlippedBitOfTheArchiveIsFound(t *testing.T) {
	t.Parallel()
	log, archive, signed := sealedTwice(t)
	names, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	for _, name := range names {
		data := object(t, archive, name)
		for i := 0; i < len(data); i += 1 + len(data)/40 {
			bad := bytes.Clone(data)
			bad[i] ^= 1 << (i % 8)
			a := open(t, log, edited{archive, map[string][]byte{name: bad}})
			a.Known = signed[1].Note
			v, err := a.Verify(t.Context())
			require.NoError(t, err, "%s, byte %d", name, i)
			if name == copied || name == checkpoint6 {
				continue
			}
			require.NotNil(t, v.Fault, "%s, byte %d", name, i)
		}
	}
}

// A damaged archive hides no change of the log: with both, there is a fault and no error. A lost
// checkpoint is the first fault.
func TestDamagedArchivesHideNoFault(t *testing.T) {
	t.Parallel()
	log, archive, _ := sealedTwice(t)
	log.FlipBit(at(0, 1))
	names, err := archive.List(t.Context(), "")
	require.NoError(t, err)
	for _, name := range names {
		bad := bytes.Clone(object(t, archive, name))
		bad[len(bad)/2] ^= 1
		fault := faultText(t, open(t, log, edited{archive, map[string][]byte{name: bad}}))
		require.NotEqual(t, "<nil>", fault, name)
		switch {
		case name == "checkpoints/000000000012": // its copy shows that it is lost
			require.Contains(t, fault, "the archive was rolled back: ")
			require.Contains(t, fault, name)
		case name != batch1 && !strings.HasSuffix(name, ".p/4"): // the sealed event is in batch 1
			require.Contains(t, fault, "position 0/1 (leaf 1): ", name)
		}
	}
	locked := bucket(t)
	for _, name := range names {
		plant(t, locked, name, object(t, archive, name))
	}
	refusals["GLACIER"].between(t, locked, tile12)
	require.Contains(t, faultText(t, open(t, log, locked)), "position 0/1 (leaf 1): ")
}
