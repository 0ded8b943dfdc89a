package offload

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Memory is object storage in the memory of its process, for tests and demonstrations. Its zero
// value is empty and ready.
type Memory struct {
	mu      sync.Mutex
	objects map[[32]byte][]byte
}

var _ contract.Blobs = (*Memory)(nil)

// Put stores a copy of data.
func (m *Memory) Put(_ context.Context, data []byte) ([32]byte, error) {
	digest := sha256.Sum256(data)
	m.Set(digest, data)
	return digest, nil
}

// Set stores data under any digest, as a broken disk may do.
func (m *Memory) Set(digest [32]byte, data []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.objects == nil {
		m.objects = map[[32]byte][]byte{}
	}
	m.objects[digest] = slices.Clone(data)
}

// Get returns a copy of the object.
func (m *Memory) Get(_ context.Context, digest [32]byte) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	data, ok := m.objects[digest]
	if !ok {
		return nil, fmt.Errorf("%w: %x", contract.ErrNoBlob, digest)
	}
	return slices.Clone(data), nil
}

// Lazy is object storage that is opened at its first use. Most logs never have a large payload.
type Lazy struct {
	Open func(context.Context) (contract.Blobs, error)

	mu    sync.Mutex
	blobs contract.Blobs
}

var _ contract.Blobs = (*Lazy)(nil)

func (l *Lazy) opened(ctx context.Context) (contract.Blobs, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.blobs != nil {
		return l.blobs, nil
	}
	blobs, err := l.Open(ctx)
	if err != nil {
		return nil, err // the next call tries again
	}
	l.blobs = blobs
	return blobs, nil
}

// Put opens the storage if necessary and stores data in it.
func (l *Lazy) Put(ctx context.Context, data []byte) ([32]byte, error) {
	blobs, err := l.opened(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	return blobs.Put(ctx, data)
}

// Get opens the storage if necessary and reads an object from it.
func (l *Lazy) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	blobs, err := l.opened(ctx)
	if err != nil {
		return nil, err
	}
	return blobs.Get(ctx, digest)
}
