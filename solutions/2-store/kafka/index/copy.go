package index

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"os"
	"time"

	"go.etcd.io/bbolt"

	"example.com/blotter/labs/kit/contract"
)

// A Copy is the index of a partition that another process owns: a copy of the owner's files and,
// in memory, the events that came later. The owner keeps its files locked, and does not know of
// the copy. A Copy is not safe for concurrent use.
type Copy struct {
	opts      Options
	partition *Partition     // nil: there is no copy
	end       int64          // the copy has all events before this offset
	heads     map[string]End // that the copy has still to be compared with; nil after that
	failed    error          // the reason why the files with this seal are not used
	seal      []byte
}

// maxLag is the number of offsets between the copied files and the log at which the files are
// copied again. It bounds the events in memory.
const maxLag = 10_000

// NewCopy returns an empty copy.
func NewCopy(o Options) *Copy { return &Copy{opts: o} }

// Drop removes the copy.
func (c *Copy) Drop() {
	if c.partition == nil {
		return
	}
	path := c.partition.file.db.Path()
	c.partition.clear()
	os.Remove(path) // an open file may be one that could not be removed
	c.partition = nil
}

// A Log is the log of a copy's partition.
type Log struct {
	// After reads the events after last, all if it is nil, up to an offset.
	After func(last *contract.Recorded) iter.Seq2[contract.Recorded, error]
	// Heads reads all heads.
	Heads func() (map[string]End, error)
}

// Fail removes the copy because of err. If the files are at fault, Refresh returns err until the
// owner has written them again.
func (c *Copy) Fail(err error) {
	c.Drop()
	if errors.Is(err, ErrUnusable) || errors.Is(err, ErrBehind) {
		c.failed, c.seal = err, readSeal(c.opts)
	}
}

// readSeal returns the seal of the files; nil if there is none, or if it cannot be read.
func readSeal(o Options) []byte {
	seal, _ := os.ReadFile(o.base() + ".seal") // it is only compared: copyFile reports the error
	return seal
}

// Refresh returns an index that has all events before the offset end. ErrBehind means that the log
// has grown meanwhile: there are heads of later events.
func (c *Copy) Refresh(end int64, log Log) (*Partition, error) {
	if c.failed != nil && bytes.Equal(c.seal, readSeal(c.opts)) {
		return nil, c.failed
	}
	c.failed = nil
	if c.partition != nil && end-c.end > maxLag {
		c.Drop()
	}
	if c.partition == nil {
		if err := c.open(log); err != nil {
			return nil, err
		}
	}
	if end-c.end > maxLag {
		return nil, fmt.Errorf("%w: it is %d offsets behind the log", ErrUnusable, end-c.end)
	}
	if end > c.end {
		for e, err := range log.After(c.partition.last) {
			if err == nil {
				err = c.partition.Apply([]contract.Recorded{e})
			}
			if err != nil {
				return nil, err
			}
		}
		c.end = end
	}
	if c.heads != nil {
		if err := c.partition.Check(c.heads); err != nil {
			return nil, err
		}
		c.heads = nil
	}
	return c.partition, nil
}

// open copies the files of the owner, and reads the heads AFTER that: they have every event that
// the files have.
func (c *Copy) open(log Log) error {
	f, err := copyQuietFile(c.opts)
	if err != nil && !errors.Is(err, ErrUnusable) {
		err = fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if err != nil {
		return err
	}
	p := newPartition(c.opts)
	if err := p.use(f); err != nil {
		return err
	}
	p.served = true
	c.partition, c.end = p, p.next
	if c.heads, err = log.Heads(); err != nil {
		c.Drop() // it was not compared
	}
	return err
}

// copyQuietFile copies the index file between two writes of the owner. It gives up when a seal that
// does not fit stays the same for a while: then the owner is not writing. On a busy machine a write
// may take a tenth of a second.
func copyQuietFile(o Options) (*file, error) {
	const tries, pause = 20, 10 * time.Millisecond
	seal := readSeal(o)
	for n := 1; ; n++ {
		f, err := copyFile(o)
		if err == nil || errors.Is(err, os.ErrNotExist) || n == tries {
			return f, err
		}
		time.Sleep(pause)
		if now := readSeal(o); !bytes.Equal(now, seal) {
			n, seal = 0, now
		}
	}
}

// copyFile copies the index file and opens the copy. The owner may write the file meanwhile; then
// the copy does not fit the seal.
func copyFile(o Options) (*file, error) {
	to, err := os.CreateTemp("", "blotter-index-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(to.Name())
	if err := errors.Join(checkSeal(o.base(), to), to.Close()); err != nil {
		return nil, err
	}
	f, err := mapFile(o, to.Name(), &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	return f, f.load()
}
