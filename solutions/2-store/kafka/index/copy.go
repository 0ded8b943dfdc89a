package index

import (
	"errors"
	"fmt"
	"iter"
	"os"

	"example.com/blotter/labs/kit/contract"
)

// A Copy is the index of a partition that another process owns: the owner's file as far as it was
// written when the copy was opened and, in memory, the events that came later. The owner does not
// know of the copy. A Copy is not safe for concurrent use.
type Copy struct {
	opts      Options
	partition *Partition     // nil: there is no copy
	end       int64          // the copy has all events before this offset
	heads     map[string]End // that the copy has still to be compared with; nil after that
	failed    error          // the reason why the file is not used as it was
	was       os.FileInfo    // of that file; nil if it was missing
}

// maxLag is the number of offsets between the copy and the log at which the file is read again. It
// bounds the events in memory.
const maxLag = 10_000

// NewCopy returns an empty copy.
func NewCopy(o Options) *Copy { return &Copy{opts: o} }

// Drop removes the copy.
func (c *Copy) Drop() {
	if c.partition != nil {
		c.partition.file.close()
		c.partition = nil
	}
}

// A Log is the log of a copy's partition.
type Log struct {
	// After reads the events after last, all if it is nil, up to an offset.
	After func(last *contract.Recorded) iter.Seq2[contract.Recorded, error]
	// Heads reads all heads.
	Heads func() (map[string]End, error)
}

// Fail removes the copy because of err. If the file is at fault, Refresh returns err until the
// owner has written it again.
func (c *Copy) Fail(err error) {
	c.Drop()
	if errors.Is(err, ErrUnusable) || errors.Is(err, ErrBehind) {
		c.failed, c.was = err, stat(c.opts)
	}
}

// stat returns nil if the file cannot be reached: readFile reports the error.
func stat(o Options) os.FileInfo {
	info, err := os.Stat(o.path())
	if err != nil {
		return nil
	}
	return info
}

// isAsItWas reports whether the file has not been written since Fail.
func (c *Copy) isAsItWas() bool {
	now := stat(c.opts)
	if now == nil || c.was == nil {
		return now == nil && c.was == nil
	}
	return os.SameFile(now, c.was) && now.Size() == c.was.Size() &&
		now.ModTime().Equal(c.was.ModTime())
}

// Refresh returns an index that has all events before the offset end. ErrBehind means that the log
// has grown meanwhile: there are heads of later events.
func (c *Copy) Refresh(end int64, log Log) (*Partition, error) {
	if c.failed != nil && c.isAsItWas() {
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
		for e, err := range log.After(c.partition.Last()) {
			if err == nil {
				err = c.partition.Apply([]contract.Recorded{e})
				if errors.As(err, new(*contract.DamagedError)) { // or the file lacks an event
					err = fmt.Errorf("%w: %w", ErrUnusable, err)
				}
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

// open reads the file of the owner, and the heads AFTER that: they have every event that the file
// has.
func (c *Copy) open(log Log) error {
	f, err := readFile(c.opts)
	if err != nil && !errors.Is(err, ErrUnusable) {
		err = fmt.Errorf("%w: %w", ErrUnusable, err)
	}
	if err != nil {
		return err
	}
	p := newPartition(c.opts)
	p.use(f)
	p.served = true
	c.partition, c.end = p, p.next()
	if c.heads, err = log.Heads(); err != nil {
		c.Drop() // it was not compared
	}
	return err
}
