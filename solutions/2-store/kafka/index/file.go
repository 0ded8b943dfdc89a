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
}

// A progress states which part of the log is in the files. It is written in one transaction with
// the entries that it counts.
type progress struct {
	Format int     `json:"format"`
	Log    string  `json:"log"`   // id of the topic, and the partition
	Next   int64   `json:"next"`  // the first offset that is not in the files
	Heads  int64   `json:"heads"` // heads before this offset agree with the index
	Last   pointer `json:"last"`  // to the latest event
	Size   int64   `json:"size"`  // of the file of events; bytes after that were never committed
}

const indexFormat = 2

var (
	idsBucket      = []byte("ids")     // id -> pointer
	streamsBucket  = []byte("streams") // stream -> streamEnd
	progressBucket = []byte("place")   // "place" -> progress, as JSON
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
		for _, name := range [][]byte{idsBucket, streamsBucket, progressBucket} {
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
	return &file{base: o.base(), opts: o, db: db, events: events}, nil
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

// add writes the events that follow the index's progress, which becomes next and heads.
func (f *file) add(events []*contract.Recorded, next, heads int64) error {
	to := f.progress
	to.Next, to.Heads = next, heads
	err := f.db.Update(func(tx *bbolt.Tx) error {
		ids, streams := tx.Bucket(idsBucket), tx.Bucket(streamsBucket)
		var frames []byte
		for _, e := range events {
			end := endOf(streams.Get([]byte(e.Stream)))
			begin := len(frames)
			frames = f.appendFrame(frames, e, end.last)
			to.Last = pointer{At: to.Size + int64(begin), Size: int32(len(frames) - begin)}
			if err := ids.Put(bytes.Clone(e.ID[:]), to.Last.append(nil)); err != nil {
				return err
			}
			end = streamEnd{to.Last, e.Version, e.Ends}
			if err := streams.Put([]byte(e.Stream), end.bytes()); err != nil {
				return err
			}
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
		return err
	}
	f.progress = to
	// A crash before the seal is written leaves an index that will be rebuilt.
	seal, err := sealOf(f.base, io.Discard)
	if err != nil {
		return err
	}
	return os.WriteFile(f.base+".seal", seal, 0o600)
}

// A streamEnd is the end of a stream: the pointer to its last event, its version, and whether it
// has ended. The zero streamEnd is that of a stream that does not exist.
type streamEnd struct {
	last    pointer
	version int64
	ended   bool
}

const streamEndSize = pointerSize + 8 + 1

func (e streamEnd) bytes() []byte {
	value := binary.BigEndian.AppendUint64(e.last.append(nil), uint64(e.version))
	if e.ended {
		return append(value, 1)
	}
	return append(value, 0)
}

func endOf(value []byte) streamEnd {
	if len(value) != streamEndSize {
		return streamEnd{}
	}
	version := int64(binary.BigEndian.Uint64(value[pointerSize:]))
	return streamEnd{pointerOf(value), version, value[streamEndSize-1] == 1}
}

func (f *file) end(stream string) (end streamEnd) {
	f.view(func(tx *bbolt.Tx) { end = endOf(tx.Bucket(streamsBucket).Get([]byte(stream))) })
	return end
}

// find returns the event with an id.
func (f *file) find(id uuid.UUID) (e contract.Recorded, ok bool, err error) {
	var at pointer
	f.view(func(tx *bbolt.Tx) {
		value := tx.Bucket(idsBucket).Get(id[:])
		if ok = len(value) == pointerSize; ok {
			at = pointerOf(value)
		}
	})
	if !ok {
		return e, false, nil
	}
	e, _, err = f.event(at)
	if err == nil && e.ID != id {
		err = fmt.Errorf("%w: it has %s under the id %s", ErrUnusable, e.ID, id)
	}
	return e, err == nil, err
}

// ids calls visit with every id.
func (f *file) ids(visit func(uuid.UUID)) {
	f.view(func(tx *bbolt.Tx) {
		c := tx.Bucket(idsBucket).Cursor()
		for id, _ := c.First(); id != nil; id, _ = c.Next() {
			visit(uuid.UUID(id))
		}
	})
}

// stream returns the events of a stream in version order. It finds them from the last to the
// first.
func (f *file) stream(name string) ([]contract.Recorded, error) {
	end := f.end(name)
	events := make([]contract.Recorded, end.version)
	at := end.last
	for i := len(events) - 1; i >= 0; i-- {
		e, previous, err := f.event(at)
		if err == nil && (e.Stream != name || e.Version != int64(i)+1) {
			err = fmt.Errorf("%w: it has version %d of %s as version %d of %s",
				ErrUnusable, e.Version, e.Stream, i+1, name)
		}
		if err != nil {
			return nil, err
		}
		events[i], at = e, previous
	}
	return events, nil
}

// last returns the latest event, or nil before the first.
func (f *file) last() (*contract.Recorded, error) {
	if f.progress.Last.Size == 0 {
		return nil, nil
	}
	e, _, err := f.event(f.progress.Last)
	return &e, err
}

// eachLast calls visit with the last event of every stream.
func (f *file) eachLast(visit func(contract.Recorded) error) error {
	return f.db.View(func(tx *bbolt.Tx) error {
		return tx.Bucket(streamsBucket).ForEach(func(_, value []byte) error {
			e, _, err := f.event(endOf(value).last)
			if err != nil {
				return err
			}
			return visit(e)
		})
	})
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
