package kafka

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// TestAReaderOfTheIndexSeesWholeBatches reads a stream while large batches go in.
func TestAReaderOfTheIndexSeesWholeBatches(t *testing.T) {
	t.Parallel()
	const batches, size = 300, 200
	p := &part{served: true, wake: make(chan struct{}, 1)}
	var over atomic.Bool
	torn := make(chan error, 1)
	go func() {
		defer close(torn)
		for !over.Load() {
			events, err := p.stream("trade/UTI-1")
			if err != nil || len(events)%size != 0 {
				torn <- fmt.Errorf("%d events: %w", len(events), err)
				return
			}
		}
	}()
	for b := range batches {
		var batch []contract.Recorded
		for i := range size {
			at := int64(b*size + i)
			e := contract.Event{ID: uuid.New(), Stream: "trade/UTI-1", Type: "trade.amended"}
			batch = append(batch, contract.Recorded{Event: e, Version: at + 1, RecordedAt: time.UnixMicro(at), Position: contract.Position{Offset: at}})
		}
		require.NoError(t, p.apply(batch))
	}
	over.Store(true)
	require.NoError(t, <-torn)
}
