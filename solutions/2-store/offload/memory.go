package offload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Memory is object storage that lives and dies with its process, for tests and trials. Its zero value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	objects map[[32]byte][]byte
}

var _ contract.Blobs = (*Memory)(nil)

// Put keeps a copy.
func (m *Memory) Put(_ context.Context, data []byte) ([32]byte, error) {
	digest := sha256.Sum256(data)
	m.Set(digest, data)
	return digest, nil
}

// Set puts data under any digest, as a bad disk may.
func (m *Memory) Set(digest [32]byte, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[[32]byte][]byte{}
	}
	m.objects[digest] = slices.Clone(data)
}

// Get gives a copy.
func (m *Memory) Get(_ context.Context, digest [32]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[digest]
	if !ok {
		return nil, fmt.Errorf("%w: %x", contract.ErrNoBlob, digest)
	}
	return slices.Clone(data), nil
}
