package index

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A file is the index of one partition: the bytes of the index file (frame.go), the latest of them
// in memory, and the place of each id and of the end of each stream.
type file struct {
	opts    Options
	disk    *os.File // nil: all bytes are in memory
	written int64    // bytes on the disk
	tail    []byte   // the bytes after them
	events  int      // in the tail
	writeAt int      // number of events in the tail at which it is written
	ends    map[string]fileEnd
	marks   map[string][]Digest // of a stream, after each markEvery events
	ids     ids
	last    *contract.Recorded // the latest event; nil before the first
}

// An End is the end of a stream: its version, whether it has ended, and its rolling digest. The
// zero End is that of a stream that does not exist.
type End struct {
	Version int64
	Ended   bool
	Digest  Digest
}

// A fileEnd is the end of a stream, with the position of its last frame.
type fileEnd struct {
	End
	last int64
}

// markEvery is the number of events between two digests of a stream that are kept in memory. A part
// of a stream is verified from such a digest on.
const markEvery = 256

// setEnd notes the end of a stream, whose last event was added.
func (f *file) setEnd(stream string, end fileEnd) {
	if f.ends[stream] = end; end.Version%markEvery == 0 {
		f.marks[stream] = append(f.marks[stream], end.Digest)
	}
}

// ids are the positions of frames, by a hash of their events' ids. Two ids have one hash about once
// in 10^19 pairs. The frame then has another id, and the index is rebuilt with another seed.
type ids struct {
	seed maphash.Seed
	at   map[uint64]int64
}

func (ids ids) hash(id uuid.UUID) uint64 { return maphash.Bytes(ids.seed, id[:]) }

// newFile returns an index without events, in memory.
func newFile(o Options) *file {
	f := &file{opts: o}
	f.clear()
	return f
}

// clear removes all events from memory.
func (f *file) clear() {
	f.written, f.tail, f.events, f.writeAt = 0, header(f.opts.Log), 0, f.opts.Unwritten
	f.ends, f.ids = map[string]fileEnd{}, ids{maphash.MakeSeed(), map[uint64]int64{}}
	f.marks = map[string][]Digest{}
	f.last = nil
}

// path returns the path of the index file.
func (o Options) path() string {
	return filepath.Join(o.Dir, fmt.Sprintf("%s.%d.index", o.Prefix, o.Partition))
}

// lockTimeout is the time that another owner in this folder has to unlock the file.
const lockTimeout = 2 * time.Second

// openFile opens and locks the index file of a partition, and creates it if it is missing. It reads
// nothing.
func openFile(o Options) (*file, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	disk, err := os.OpenFile(o.path(), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for began := time.Now(); ; time.Sleep(10 * time.Millisecond) {
		err := tryLock(disk)
		if err == nil {
			break
		}
		if !errors.Is(err, errInUse) || time.Since(began) > lockTimeout {
			disk.Close()
			return nil, fmt.Errorf("lock %s: %w", o.path(), err)
		}
	}
	f := newFile(o)
	f.disk = disk
	return f, nil
}

// readFile reads the index file of a partition of another owner, who may be writing it.
func readFile(o Options) (*file, error) {
	disk, err := os.Open(o.path())
	if err != nil {
		return nil, err
	}
	f := newFile(o)
	f.disk = disk
	if err := f.load(); err != nil {
		disk.Close()
		return nil, err
	}
	return f, nil
}

// load reads the whole file. If the file ends within a frame, which a crash or a write in progress
// leaves, the frames before it count. ErrUnusable means that the file cannot be trusted.
func (f *file) load() error {
	r := bufio.NewReaderSize(f.disk, 1<<18)
	b, err := readChecked(r, nil)
	if err == nil {
		err = checkHeader(b, f.opts.Log)
	}
	if errors.Is(err, io.EOF) {
		err = errors.New("it has no header")
	}
	if err != nil {
		return fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	at, last := int64(len(b)), int64(0)
	for {
		b, err = readChecked(r, b)
		if errors.Is(err, io.EOF) {
			break
		}
		var found frame
		if err == nil {
			found, err = parseFrame(b)
		}
		if err != nil {
			return damaged(at, err)
		}
		end := f.ends[found.stream]
		if found.previous != end.last {
			return fmt.Errorf("%w: %w: the events of %s are not linked", ErrUnusable, ErrDiffers,
				found.stream)
		}
		end.Version++
		end.Ended, end.Digest, end.last = found.ends, roll(end.Digest, found.entry), at
		f.setEnd(found.stream, end)
		f.ids.at[f.ids.hash(found.id)] = at
		at, last = at+int64(len(b)), at
	}
	f.written, f.tail = at, nil
	if last > 0 {
		var e contract.Recorded
		e, err = f.event(last)
		f.last = &e
		return err
	}
	return nil
}

// cut removes the bytes after the last frame, which a crash may have left. The next frame would
// not cover all of them.
func (f *file) cut() error { return f.disk.Truncate(f.written) }

// reset removes all events from memory and from the disk. A crash here leaves a file that is behind
// the log.
func (f *file) reset() error {
	f.clear()
	if f.disk == nil {
		return nil
	}
	if err := f.disk.Truncate(0); err != nil {
		return err
	}
	return f.write()
}

// add adds entries in memory.
func (f *file) add(entries []*Entry) {
	for _, e := range entries {
		at := f.written + int64(len(f.tail))
		f.tail = appendFrame(f.tail, e, f.ends[e.Stream].last)
		f.setEnd(e.Stream, fileEnd{e.End(), at})
		f.ids.at[f.ids.hash(e.ID)] = at
		f.last = &e.Recorded
	}
	f.events += len(entries)
}

// maxTail is the number of bytes in memory at which they are written, however few events they are.
const maxTail = 1 << 20

// isFull reports whether it is time to write.
func (f *file) isFull() bool {
	failed := f.writeAt > f.opts.Unwritten
	return f.disk != nil && (f.events >= f.writeAt || len(f.tail) > maxTail && !failed)
}

// write writes the bytes in memory to the disk. After an error they stay in memory, and the next
// time to write comes after as many events again: a full disk costs memory, not the log.
//
// All events were committed before, so the file is never ahead of the log. A crash leaves a file
// that is behind the log, and may end within a frame.
func (f *file) write() error {
	if _, err := f.disk.WriteAt(f.tail, f.written); err != nil {
		f.writeAt = f.events + f.opts.Unwritten
		return fmt.Errorf("write index %s: %w", f.opts.path(), err)
	}
	f.written += int64(len(f.tail))
	if f.tail = f.tail[:0]; cap(f.tail) > 2*maxTail {
		f.tail = nil
	}
	f.events, f.writeAt = 0, f.opts.Unwritten
	return nil
}

// frameAt returns the frame at a position. The error of a damaged frame is ErrUnusable.
func (f *file) frameAt(at int64) (frame, error) {
	b, err := f.read(at)
	var found frame
	if err == nil {
		found, err = parseFrame(b)
	}
	if err != nil {
		return frame{}, damaged(at, err)
	}
	found.at = at
	return found, nil
}

// read returns the bytes of the frame at a position.
func (f *file) read(at int64) ([]byte, error) {
	const most = 1 << 10 // of the frames are not longer
	b := make([]byte, most)
	n, err := f.ReadAt(b, at)
	if n < checked {
		return nil, err
	}
	size := int(binary.BigEndian.Uint32(b[4:]))
	switch {
	case size < checked || size > maxFrame:
		return nil, fmt.Errorf("it has %d bytes", size)
	case size <= n:
		return b[:size], nil
	}
	b = make([]byte, size)
	_, err = f.ReadAt(b, at)
	return b, err
}

// ReadAt implements io.ReaderAt for the bytes on the disk and in memory. A frame is in one of them.
func (f *file) ReadAt(b []byte, at int64) (int, error) {
	if at < f.written {
		return f.disk.ReadAt(b, at)
	}
	if at-f.written >= int64(len(f.tail)) {
		return 0, io.EOF
	}
	n := copy(b, f.tail[at-f.written:])
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}

func damaged(at int64, why error) error {
	return fmt.Errorf("%w: event at byte %d of its file: %v", ErrUnusable, at, why)
}

// decode returns the event of a frame.
func (f *file) decode(found frame) (contract.Recorded, error) {
	at := contract.Position{Partition: f.opts.Partition, Offset: found.offset}
	e, err := f.opts.Codec.ParseEvent(found.body, at)
	if err != nil {
		return e, fmt.Errorf("%w: event of offset %d: %v", ErrUnusable, found.offset, err)
	}
	return e, nil
}

func (f *file) has(id uuid.UUID) bool {
	_, ok := f.ids.at[f.ids.hash(id)]
	return ok
}

// find returns the event with an id. ok is false if no event has it.
func (f *file) find(id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	at, ok := f.ids.at[f.ids.hash(id)]
	if !ok {
		return e, false, nil
	}
	found, err := f.frameAt(at)
	if err == nil && found.id != id {
		err = fmt.Errorf("%w: %w: it has %s in place of %s", ErrUnusable, ErrDiffers, found.id, id)
	}
	if err == nil && at < f.written { // only bytes on the disk can have been changed
		found, err = f.verified(found)
	}
	if err == nil {
		e, err = f.decode(found)
	}
	return e, err == nil, err
}

// verified reads a frame again as a part of its stream. The error of a frame that is no part of the
// stream that it names, or has another id there, is ErrUnusable.
func (f *file) verified(found frame) (frame, error) {
	frames, err := f.frames(found.stream)
	if err != nil {
		return frame{}, err
	}
	i := slices.IndexFunc(frames, func(of frame) bool { return of.at == found.at })
	if i < 0 || frames[i].id != found.id {
		return frame{}, fmt.Errorf("%w: %w: %s does not have %s", ErrUnusable, ErrDiffers,
			found.stream, found.id)
	}
	return frames[i], nil
}

// frames returns the frames of a stream in version order.
func (f *file) frames(stream string) ([]frame, error) { return f.framesFrom(stream, 0) }

// framesFrom returns the frames of a stream after its first n marks, in version order. It finds
// them from the last to the first, each before the one that it was found by: after a frame on the
// disk there is none in memory. The error of a stream that does not have the digest of its end is
// ErrUnusable.
func (f *file) framesFrom(stream string, n int64) ([]frame, error) {
	end := f.ends[stream]
	frames := make([]frame, end.Version-n*markEvery)
	at := end.last
	for i := len(frames) - 1; i >= 0; i-- {
		var err error
		if frames[i], err = f.frameAt(at); err != nil {
			return nil, err
		}
		if frames[i].stream != stream || frames[i].previous >= at {
			return nil, fmt.Errorf("%w: %w: the events of %s are not linked", ErrUnusable,
				ErrDiffers, stream)
		}
		at = frames[i].previous
	}
	if len(frames) == 0 || frames[0].at >= f.written {
		return frames, nil // all are in memory, and cannot have been changed
	}
	var digest Digest
	if n > 0 {
		digest = f.marks[stream][n-1]
	}
	for _, found := range frames {
		digest = roll(digest, found.entry)
	}
	if digest != end.Digest {
		return nil, fmt.Errorf("%w: %w: %s was changed in it", ErrUnusable, ErrDiffers, stream)
	}
	return frames, nil
}

// had reports whether a stream has the given end, or had it after its frames on the disk were
// written. onDisk is the version up to which the frames are there.
func (f *file) had(stream string, end End) (had bool, onDisk int64, err error) {
	frames, err := f.frames(stream)
	if err != nil {
		return false, 0, err
	}
	var digest Digest
	for i, found := range frames {
		digest = roll(digest, found.entry)
		version := int64(i + 1)
		if found.at < f.written {
			onDisk = version
		}
		had = had || End{version, found.ends, digest} == end
	}
	return had && end.Version >= onDisk, onDisk, nil
}

// stream returns the events of a stream from a version on, in version order. It reads at most
// markEvery events before that version.
func (f *file) stream(name string, from int64) ([]contract.Recorded, error) {
	n := min(max(0, from-1)/markEvery, int64(len(f.marks[name])))
	frames, err := f.framesFrom(name, n)
	if err != nil {
		return nil, err
	}
	frames = frames[min(max(0, from-1-n*markEvery), int64(len(frames))):]
	events := make([]contract.Recorded, len(frames))
	for i, found := range frames {
		if events[i], err = f.decode(found); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// lastOf returns the last event of a stream that exists.
func (f *file) lastOf(stream string) (e contract.Recorded, err error) {
	events, err := f.stream(stream, f.ends[stream].Version)
	if err != nil {
		return e, err
	}
	return events[0], nil
}

// event returns the event of the frame at a position, which nothing but its checksum confirms.
func (f *file) event(at int64) (e contract.Recorded, err error) {
	found, err := f.frameAt(at)
	if err == nil {
		e, err = f.decode(found)
	}
	return e, err
}

func (f *file) close() error {
	if f.disk == nil {
		return nil
	}
	return f.disk.Close()
}
