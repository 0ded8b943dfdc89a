package index

import (
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
)

// A reader that runs beside Apply sees whole batches only (L2.I2).
func TestStreamSeesWholeBatches(t *testing.T) {
	t.Parallel()
	const batches, size, name = 300, 200, "trade/UTI-1"
	p := newPartition(Options{Codec: idCodec{}})
	p.Serve()
	var over atomic.Bool
	torn := make(chan error, 1)
	go func() {
		defer close(torn)
		for !over.Load() {
			events, err := p.Stream(name)
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
			batch = append(batch, contract.Recorded{
				Event:      contract.Event{ID: uuid.New(), Stream: name, Type: "trade.amended"},
				Version:    at + 1,
				RecordedAt: time.UnixMicro(at),
				Position:   contract.Position{Offset: at},
			})
		}
		require.NoError(t, p.Apply(batch))
	}
	over.Store(true)
	require.NoError(t, <-torn)
}

// An idCodec writes the id of an event.
type idCodec struct{}

func (idCodec) AppendEvent(dst []byte, e contract.Recorded) []byte {
	return append(dst, e.ID[:]...)
}

func (idCodec) ParseEvent(data []byte, at contract.Position) (contract.Recorded, error) {
	return contract.Recorded{Event: contract.Event{ID: uuid.UUID(data)}, Position: at}, nil
}

// A filter reports every id that was added. It reports no id that was not added.
func TestFilter(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	id := func(i int) (id uuid.UUID) { // like a UUIDv7: the time, and few other bits
		id[4], id[5], id[6] = byte(i>>16), byte(i>>8), 0x70|byte(i&15)
		id[8], id[9] = 0x80, byte(rng.Uint32())
		return id
	}
	var f filter
	require.False(t, f.has(id(0)))
	const n = 50_000
	for i := range n {
		added := id(i)
		f.add(added)
		require.True(t, f.has(added))
	}
	wrong := 0
	for i := range n {
		other := id(i)
		other[0] = 1
		if f.has(other) {
			wrong++
		}
	}
	require.Zero(t, wrong)
	require.Less(t, len(f), 6)
}
