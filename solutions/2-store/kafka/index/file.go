package index

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"example.com/blotter/labs/kit/contract"
)

// A file is the index of one partition on disk: the three files that the package comment lists.
type file struct {
	base     string // the path of the three files without the last part of their names
	opts     Options
	db       *bbolt.DB
	events   *os.File
	progress progress
	ends     map[string]fileEnd // of all streams in the files
}

// An End is the end of a stream: its version, whether it has ended, and its rolling digest. The
// zero End is that of a stream that does not exist.
type End struct {
	Version int64
	Ended   bool
	Digest  Digest
}

// A fileEnd is the end of a stream in the files, with the pointer to its last event.
type fileEnd struct {
	End
	last pointer
}

// A progress states which part of the log is in the files. It is written in one transaction with
// the entries that it counts.
type progress struct {
	Format int     `json:"format"`
	Log    string  `json:"log"`  // id of the topic, and the partition
	Last   pointer `json:"last"` // to the latest event
	Size   int64   `json:"size"` // of the file of events; bytes after that were never committed
}

const indexFormat = 3

var (
	idsBucket      = []byte("ids")   // id -> pointer
	progressBucket = []byte("place") // "place" -> progress, as JSON
)

// lockTimeout is the time that another owner in this folder has to unlock the files.
const lockTimeout = 2 * time.Second

func (o Options) base() string {
	return filepath.Join(o.Dir, fmt.Sprintf("%s.%d", o.Prefix, o.Partition))
}

func writable() *bbolt.Options {
	return &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true}
}

// openFile opens the files of a partition. ErrUnusable means that files are missing or cannot be
// trusted.
func openFile(o Options) (*file, error) {
	// BEFORE bbolt maps the file: bbolt would follow a damaged page anywhere.
	if err := checkSeal(o.base(), io.Discard); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	f, err := mapFile(o, o.base()+".index", writable())
	if err != nil {
		return nil, err
	}
	return f, f.load()
}

// createFile removes the files of a partition and creates empty ones.
func createFile(o Options) (*file, error) {
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, err
	}
	// A crash from here on leaves an index without a seal, which is unusable.
	for _, name := range []string{".seal", ".index", ".events"} {
		if err := os.Remove(o.base() + name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	f, err := mapFile(o, o.base()+".index", writable())
	if err != nil {
		return nil, err
	}
	f.progress = progress{Format: indexFormat, Log: o.Log}
	return f, f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{idsBucket, progressBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return putProgress(tx, f.progress)
	})
}

// mapFile opens the two files of an index without a look at the content.
func mapFile(o Options, index string, opts *bbolt.Options) (*file, error) {
	flag := os.O_RDWR | os.O_CREATE
	if opts.ReadOnly {
		flag = os.O_RDONLY
	}
	events, err := os.OpenFile(o.base()+".events", flag, 0o600)
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(index, 0o600, opts)
	if err != nil {
		events.Close()
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = errInUse
		}
		return nil, fmt.Errorf("open %s: %w", index, err)
	}
	return &file{
		base: o.base(), opts: o, db: db, events: events, ends: map[string]fileEnd{},
	}, nil
}

// load reads the progress. It closes the files if they are of another log or format.
func (f *file) load() error {
	err := f.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(progressBucket)
		if b == nil {
			return errors.New("it does not state its progress")
		}
		return json.Unmarshal(b.Get(progressBucket), &f.progress)
	})
	switch {
	case err != nil:
	case f.progress.Format != indexFormat:
		err = fmt.Errorf("it has the format %d", f.progress.Format)
	case f.progress.Log != f.opts.Log:
		err = fmt.Errorf("it belongs to the log %s", f.progress.Log)
	default:
		return nil
	}
	f.close()
	return fmt.Errorf("%w: %w", ErrUnusable, err)
}

func putProgress(tx *bbolt.Tx, p progress) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return tx.Bucket(progressBucket).Put(progressBucket, text)
}

// add writes the entries that follow the index's progress. It returns the new ends of their
// streams, or nil if nothing was written. Ends together with an error mean that the entries are in
// the files, and that the seal does not fit: the next add writes a seal that does.
func (f *file) add(entries []*Entry) (map[string]fileEnd, error) {
	to, ends := f.progress, map[string]fileEnd{}
	err := f.db.Update(func(tx *bbolt.Tx) error {
		size := 0
		for _, e := range entries {
			size += frameHeader + len(e.data)
		}
		frames, pointers := make([]byte, 0, size), make([]pointer, len(entries))
		for i, e := range entries {
			previous, ok := ends[e.Stream]
			if !ok {
				previous = f.ends[e.Stream]
			}
			begin := len(frames)
			frames = appendFrame(frames, e, previous.last)
			to.Last = pointer{At: to.Size + int64(begin), Size: int32(len(frames) - begin)}
			pointers[i] = to.Last
			ends[e.Stream] = fileEnd{End{e.Version, e.Ends, e.Digest}, to.Last}
		}
		if err := putIDs(tx.Bucket(idsBucket), entries, pointers); err != nil {
			return err
		}
		// The events are written BEFORE the commit that points to them. A crash here leaves bytes
		// without a pointer, and the next events are written over them.
		if _, err := f.events.WriteAt(frames, to.Size); err != nil {
			return err
		}
		to.Size += int64(len(frames))
		return putProgress(tx, to)
	})
	if err != nil {
		return nil, err
	}
	f.progress = to
	return ends, f.writeSeal()
}

// putIDs puts the pointers of entries under their ids. In the order of ids, each page is sought
// once.
func putIDs(ids *bbolt.Bucket, entries []*Entry, pointers []pointer) error {
	order := make([]int, len(entries))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int {
		return bytes.Compare(entries[a].ID[:], entries[b].ID[:])
	})
	values := make([]byte, 0, len(entries)*pointerSize) // bbolt keeps them until the commit
	for _, i := range order {
		begin := len(values)
		values = pointers[i].append(values)
		if err := ids.Put(entries[i].ID[:], values[begin:]); err != nil {
			return err
		}
	}
	return nil
}

// writeSeal writes the seal of the index file. A crash before that, or an error, leaves an index
// that will be rebuilt.
func (f *file) writeSeal() error {
	seal, err := sealOf(f.base, io.Discard)
	if err != nil {
		return err
	}
	return os.WriteFile(f.base+".seal", seal, 0o600)
}

// readEnds computes the end of every stream from the file of events, and calls visit with the id of
// every event.
func (f *file) readEnds(visit func(uuid.UUID)) error {
	return f.scan(func(at pointer, found frame) error {
		end := f.ends[found.stream]
		end.Version++
		end.Ended, end.Digest, end.last = found.ends, roll(end.Digest, found.entry), at
		f.ends[found.stream] = end
		visit(found.id)
		return nil
	})
}

// find returns the event with an id, which the files have.
func (f *file) find(id uuid.UUID) (contract.Recorded, error) {
	var at pointer
	f.view(func(tx *bbolt.Tx) {
		if value := tx.Bucket(idsBucket).Get(id[:]); len(value) == pointerSize {
			at = pointerOf(value)
		}
	})
	if at.Size == 0 {
		return contract.Recorded{}, fmt.Errorf("%w: %w: the id %s is missing", ErrUnusable,
			ErrDiffers, id)
	}
	found, err := f.frameAt(at)
	if err != nil {
		return contract.Recorded{}, err
	}
	var e contract.Recorded
	frames, err := f.frames(found.stream)
	for i := range frames {
		if err == nil && frames[i].id == id {
			e, err = f.decode(frames[i])
		}
	}
	if err == nil && e.ID != id {
		err = fmt.Errorf("%w: it has %s under the id %s", ErrUnusable, e.ID, id)
	}
	return e, err
}

// checkIDs returns an error unless the ids in the files are those of the events.
func (f *file) checkIDs() error {
	events := 0
	return f.db.View(func(tx *bbolt.Tx) error {
		ids := tx.Bucket(idsBucket)
		err := f.scan(func(at pointer, found frame) error {
			events++
			if value := ids.Get(found.id[:]); len(value) != pointerSize || pointerOf(value) != at {
				return fmt.Errorf("%w: %w: the id %s is missing", ErrUnusable, ErrDiffers, found.id)
			}
			return nil
		})
		if n := ids.Stats().KeyN; err == nil && n != events {
			err = fmt.Errorf("%w: %w: it has %d ids of %d events", ErrUnusable, ErrDiffers, n,
				events)
		}
		return err
	})
}

// frames returns the frames of a stream in version order. It finds them from the last to the first.
// The error of a stream that does not have the digest of its end is ErrUnusable.
func (f *file) frames(stream string) ([]frame, error) {
	end := f.ends[stream]
	frames := make([]frame, end.Version)
	at := end.last
	for i := len(frames) - 1; i >= 0; i-- {
		var err error
		if frames[i], err = f.frameAt(at); err != nil {
			return nil, err
		}
		at = frames[i].previous
	}
	var digest Digest
	for _, found := range frames {
		digest = roll(digest, found.entry)
	}
	if digest != end.Digest {
		return nil, fmt.Errorf("%w: %w: %s was changed in it", ErrUnusable, ErrDiffers, stream)
	}
	return frames, nil
}

// stream returns the events of a stream in version order.
func (f *file) stream(name string) ([]contract.Recorded, error) {
	frames, err := f.frames(name)
	if err != nil {
		return nil, err
	}
	events := make([]contract.Recorded, len(frames))
	for i, found := range frames {
		if events[i], err = f.decode(found); err != nil {
			return nil, err
		}
	}
	return events, nil
}

// last returns the latest event, or nil before the first.
func (f *file) last() (*contract.Recorded, error) {
	if f.progress.Last.Size == 0 {
		return nil, nil
	}
	e, err := f.event(f.progress.Last)
	return &e, err
}

func (f *file) event(at pointer) (e contract.Recorded, err error) {
	found, err := f.frameAt(at)
	if err == nil {
		e, err = f.decode(found)
	}
	return e, err
}

// view calls read with a transaction. That cannot fail: the file is mapped, and was checked.
func (f *file) view(read func(*bbolt.Tx)) {
	if err := f.db.View(func(tx *bbolt.Tx) error { read(tx); return nil }); err != nil {
		panic(fmt.Sprintf("index %s is used after it was closed: %v", f.base, err))
	}
}

func (f *file) close() error {
	return errors.Join(f.db.Close(), f.events.Close())
}

// sealOf returns the seal of an index file: its size and its CRC-32C. It also writes the bytes to
// copy. The seal is a file of its own, written after each change of the index. If they do not fit,
// the index was damaged, or a crash interrupted a change; in both cases it is not used.
func sealOf(base string, copy io.Writer) ([]byte, error) {
	index, err := os.Open(base + ".index")
	if err != nil {
		return nil, err
	}
	defer index.Close()
	sum := crc32.New(castagnoli)
	buffer := make([]byte, 1<<18) // which io.CopyBuffer uses if the source cannot copy itself
	size, err := io.CopyBuffer(io.MultiWriter(sum, copy), struct{ io.Reader }{index}, buffer)
	if err != nil {
		return nil, err
	}
	seal := binary.BigEndian.AppendUint64(nil, uint64(size))
	return binary.BigEndian.AppendUint32(seal, sum.Sum32()), nil
}

// checkSeal returns an error unless the index file fits its seal. It also writes the index file to
// copy.
func checkSeal(base string, copy io.Writer) error {
	want, err := os.ReadFile(base + ".seal")
	if err != nil {
		return err
	}
	got, err := sealOf(base, copy)
	if err == nil && !bytes.Equal(got, want) {
		err = errors.New("its checksum is wrong")
	}
	return err
}
