package offload

import (
	"context"
	"sync"

	"example.com/blotter/labs/kit/contract"
)

// Lazy is object storage that is opened when it is first needed: most logs never have a payload that is large.
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
		return nil, err // and the next who needs it tries again
	}
	l.blobs = blobs
	return blobs, nil
}

// Put is that of what is opened.
func (l *Lazy) Put(ctx context.Context, data []byte) ([32]byte, error) {
	blobs, err := l.opened(ctx)
	if err != nil {
		return [32]byte{}, err
	}
	return blobs.Put(ctx, data)
}

// Get is that of what is opened.
func (l *Lazy) Get(ctx context.Context, digest [32]byte) ([]byte, error) {
	blobs, err := l.opened(ctx)
	if err != nil {
		return nil, err
	}
	return blobs.Get(ctx, digest)
}
