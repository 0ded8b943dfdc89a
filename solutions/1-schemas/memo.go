package codec

import (
	"context"
	"sync"

	"example.com/blotter/schemas"
)

// A memo remembers schemas by their ids. It is safe for concurrent use, and its zero value is
// empty.
type memo struct {
	known   sync.Map // int to schemas.Schema
	lookups sync.Map // int to chan struct{}: calls of ask in flight; closed at their end
}

// get returns the schema of an id, and asks for one that it does not remember. It remembers an
// answer, and not an error.
//
// One goroutine at a time asks for an id. A goroutine that had to wait finds the answer of the
// other, or asks in its turn: it does not share the failure of another goroutine (L1.I6). Lookups
// of different ids do not wait for each other.
func (m *memo) get(
	ctx context.Context, id int, ask func() (schemas.Schema, error),
) (schemas.Schema, error) {
	mine := make(chan struct{})
	for {
		if s, ok := m.known.Load(id); ok {
			return s.(schemas.Schema), nil
		}
		other, busy := m.lookups.LoadOrStore(id, mine)
		if !busy {
			break
		}
		select {
		case <-other.(chan struct{}):
		case <-ctx.Done():
			return schemas.Schema{}, ctx.Err()
		}
	}
	defer func() {
		m.lookups.Delete(id) // BEFORE the others are woken: they must not find this lookup again
		close(mine)
	}()
	if s, ok := m.known.Load(id); ok {
		return s.(schemas.Schema), nil
	}
	s, err := ask()
	if err == nil {
		m.known.Store(id, s)
	}
	return s, err
}
