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

// A loan is the index of a partition that is not ours: its owner's file, as it was when we copied it, and in memory what the
// log has behind it. The owner, who may be at work, keeps its file locked, and has no need to know of us. Where there is no
// file, or it cannot be believed, the log is read through for each question: slow, and just as right.
type loan struct {
	mu   sync.Mutex
	part *part // nil if there is none
	to   int64 // the part knows all before this offset
}

// staleAfter is by how many offsets a loan may fall behind the log before a newer copy is worth its while. It bounds what is
// kept in memory.
const staleAfter = 10_000

func (l *loan) giveBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.drop()
}

func (l *loan) drop() {
	if l.part == nil {
		return
	}
	path := l.part.file.db.Path()
	l.part.forget()
	os.Remove(path) // where an open file could not be removed
	l.part = nil
}

// borrow has the loan know all before the offset end, if that can be done.
func (l *loan) borrow(ctx context.Context, s *Store, partition int32, end int64) error {
	if l.part != nil && end-l.to > staleAfter {
		l.drop()
	}
	if l.part == nil {
		base, log := s.indexOf(partition)
		file, err := borrowIndexFile(base, log, partition)
		if err != nil {
			return err
		}
		l.part, l.to = &part{file: file, lent: true, served: true, next: file.place.Next}, file.place.Next
		last, ok, err := file.last()
		if err != nil {
			return err
		}
		if ok {
			l.part.last = &last
		}
	}
	if end-l.to > staleAfter {
		return fmt.Errorf("%w: it is %d offsets behind the log", errUnusable, end-l.to)
	}
	if end == l.to {
		return nil
	}
	for e, err := range s.tail(ctx, partition, l.part.last, end) {
		if err == nil {
			err = l.part.apply([]contract.Recorded{e})
		}
		if err != nil {
			return err
		}
	}
	l.to = end
	return nil
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

// findThrough looks for an id in a partition that is not ours, of which end is the end.
func (s *Store) findThrough(ctx context.Context, partition int32, end int64, id uuid.UUID) (found contract.Recorded, ok bool, err error) {
	err = s.through(ctx, partition, end,
		func(p *part) (err error) { found, ok, err = p.find(id); return err },
		func(e contract.Recorded) {
			if e.ID == id {
				found, ok = e, true
			}
		})
	return found, ok, err
}

// streamThrough is a stream of a partition that is not ours, of which end is the end. Its versions are held dense, as its owner holds
// them: a decision or an answer from a history with a hole would be wrong.
func (s *Store) streamThrough(ctx context.Context, partition int32, end int64, name string) (events []contract.Recorded, err error) {
	var hole error
	ended := false
	err = s.through(ctx, partition, end,
		func(p *part) (err error) { events, err = p.stream(name); return err },
		func(e contract.Recorded) {
			if e.Stream != name {
				return
			}
			if hole == nil {
				hole = follows(e, int64(len(events)), ended)
			}
			events, ended = append(events, e), e.Ends
		})
	if err == nil {
		err = hole
	}
	return events, err
}

// through asks what is lent of a partition, if that is of any use, or else shows visit every event of it.
func (s *Store) through(ctx context.Context, partition int32, end int64, ask func(*part) error, visit func(contract.Recorded)) error {
	l := &s.loans[partition]
	l.mu.Lock()
	defer l.mu.Unlock()
	if s.opts.Dir != "" {
		err := l.borrow(ctx, s, partition, end)
		if err == nil {
			err = ask(l.part)
		}
		if err == nil {
			return nil
		}
		l.drop()
		if !errors.Is(err, os.ErrNotExist) {
			s.opts.Log.Warn("index is of no use; the log is read instead", "log", s.opts.Prefix, "partition", partition, "why", err)
		}
	}
	for e, err := range s.tail(ctx, partition, nil, end) {
		if err != nil {
			return err
		}
		visit(e)
	}
	return nil
}

// tail is the events of a partition behind last, or all of them if that is nil, up to the offset to. If the log does not have last, the
// error is errUnusable: who knows that event has it from another log, or the log was cut.
func (s *Store) tail(ctx context.Context, partition int32, last *contract.Recorded, to int64) iter.Seq2[contract.Recorded, error] {
	if last == nil {
		return s.span(ctx, map[int32]int64{partition: 0}, map[int32]int64{partition: to})
	}
	from := last.Position.Offset
	return func(yield func(contract.Recorded, error) bool) {
		seen := false
		if from < to {
			for e, err := range s.span(ctx, map[int32]int64{partition: from}, map[int32]int64{partition: to}) {
				if err == nil && !seen {
					if seen = sameEvent(e, *last); !seen {
						break
					}
					continue
				}
				if !yield(e, err) || err != nil {
					return
				}
			}
		}
		if !seen {
			yield(contract.Recorded{}, fmt.Errorf("%w: it ends with an event at offset %d that the log does not have", errUnusable, from))
		}
	}
}

func sameEvent(a, b contract.Recorded) bool {
	return a.Position == b.Position && a.Version == b.Version && a.RecordedAt.Equal(b.RecordedAt) && a.ContentDigest() == b.ContentDigest()
}
