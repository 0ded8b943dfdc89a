package audit

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// An Archive keeps objects that are written once. One test of this package runs over every Archive.
// The errors of Get and Current do not name the object: the caller does.
type Archive interface {
	// Put writes an object; the object is durable when Put returns. It returns ErrExists if the
	// name is taken. Of several writers at once, one succeeds. After any other error the object may
	// or may not be there.
	Put(ctx context.Context, name string, data []byte) error
	// Get returns the object as it was first put, or ErrAbsent.
	Get(ctx context.Context, name string) ([]byte, error)
	// List returns the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
	// ListAfter is List without the names up to after. Its cost is that of the names it returns.
	ListAfter(ctx context.Context, prefix, after string) ([]string, error)
	// Replace writes an object that changes. Nobody may trust such an object.
	Replace(ctx context.Context, name string, data []byte) error
	// Current returns an object as it was last written, or ErrAbsent.
	Current(ctx context.Context, name string) ([]byte, error)
}

// A Locker is an Archive that can lock an object for longer than it locks every object.
type Locker interface {
	Archive
	// PutUntil is Put of an object that is locked until a time, from the moment it is there.
	PutUntil(ctx context.Context, name string, data []byte, until time.Time) error
}

// A locking archive puts every object with a lock.
type locking struct {
	Locker
	until time.Time
}

// Put implements Archive.
func (l locking) Put(ctx context.Context, name string, data []byte) error {
	return l.PutUntil(ctx, name, data, l.until)
}

// Errors of an Archive.
var (
	ErrExists = errors.New("the archive already has an object of this name")
	ErrAbsent = errors.New("no such object in the archive")
)

// Memory is an Archive for tests. Its zero value is empty and ready to use.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
	names   []string          // of the objects, sorted: to list some does not look at all
	current map[string][]byte // of replaced objects
}

var _ Archive = (*Memory)(nil)

// Put implements Archive.
func (m *Memory) Put(_ context.Context, name string, data []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, ok := m.objects[name]; ok {
		return fmt.Errorf("%s: %w", name, ErrExists)
	}
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[name] = slices.Clone(data)
	at, _ := slices.BinarySearch(m.names, name)
	m.names = slices.Insert(m.names, at, name)
	return nil
}

// Get implements Archive.
func (m *Memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return nil, ErrAbsent
	}
	return slices.Clone(data), nil
}

// List implements Archive.
func (m *Memory) List(ctx context.Context, prefix string) ([]string, error) {
	return m.ListAfter(ctx, prefix, "")
}

// ListAfter implements Archive.
func (m *Memory) ListAfter(_ context.Context, prefix, after string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	from, _ := slices.BinarySearch(m.names, max(prefix, after))
	var names []string
	for _, name := range m.names[from:] {
		if !strings.HasPrefix(name, prefix) {
			break // names with one prefix are beside one another
		}
		if name > after {
			names = append(names, name)
		}
	}
	return names, nil
}

// Replace implements Archive.
func (m *Memory) Replace(ctx context.Context, name string, data []byte) error {
	if err := m.Put(ctx, name, data); err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.current == nil {
		m.current = map[string][]byte{}
	}
	m.current[name] = slices.Clone(data)
	return nil
}

// Current implements Archive.
func (m *Memory) Current(ctx context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	data, ok := m.current[name]
	m.mu.Unlock()
	if !ok {
		return m.Get(ctx, name)
	}
	return slices.Clone(data), nil
}
