package index

import (
	"encoding/binary"
	"errors"
	"fmt"
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
	const batches, size, name = 60, 50, "trade/UTI-1"
	p := newPartition(Options{Codec: idCodec{}})
	p.Serve()
	var over atomic.Bool
	torn := make(chan error, 1)
	go func() {
		defer close(torn)
		for !over.Load() {
			events, err := p.Stream(name, 1)
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

// Every event can be found at any time, whether it is in memory or in the file, and after the file
// is opened again.
func TestEventsAreFoundInMemoryAndInTheFile(t *testing.T) {
	t.Parallel()
	const events, name = 150, "trade/UTI-1"
	o := Options{Dir: t.TempDir(), Prefix: "log", Log: "log", Unwritten: 3, Codec: idCodec{}}
	p := newPartition(o)
	_, err := p.Load()
	require.NoError(t, err)
	p.Serve()
	var ids []uuid.UUID
	for i := range events {
		e := contract.Recorded{
			Event:   contract.Event{ID: uuid.New(), Stream: name, Type: "trade.amended"},
			Version: int64(i + 1), Position: contract.Position{Offset: int64(i)},
		}
		require.NoError(t, p.Apply([]contract.Recorded{e}))
		ids = append(ids, e.ID)
		require.NoError(t, p.FlushIfFull())
		require.Equal(t, (i+1)%3, p.file.events, "events in memory")
		for _, id := range ids[max(0, i-20):] {
			_, ok, err := p.Find(id)
			require.NoError(t, err)
			require.True(t, ok, "event %d of %d", slices.Index(ids, id), i)
		}
	}
	stream, err := p.Stream(name, 1)
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
	_, ok, err := p.Find(uuid.New())
	require.NoError(t, err)
	require.False(t, ok)
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
	whole, err := os.Open(o.path()) // not for writing
	require.NoError(t, err)
	whole, p.file.disk = p.file.disk, whole
	var failures []int
	for i := range 12 {
		if i == 7 {
			whole, p.file.disk = p.file.disk, whole
		}
		require.NoError(t, p.Apply([]contract.Recorded{{
			Event:   contract.Event{ID: uuid.UUID{byte(i)}, Stream: "trade/UTI-1"},
			Version: int64(i + 1), Position: contract.Position{Offset: int64(i)},
		}}))
		if p.FlushIfFull() != nil {
			failures = append(failures, i+1)
		}
	}
	require.Equal(t, []int{2, 4, 6}, failures, "events at each failure")
	require.NoError(t, p.Close())
	require.NoError(t, whole.Close())
	why, err := p.Load()
	require.NoError(t, errors.Join(why, err))
	p.Serve()
	events, err := p.Stream("trade/UTI-1", 1)
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

// loaded returns a partition with a file, which is served. It writes events two at a time.
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

// A crash may leave any beginning of the file. The whole events of it count, and the file goes on
// after them: it has each event once.
func TestFileThatEndsEarlyIsContinued(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 5)
	heads := p.Ends()
	require.NoError(t, p.Close())
	whole, err := os.ReadFile(p.opts.path())
	require.NoError(t, err)
	for size := len(header(p.opts.Log)); size < len(whole); size += 5 {
		require.NoError(t, os.Remove(p.opts.path()))
		require.NoError(t, os.WriteFile(p.opts.path(), whole[:size], 0o600))
		why, err := p.Load()
		require.NoError(t, errors.Join(why, err))
		require.ErrorIs(t, p.Check(heads), ErrBehind)
		p.Serve()
		apply(t, p, int(p.file.ends["trade/UTI-1"].Version)+1, 5)
		require.NoError(t, p.Check(heads))
		require.NoError(t, p.Close())
		mended, err := os.ReadFile(p.opts.path())
		require.NoError(t, err)
		require.Equal(t, whole, mended)
	}
}

// A reader may read the file while its owner writes it.
func TestReaderSeesWholeEvents(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 4)
	require.NoError(t, p.FlushIfFull())
	apply(t, p, 5, 5)
	f, err := readFile(p.opts)
	require.NoError(t, err)
	require.EqualValues(t, 4, f.ends["trade/UTI-1"].Version)
	require.NoError(t, f.close())
	require.NoError(t, p.Close())
}

// A frame with another id in the place of an id means that the file was changed, or that two ids
// have one hash. The index is rebuilt, and has another seed.
func TestPlaceOfAnotherIDIsNotBelieved(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 2)
	seed, other := p.file.ids.seed, uuid.UUID{77}
	p.file.ids.at[p.file.ids.hash(other)] = p.file.ends["trade/UTI-1"].last
	_, _, err := p.Find(other)
	require.ErrorIs(t, err, ErrDiffers)
	why, err := p.Load()
	require.ErrorIs(t, why, ErrUnusable)
	require.NoError(t, err)
	require.NotEqual(t, seed, p.file.ids.seed)
	require.NoError(t, p.Close())
}

// The owner of a file has it locked. Another process in the folder keeps its index in memory.
func TestLockedFileIsLeftAlone(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	other := newPartition(p.opts)
	why, err := other.Load()
	require.NoError(t, err)
	require.ErrorIs(t, why, errInUse)
	apply(t, other, 1, 5)
	require.NoError(t, other.FlushIfFull())
	require.NoError(t, other.Close())
	require.NoError(t, p.Close())
	f, err := readFile(p.opts)
	require.NoError(t, err)
	require.Empty(t, f.ends)
	require.NoError(t, f.close())
}

// Events for an unusable file wait until it is rebuilt.
func TestUnusableFileIsNotWritten(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 2)
	require.ErrorIs(t, p.condemn(ErrUnusable), ErrUnusable)
	require.NoError(t, p.FlushIfFull())
	require.Equal(t, 2, p.file.events, "events in memory")
	require.NoError(t, p.Close())
}

// edit changes the frame at a position of the disk, and mends its checksum.
func edit(t *testing.T, p *Partition, at int64, change func(frame []byte)) {
	b, err := p.file.read(at)
	require.NoError(t, err)
	change(b)
	check(b)
	_, err = p.file.disk.WriteAt(b, at)
	require.NoError(t, err)
}

// A frame on the disk that names a later frame as its previous one would end the way back through
// its stream in memory, where nothing is checked. The way back only goes back.
func TestWayBackNeverGoesForward(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 2)
	second := p.file.ends["trade/UTI-1"].last
	require.NoError(t, p.FlushIfFull())
	apply(t, p, 3, 3)
	edit(t, p, second, func(frame []byte) {
		frame[len(frame)-1] ^= 1
		binary.BigEndian.PutUint64(frame[checked+8:], uint64(p.file.written))
	})
	for _, read := range []func() error{
		func() error { _, err := p.file.stream("trade/UTI-1", 1); return err },
		func() error { _, _, err := p.file.find(uuid.UUID{2}); return err },
	} {
		err := read()
		require.ErrorIs(t, err, ErrUnusable)
		require.ErrorIs(t, err, ErrDiffers)
	}
	require.NoError(t, p.Close())
}

// The rest of a long stream is verified from a digest before it: a changed event of it is refused,
// and the events before that digest are not read.
func TestRestOfAChangedStreamIsRefused(t *testing.T) {
	t.Parallel()
	const name = "trade/UTI-1"
	p := loaded(t)
	apply(t, p, 1, 3*markEvery)
	require.NoError(t, p.FlushIfFull())
	whole, err := p.file.frames(name)
	require.NoError(t, err)
	flip := func(version int) {
		edit(t, p, whole[version-1].at, func(frame []byte) { frame[len(frame)-1] ^= 1 })
	}
	flip(markEvery + 5)
	for _, from := range []int64{2*markEvery + 1, 3 * markEvery, 3*markEvery + 1, 5 * markEvery} {
		rest, err := p.file.stream(name, from)
		require.NoError(t, err)
		require.Len(t, rest, int(max(0, 3*markEvery+1-from)))
	}
	for _, from := range []int64{1, markEvery, markEvery + 6, 2 * markEvery} {
		_, err := p.file.stream(name, from)
		require.ErrorIs(t, err, ErrDiffers, "from version %d", from)
	}
	flip(2*markEvery + 5)
	_, err = p.file.stream(name, 3*markEvery)
	require.ErrorIs(t, err, ErrDiffers)
	require.NoError(t, p.Close())
}

// A head is made from the last event of its stream, and from no event that was changed in the file.
func TestLastOfAChangedStreamIsRefused(t *testing.T) {
	t.Parallel()
	p := loaded(t)
	apply(t, p, 1, 2)
	require.NoError(t, p.FlushIfFull())
	last, err := p.LastOf("trade/UTI-1")
	require.NoError(t, err)
	require.Equal(t, uuid.UUID{2}, last.ID)
	edit(t, p, p.file.ends["trade/UTI-1"].last, func(frame []byte) { frame[len(frame)-1] ^= 1 })
	_, err = p.LastOf("trade/UTI-1")
	require.ErrorIs(t, err, ErrDiffers)
	require.ErrorIs(t, p.Err(), ErrDiffers, "the index has to be rebuilt")
	require.NoError(t, p.Close())
}
