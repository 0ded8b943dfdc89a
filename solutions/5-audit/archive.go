package audit

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
)

// An Archive keeps objects that are written once. A test of this package runs one suite over every Archive.
type Archive interface {
	// Put writes an object, durably when it returns. A name that is taken is ErrExists, and of several writers at once one
	// wins. After any other error the object may or may not be there.
	Put(ctx context.Context, name string, data []byte) error
	// Get is the object as it was first put, or ErrAbsent.
	Get(ctx context.Context, name string) ([]byte, error)
	// List is the names that begin with prefix, sorted.
	List(ctx context.Context, prefix string) ([]string, error)
}

// Errors of an Archive.
var (
	ErrExists = errors.New("an object of this name is archived already")
	ErrAbsent = errors.New("no such object in the archive")
)

// Memory is an Archive for tests and trials. Its zero value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

var _ Archive = (*Memory)(nil)

// Put is Archive.Put.
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
	return nil
}

// Get is Archive.Get.
func (m *Memory) Get(_ context.Context, name string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[name]
	if !ok {
		return nil, fmt.Errorf("%s: %w", name, ErrAbsent)
	}
	return slices.Clone(data), nil
}

// List is Archive.List.
func (m *Memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	names := slices.Sorted(maps.Keys(m.objects))
	return slices.DeleteFunc(names, func(n string) bool { return !strings.HasPrefix(n, prefix) }), nil
}
