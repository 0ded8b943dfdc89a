package index

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A reader that runs beside Apply sees whole batches only (L2.I2).
func TestStreamSeesWholeBatches(t *testing.T) {
	t.Parallel()
	const batches, size, name = 300, 200, "trade/UTI-1"
	p := newPartition(Options{Codec: idCodec{}})
	p.Serve()
	var over atomic.Bool
	torn := make(chan error, 1)
	go func() {
		defer close(torn)
		for !over.Load() {
			events, err := p.Stream(name)
			if err != nil || len(events)%size != 0 {
				torn <- fmt.Errorf("%d events: %w", len(events), err)
				return
			}
		}
	}()
	for b := range batches {
		var batch []contract.Recorded
		for i := range size {
			at := int64(b*size + i)
			batch = append(batch, contract.Recorded{
				Event:      contract.Event{ID: uuid.New(), Stream: name, Type: "trade.amended"},
				Version:    at + 1,
				RecordedAt: time.UnixMicro(at),
				Position:   contract.Position{Offset: at},
			})
		}
		require.NoError(t, p.Apply(batch))
	}
	over.Store(true)
	require.NoError(t, <-torn)
}

// Events that come while others are written to the files are kept, and are written later. All of
// them can be found at any time, and after the files are opened again.
func TestEventsArriveDuringAWrite(t *testing.T) {
	t.Parallel()
	const events, name = 150, "trade/UTI-1"
	o := Options{Dir: t.TempDir(), Prefix: "log", Log: "log", Unwritten: 3, Codec: idCodec{}}
	p := newPartition(o)
	_, err := p.Load()
	require.NoError(t, err)
	p.Serve()
	overlaps := 0
	var ids []uuid.UUID
	for i := range events {
		e := contract.Recorded{
			Event:   contract.Event{ID: uuid.New(), Stream: name, Type: "trade.amended"},
			Version: int64(i + 1), Position: contract.Position{Offset: int64(i)},
		}
		require.NoError(t, p.Apply([]contract.Recorded{e}))
		ids = append(ids, e.ID)
		require.NoError(t, p.FlushIfFull())
		p.mu.RLock()
		if p.writing > 0 && len(p.fresh) > p.writing {
			overlaps++
		}
		p.mu.RUnlock()
		for _, id := range ids[max(0, i-20):] {
			_, ok, err := p.Find(id)
			require.NoError(t, err)
			require.True(t, ok, "event %d of %d", slices.Index(ids, id), i)
		}
	}
	require.Positive(t, overlaps, "events that came during a write")
	stream, err := p.Stream(name)
	require.NoError(t, err)
	require.Len(t, stream, events)
	require.NoError(t, p.Close())

	why, err := p.Load()
	require.NoError(t, errors.Join(why, err))
	p.Serve()
	for _, id := range ids {
		_, ok, err := p.Find(id)
		require.NoError(t, err)
		require.True(t, ok)
	}
	require.NoError(t, p.Close())
}

// A write that fails leaves its events in memory. The next write has them, too.
func TestFailedWriteKeepsItsEvents(t *testing.T) {
	t.Parallel()
	o := Options{Dir: t.TempDir(), Prefix: "log", Log: "log", Unwritten: 2, Codec: idCodec{}}
	p := newPartition(o)
	_, err := p.Load()
	require.NoError(t, err)
	p.Serve()
	whole, err := os.Open(p.file.events.Name()) // not for writing
	require.NoError(t, err)
	whole, p.file.events = p.file.events, whole
	var failures []int
	for i := range 12 {
		if i == 7 {
			whole, p.file.events = p.file.events, whole
		}
		require.NoError(t, p.Apply([]contract.Recorded{{
			Event:   contract.Event{ID: uuid.UUID{byte(i)}, Stream: "trade/UTI-1"},
			Version: int64(i + 1), Position: contract.Position{Offset: int64(i)},
		}}))
		if errors.Join(p.FlushIfFull(), p.awaitFlush()) != nil {
			failures = append(failures, i+1)
		}
	}
	require.Equal(t, []int{2, 4, 6}, failures, "events at each failure")
	require.NoError(t, p.Close())
	require.NoError(t, whole.Close())
	why, err := p.Load()
	require.NoError(t, errors.Join(why, err))
	p.Serve()
	events, err := p.Stream("trade/UTI-1")
	require.NoError(t, err)
	require.Len(t, events, 12)
	require.NoError(t, p.Close())
}

// An idCodec writes the id of an event.
type idCodec struct{}

func (idCodec) AppendEvent(dst []byte, e contract.Recorded) []byte {
	return append(dst, e.ID[:]...)
}

func (idCodec) ParseEvent(data []byte, at contract.Position) (contract.Recorded, error) {
	return contract.Recorded{Event: contract.Event{ID: uuid.UUID(data)}, Position: at}, nil
}

// A filter reports every id that was added. It reports no id that was not added.
func TestFilter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	id := func(i int) (id uuid.UUID) { // like a UUIDv7: the time, and few other bits
		id[4], id[5], id[6] = byte(i>>16), byte(i>>8), 0x70|byte(i&15)
		id[8], id[9] = 0x80, byte(rng.Uint32())
		return id
	}
	var f filter
	require.False(t, f.has(id(0)))
	const n = 50_000
	for i := range n {
		added := id(i)
		f.add(added)
		require.True(t, f.has(added))
	}
	wrong := 0
	for i := range n {
		other := id(i)
		other[0] = 1
		if f.has(other) {
			wrong++
		}
	}
	require.Zero(t, wrong)
	require.Less(t, len(f), 6)
}

// loaded returns a partition with files, which is served. It writes events two at a time.
func loaded(t *testing.T) *Partition {
	o := Options{Dir: t.TempDir(), Prefix: "log", Log: "log", Unwritten: 2, Codec: idCodec{}}
	p := newPartition(o)
	_, err := p.Load()
	require.NoError(t, err)
	p.Serve()
	return p
}

// apply gives p the events from version low to version high of a stream.
func apply(t *testing.T, p *Partition, low, high int) {
	for v := low; v <= high; v++ {
		require.NoError(t, p.Apply([]contract.Recorded{{
			Event:   contract.Event{ID: uuid.UUID{byte(v)}, Stream: "trade/UTI-1"},
			Version: int64(v), Position: contract.Position{Offset: int64(v - 1)},
		}}))
	}
}

// A seal that cannot be written leaves every event in the files once. The next write mends it, and
// the index then agrees with the heads.
func TestFailedSealIsMended(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	seal := p.opts.base() + ".seal"
	require.NoError(t, os.Mkdir(seal, 0o700)) // no file can be written there
	apply(t, p, 1, 2)
	require.ErrorContains(t, errors.Join(p.FlushIfFull(), p.awaitFlush()), ".seal")
	require.Empty(t, p.fresh, "events that are to be written again")
	stream, err := p.Stream("trade/UTI-1")
	require.NoError(t, err)
	require.Len(t, stream, 2)

	require.NoError(t, os.Remove(seal))
	apply(t, p, 3, 4)
	heads := p.Ends()
	require.NoError(t, p.Close())
	why, err := p.Load()
	require.NoError(t, errors.Join(why, err))
	require.NoError(t, p.Check(heads))
	require.NoError(t, p.CheckIDs())
	require.NoError(t, p.Close())
}

// The owner does not wait for a write that it has just begun, however late the write starts.
func TestOwnerGoesOnDuringAWrite(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	tx, err := p.file.db.Begin(true) // a write has to wait for it
	require.NoError(t, err)
	apply(t, p, 1, 2)
	require.NoError(t, p.FlushIfFull())
	require.False(t, p.isFull())
	apply(t, p, 3, 3)
	require.NoError(t, p.FlushIfFull())
	require.NoError(t, tx.Rollback())
	require.NoError(t, p.Close())
}

// The error of a write is reported, also if the partition is taken over during the write.
func TestTakeOverKeepsTheErrorOfAWrite(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	require.NoError(t, os.Mkdir(p.opts.base()+".seal", 0o700))
	apply(t, p, 1, 2)
	require.NoError(t, p.FlushIfFull())
	why, err := p.Load()
	require.NoError(t, errors.Join(why, err))
	apply(t, p, 3, 4)
	require.ErrorContains(t, p.FlushIfFull(), ".seal")
	require.Error(t, p.Close())
}

// Events for unusable files wait until these are rebuilt.
func TestUnusableFilesAreNotWritten(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 2)
	require.ErrorIs(t, p.condemn(ErrUnusable), ErrUnusable)
	require.NoError(t, p.FlushIfFull())
	require.Nil(t, p.flushed, "the write in progress")
	require.NoError(t, p.Close())
}
