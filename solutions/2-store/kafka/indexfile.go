package kafka

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"
	bbolterrors "go.etcd.io/bbolt/errors"

	"example.com/blotter/labs/kit/contract"
)

// An indexFile is the index of one partition on disk:
//
//	<prefix>.<partition>.index   where what is found by its id, and where each stream ends (bbolt)
//	<prefix>.<partition>.events  the events, as the log has them: see frame.go
//	<prefix>.<partition>.seal    the checksum of the first: see seal.go
//
// The events are in it because fetching them one by one from the broker takes some 0.2 ms each, which would be most of what a
// command costs. The disk holds them twice, then: once as the log, once for the index.
//
// Nothing here is synced, and nothing needs to be. The index may be behind the log, and then the rest is read from there; and whatever a
// crash or a bad disk does to it is found by a checksum before it is believed, and then it is made anew.
type indexFile struct {
	base      string
	partition int32
	db        *bbolt.DB
	events    *os.File
	place     place
}

// A place is how far an index has come. It is written in one transaction with what it speaks of.
type place struct {
	Format int     `json:"format"`
	Log    string  `json:"log"`   // of which log: the id of its topic, and the partition
	Next   int64   `json:"next"`  // the first offset that is not taken in
	Heads  int64   `json:"heads"` // the offset up to which the heads agree with the index; 0: none were looked at
	Last   pointer `json:"last"`  // to the latest event
	Size   int64   `json:"size"`  // of the file of events; what lies behind was never committed
}

const indexFormat = 2

var (
	idsBucket     = []byte("ids")     // id -> pointer
	streamsBucket = []byte("streams") // stream -> pointer to its last event, version, whether it has ended
	placeBucket   = []byte("place")   // "place" -> place, as JSON
)

// errUnusable is wrapped by the error of an index file that is to be made anew, errInUse by that of one which another process has open, such
// as one that stands still.
var (
	errUnusable = errors.New("index is unusable")
	errInUse    = errors.New("another process has it open")
)

// indexBase is where the files of a partition are, without what tells them apart.
func indexBase(dir, prefix string, partition int32) string {
	return filepath.Join(dir, fmt.Sprintf("%s.%d", prefix, partition))
}

// lockTimeout is how long another owner in this folder has to let go of a file.
const lockTimeout = 2 * time.Second

// openIndexFile opens the index of a log's partition. errUnusable says that there is none that can be believed.
func openIndexFile(base, log string, partition int32) (*indexFile, error) {
	// BEFORE bbolt maps the file: it would follow a damaged page anywhere.
	if err := checkSeal(base); err != nil {
		return nil, fmt.Errorf("%w: %w", errUnusable, err)
	}
	f, err := mapIndexFile(base, base+".index", partition, &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, err
	}
	if err := f.load(log); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// createIndexFile begins an index, and removes what was there.
func createIndexFile(base, log string, partition int32) (*indexFile, error) {
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		return nil, err
	}
	// A crash from here on leaves an index without a seal, which is no index.
	for _, name := range []string{base + ".seal", base + ".index", base + ".events"} {
		if err := os.Remove(name); err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
	}
	f, err := mapIndexFile(base, base+".index", partition, &bbolt.Options{Timeout: lockTimeout, NoSync: true, NoGrowSync: true})
	if err != nil {
		return nil, err
	}
	f.place = place{Format: indexFormat, Log: log}
	return f, f.db.Update(func(tx *bbolt.Tx) error {
		for _, name := range [][]byte{idsBucket, streamsBucket, placeBucket} {
			if _, err := tx.CreateBucketIfNotExists(name); err != nil {
				return err
			}
		}
		return putPlace(tx, f.place)
	})
}

// mapIndexFile opens the two files of an index, whatever is in them.
func mapIndexFile(base, index string, partition int32, opts *bbolt.Options) (*indexFile, error) {
	flag := os.O_RDWR | os.O_CREATE
	if opts.ReadOnly {
		flag = os.O_RDONLY
	}
	events, err := os.OpenFile(base+".events", flag, 0o644)
	if err != nil {
		return nil, err
	}
	db, err := bbolt.Open(index, 0o644, opts)
	if err != nil {
		events.Close()
		if errors.Is(err, bbolterrors.ErrTimeout) {
			err = errInUse
		}
		return nil, fmt.Errorf("open %s: %w", index, err)
	}
	return &indexFile{base: base, partition: partition, db: db, events: events}, nil
}

// load finds the place of the index, and refuses one of another log.
func (f *indexFile) load(log string) error {
	err := f.db.View(func(tx *bbolt.Tx) error {
		b := tx.Bucket(placeBucket)
		if b == nil {
			return errors.New("it has no place")
		}
		return json.Unmarshal(b.Get(placeBucket), &f.place)
	})
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", errUnusable, err)
	case f.place.Format != indexFormat:
		return fmt.Errorf("%w: it has the format %d", errUnusable, f.place.Format)
	case f.place.Log != log:
		return fmt.Errorf("%w: it is of the log %s", errUnusable, f.place.Log)
	}
	return nil
}

func putPlace(tx *bbolt.Tx, p place) error {
	text, err := json.Marshal(p)
	if err != nil {
		return err
	}
	return tx.Bucket(placeBucket).Put(placeBucket, text)
}

// add takes in the events behind the index's place, which then is at next and heads.
func (f *indexFile) add(events []*contract.Recorded, next, heads int64) error {
	to := f.place
	to.Next, to.Heads = next, heads
	err := f.db.Update(func(tx *bbolt.Tx) error {
		ids, streams := tx.Bucket(idsBucket), tx.Bucket(streamsBucket)
		var frames []byte
		for _, e := range events {
			end := endOf(streams.Get([]byte(e.Stream)))
			begin := len(frames)
			frames = appendFrame(frames, e, end.last)
			to.Last = pointer{At: to.Size + int64(begin), Size: int32(len(frames) - begin)}
			if err := ids.Put(bytes.Clone(e.ID[:]), to.Last.append(nil)); err != nil {
				return err
			}
			if err := streams.Put([]byte(e.Stream), streamEnd{to.Last, e.Version, e.Ends}.bytes()); err != nil {
				return err
			}
		}
		// The events are written BEFORE the commit that points to them. A crash here leaves bytes that nothing points to, and the
		// next events are written over them.
		if _, err := f.events.WriteAt(frames, to.Size); err != nil {
			return err
		}
		to.Size += int64(len(frames))
		return putPlace(tx, to)
	})
	if err != nil {
		return err
	}
	f.place = to
	// A crash before the seal is written leaves an index that is made anew.
	return writeSeal(f.base)
}

// A streamEnd is where a stream stands.
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

// endOf is the inverse of bytes; the zero end is of a stream that does not exist.
func endOf(value []byte) streamEnd {
	if len(value) != streamEndSize {
		return streamEnd{}
	}
	return streamEnd{pointerOf(value), int64(binary.BigEndian.Uint64(value[pointerSize:])), value[streamEndSize-1] == 1}
}

// end is where a stream stands.
func (f *indexFile) end(stream string) (end streamEnd) {
	f.view(func(tx *bbolt.Tx) { end = endOf(tx.Bucket(streamsBucket).Get([]byte(stream))) })
	return end
}

// find is the event with an id.
func (f *indexFile) find(id uuid.UUID) (e contract.Recorded, ok bool, err error) {
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
		err = fmt.Errorf("%w: it has %s under the id %s", errUnusable, e.ID, id)
	}
	return e, err == nil, err
}

// ids shows visit every id.
func (f *indexFile) ids(visit func(uuid.UUID)) {
	f.view(func(tx *bbolt.Tx) {
		c := tx.Bucket(idsBucket).Cursor()
		for id, _ := c.First(); id != nil; id, _ = c.Next() {
			visit(uuid.UUID(id))
		}
	})
}

// stream is the events of a stream in version order, found from its end backwards.
func (f *indexFile) stream(name string) ([]contract.Recorded, error) {
	end := f.end(name)
	events := make([]contract.Recorded, end.version)
	at := end.last
	for i := len(events) - 1; i >= 0; i-- {
		e, before, err := f.event(at)
		if err == nil && (e.Stream != name || e.Version != int64(i)+1) {
			err = fmt.Errorf("%w: it has version %d of %s as version %d of %s", errUnusable, e.Version, e.Stream, i+1, name)
		}
		if err != nil {
			return nil, err
		}
		events[i], at = e, before
	}
	return events, nil
}

// last is the latest event; false before there is one.
func (f *indexFile) last() (contract.Recorded, bool, error) {
	if f.place.Last.Size == 0 {
		return contract.Recorded{}, false, nil
	}
	e, _, err := f.event(f.place.Last)
	return e, err == nil, err
}

// ends shows visit the last event of every stream.
func (f *indexFile) ends(visit func(contract.Recorded) error) error {
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

func (f *indexFile) event(at pointer) (contract.Recorded, pointer, error) {
	return readFrame(f.events, at, f.partition)
}

// view looks into the index. It cannot fail: the file is mapped, and was checked.
func (f *indexFile) view(look func(*bbolt.Tx)) {
	if err := f.db.View(func(tx *bbolt.Tx) error { look(tx); return nil }); err != nil {
		panic(fmt.Sprintf("index %s is used after it was closed: %v", f.base, err))
	}
}

func (f *indexFile) close() error {
	return errors.Join(f.db.Close(), f.events.Close())
}
