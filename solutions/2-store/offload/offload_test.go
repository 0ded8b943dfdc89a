package offload_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
	"example.com/blotter/solutions/2-store/offload"
)

var onMemory = storetest.Fixture{
	Volatile: true,
	Open: func(_ check.T, clock contract.Clock) storetest.Log {
		return storetest.Log{Store: memory.New(clock)}
	},
}

func wrap(s contract.Store, blobs contract.Blobs, limit int) contract.Store {
	return offload.Wrap(s, blobs, limit)
}

func TestOffload(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Offload(onMemory, wrap))
}

// An offloading store behaves as any other store: it passes the whole suite with a limit of 1 byte,
// under which almost every payload is offloaded.
func TestOffloadingStorePassesStoreSuite(t *testing.T) {
	t.Parallel()
	open := func(_ check.T, clock contract.Clock) storetest.Log {
		return storetest.Log{Store: offload.Wrap(memory.New(clock), new(offload.Memory), 1)}
	}
	check.Run(t, storetest.Suite(storetest.Fixture{
		Volatile: true, Offload: true, Atomic: true, Resumes: true, Open: open,
	}))
}

// The audit leaf covers the data that is in the log. If an offloaded event has other data there
// than its prefix, a reader must report it.
func TestWrongPrefixIsDamage(t *testing.T) {
	t.Parallel()
	clock := func(context.Context) time.Time { return time.Unix(1, 0) }
	for _, data := range [][]byte{nil, {0}, {0, 0, 0, 0, 7, 'x'}} {
		log := memory.New(clock)
		s := offload.Wrap(tampered{log, data}, new(offload.Memory), 0)
		e := contract.Event{
			ID: uuid.NameSpaceURL, Stream: "trade/UTI-1", Type: "trade.new", Schema: 1,
			EffectiveAt: time.Unix(0, 0),
			EnteredAt:   time.Unix(0, 0), CommandID: "c-1",
			Actor: "desk-7", Reason: "agreed", Source: "test",
			Data: []byte{0, 0, 0, 0, 7, 'b'},
		}
		_, err := s.Append(t.Context(), e.Stream, 0, e)
		require.NoError(t, err)
		_, err = s.Find(t.Context(), e.ID)
		damaged := new(contract.DamagedError)
		require.ErrorAs(t, err, &damaged)
		require.Contains(
			t,
			damaged.What,
			fmt.Sprintf("version 1 of trade/UTI-1 has %d bytes", len(data)),
		)
	}
}

// tampered is a log whose events have other data than the appended data.
type tampered struct {
	*memory.Store
	data []byte
}

func (w tampered) Find(ctx context.Context, id uuid.UUID) (contract.Recorded, error) {
	r, err := w.Store.Find(ctx, id)
	r.Data = w.data
	return r, err
}

func TestMemory(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Objects(func(check.T) (contract.Blobs, func([32]byte, []byte)) {
		m := new(offload.Memory)
		return m, m.Set
	}))
}
