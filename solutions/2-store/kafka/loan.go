package kafka

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"sync"

	"github.com/google/uuid"
	"go.etcd.io/bbolt"

	"example.com/blotter/labs/kit/contract"
)

// A loan is the index file of a partition that is not ours, as it was when we copied it: its owner, who may be at work,
// keeps the file locked, and has no need to know of us. Whatever the copy does not have is read from the log. Where there is no file, or it
// cannot be believed, that is everything: slow, and just as right.
type loan struct {
	mu   sync.Mutex
	file *indexFile
}

// staleAfter is how many events are read from the log before a newer copy is worth its while.
const staleAfter = 10_000

func (l *loan) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

func (l *loan) drop() {
	if l.file != nil {
		l.file.close()
		os.Remove(l.file.db.Path()) // where an open file could not be removed
		l.file = nil
	}
}

// borrowIndexFile copies an index file, and opens the copy. The file may be written meanwhile: then the seal does not fit.
func borrowIndexFile(base, log string, partition int32) (*indexFile, error) {
	index, err := os.Open(base + ".index")
	if err != nil {
		return nil, err
	}
	defer index.Close()
	to, err := os.CreateTemp("", "blotter-index-")
	if err != nil {
		return nil, err
	}
	defer os.Remove(to.Name())
	err = errors.Join(sealFits(base, io.TeeReader(index, to)), to.Close())
	if err != nil {
		return nil, err
	}
	f, err := mapIndexFile(base, to.Name(), partition, &bbolt.Options{ReadOnly: true})
	if err != nil {
		return nil, err
	}
	if err := f.load(log); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// findThrough looks for an id in a partition that is not ours.
func (s *Store) findThrough(ctx context.Context, partition int32, id uuid.UUID) (found contract.Recorded, ok bool, err error) {
	err = s.through(ctx, partition,
		func(f *indexFile) (err error) {
			found, ok = contract.Recorded{}, false
			if f != nil {
				found, ok, err = f.find(id)
			}
			return err
		},
		func(e contract.Recorded) {
			if e.ID == id {
				found, ok = e, true
			}
		})
	return found, ok, err
}

// streamThrough is a stream of a partition that is not ours.
func (s *Store) streamThrough(ctx context.Context, partition int32, name string) (events []contract.Recorded, err error) {
	err = s.through(ctx, partition,
		func(f *indexFile) (err error) {
			events = nil
			if f != nil {
				events, err = f.stream(name)
			}
			return err
		},
		func(e contract.Recorded) {
			if e.Stream == name {
				events = append(events, e)
			}
		})
	return events, err
}

// through asks the index of a partition that is not ours (nil: there is none), and then shows visit what the log has behind it. Where
// the index turns out to be of no use it begins again without one.
func (s *Store) through(ctx context.Context, partition int32, ask func(*indexFile) error, visit func(contract.Recorded)) error {
	l := &s.loans[partition]
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil && s.opts.Dir != "" {
		base, log := s.indexOf(partition)
		file, err := borrowIndexFile(base, log, partition)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			s.opts.Log.Warn("index is of no use; the log is read instead", "log", s.opts.Prefix, "partition", partition, "why", err)
		}
		l.file = file
	}
	err := s.throughFile(ctx, partition, l, ask, visit)
	if errors.Is(err, errUnusable) {
		s.opts.Log.Warn("index is of no use; the log is read instead", "log", s.opts.Prefix, "partition", partition, "why", err)
		l.drop()
		err = s.throughFile(ctx, partition, l, ask, visit)
	}
	return err
}

func (s *Store) throughFile(ctx context.Context, partition int32, l *loan, ask func(*indexFile) error, visit func(contract.Recorded)) error {
	var last *contract.Recorded
	var from int64
	if err := ask(l.file); err != nil {
		return err
	}
	if l.file != nil {
		e, ok, err := l.file.last()
		if err != nil {
			return err
		}
		if ok {
			last, from = &e, e.Position.Offset
		}
	}
	end, err := s.End(ctx)
	if err != nil {
		return err
	}
	n := 0
	for e, err := range s.tail(ctx, partition, last, from, end.At(partition)) {
		if err != nil {
			return err
		}
		visit(e)
		n++
	}
	if n > staleAfter {
		l.drop()
	}
	return nil
}

// tail is the events of a partition in [from, to), but for the one at from, which must be last (nil for none).
// Anything else there is errUnusable: what says so is of another log, or the log was cut.
func (s *Store) tail(ctx context.Context, partition int32, last *contract.Recorded, from, to int64) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		if last != nil && from >= to {
			yield(contract.Recorded{}, otherLog(from))
			return
		}
		unseen := last != nil
		for e, err := range s.span(ctx, map[int32]int64{partition: from}, map[int32]int64{partition: to}) {
			if err == nil && unseen {
				if !sameEvent(e, *last) {
					yield(contract.Recorded{}, otherLog(from))
					return
				}
				unseen = false
				continue
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
		if unseen {
			yield(contract.Recorded{}, otherLog(from))
		}
	}
}

func sameEvent(a, b contract.Recorded) bool {
	return a.Position == b.Position && a.Version == b.Version && a.RecordedAt.Equal(b.RecordedAt) && a.ContentDigest() == b.ContentDigest()
}

func otherLog(offset int64) error {
	return fmt.Errorf("%w: it ends with an event at offset %d that the log does not have", errUnusable, offset)
}
