package audittest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// The names of the objects of Lab 5.
const (
	batchNames      = "batches/"
	checkpointNames = "checkpoints/"
)

// A Shelf is an archive in memory of which a write can fail. Its zero value is empty and ready to
// use.
type Shelf struct {
	mu      sync.Mutex
	objects map[string][]byte
	puts    int
	crash   crash
	failed  string // the object of the write that failed; empty before
}

// A crash kills the process at a write. landed means that the object was written, and only the
// answer was lost. survived means that the process lives on, and only this write fails.
type crash struct {
	at               int // the number of the write; 0 for never
	landed, survived bool
}

var _ Bucket = (*Shelf)(nil)

var (
	errKilled = errors.New("the process was killed here")
	errFailed = errors.New("the connection broke: the object may have been written or not")
)

// dead reports whether the process was killed.
func (s *Shelf) dead() bool { return s.failed != "" && !s.crash.survived }

// Put implements Bucket.
func (s *Shelf) Put(_ context.Context, name string, data []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead() {
		return errKilled
	}
	s.puts++
	var failure error
	if s.puts == s.crash.at {
		s.failed = name
		if failure = errKilled; s.crash.survived {
			failure = errFailed
		}
	}
	if failure != nil && !s.crash.landed {
		return failure
	}
	if _, taken := s.objects[name]; taken {
		return fmt.Errorf("the name %s is taken", name)
	}
	if s.objects == nil {
		s.objects = map[string][]byte{}
	}
	s.objects[name] = slices.Clone(data)
	return failure
}

// Get implements Bucket.
func (s *Shelf) Get(_ context.Context, name string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	data, ok := s.objects[name]
	switch {
	case s.dead():
		return nil, errKilled
	case !ok:
		return nil, fmt.Errorf("there is no object %s", name)
	}
	return slices.Clone(data), nil
}

// List implements Bucket.
func (s *Shelf) List(_ context.Context, prefix string) ([]string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.dead() {
		return nil, errKilled
	}
	return s.names(prefix), nil
}

func (s *Shelf) names(prefix string) []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.objects)), func(name string) bool {
		return !strings.HasPrefix(name, prefix)
	})
}

// after returns a copy of the archive as the next process finds it, which dies at a crash.
func (s *Shelf) after(c crash) *Shelf {
	s.mu.Lock()
	defer s.mu.Unlock()
	return &Shelf{objects: maps.Clone(s.objects), crash: c}
}
