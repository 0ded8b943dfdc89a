package kafka

import (
	"math/rand/v2"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestAFilterForgetsNoIDAndTakesFewForKnown(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 0))
	id := func(i int) (id uuid.UUID) { // as UUIDv7 has them: the time, and not much else
		id[4], id[5], id[6], id[8], id[9] = byte(i>>16), byte(i>>8), 0x70|byte(i&15), 0x80, byte(rng.Uint32())
		return id
	}
	var f filter
	require.False(t, f.knows(id(0)))
	const n = 50_000
	for i := range n {
		known := id(i)
		f.add(known)
		require.True(t, f.knows(known))
	}
	wrong := 0
	for i := range n {
		other := id(i)
		other[0] = 1
		if f.knows(other) {
			wrong++
		}
	}
	require.Less(t, wrong, n/50)
	require.Less(t, len(f), 6)
}
