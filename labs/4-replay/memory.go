// Code generated from solutions/4-replay/plain/memory.go by make generate; DO NOT EDIT.

package replay

import (
	"bytes"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Memory is contract.Objects in memory. Its zero value is empty and ready to use. It is safe for
// use by many goroutines.
type Memory struct {
	mu      sync.Mutex
	objects map[string][]byte
}

var _ contract.Objects = (*Memory)(nil)

// Put keeps a copy of content, unless the key has an object.
func (m *Memory) Put(_ context.Context, key string, content []byte) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if _, found := m.objects[key]; found {
		return fmt.Errorf("object %s: %w", key, contract.ErrObjectExists)
	}
	m.set(key, content)
	return nil
}

// Get returns a copy of an object.
func (m *Memory) Get(_ context.Context, key string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	content, found := m.objects[key]
	if !found {
		return nil, fmt.Errorf("object %s: %w", key, contract.ErrNoObject)
	}
	return bytes.Clone(content), nil
}

// List returns the keys that begin with prefix, sorted.
func (m *Memory) List(_ context.Context, prefix string) ([]string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.DeleteFunc(slices.Sorted(maps.Keys(m.objects)), func(key string) bool {
		return !strings.HasPrefix(key, prefix)
	}), nil
}

// Tamper replaces an object as a person does who may write past the storage. Nil removes it.
func (m *Memory) Tamper(key string, content []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.set(key, content); content == nil {
		delete(m.objects, key)
	}
}

func (m *Memory) set(key string, content []byte) {
	if m.objects == nil {
		m.objects = map[string][]byte{}
	}
	m.objects[key] = append([]byte{}, content...)
}
