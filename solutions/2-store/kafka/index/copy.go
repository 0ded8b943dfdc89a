package index

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"go.etcd.io/bbolt"

	"example.com/blotter/labs/kit/contract"
)

// A Copy is the index of a partition that another process owns: a copy of the owner's files and,
// in memory, the events that came later. The owner keeps its files locked, and does not know of
// the copy. A Copy is not safe for concurrent use.
type Copy struct {
	opts      Options
	partition *Partition // nil: there is no copy
	end       int64      // the copy has all events before this offset
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

// Refresh returns an index that has all events before the offset end. after reads the log from
// the event that it is given.
func (c *Copy) Refresh(
	end int64, after func(last *contract.Recorded) iter.Seq2[contract.Recorded, error],
) (*Partition, error) {
	if c.partition != nil && end-c.end > maxLag {
		c.Drop()
	}
	if c.partition == nil {
		if err := c.open(); err != nil {
			return nil, err
		}
	}
	if end-c.end > maxLag {
		return nil, fmt.Errorf("%w: it is %d offsets behind the log", ErrUnusable, end-c.end)
	}
	if end == c.end {
		return c.partition, nil
	}
	for e, err := range after(c.partition.last) {
		if err == nil {
			err = c.partition.Apply([]contract.Recorded{e})
		}
		if err != nil {
			return nil, err
		}
	}
	c.end = end
	return c.partition, nil
}

// open copies the files of the owner.
func (c *Copy) open() error {
	f, err := copyFile(c.opts)
	if err != nil {
		return err
	}
	p := newPartition(c.opts)
	p.file, p.isCopy, p.served, p.next = f, true, true, f.progress.Next
	c.partition, c.end = p, p.next
	p.last, err = f.last()
	return err
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
