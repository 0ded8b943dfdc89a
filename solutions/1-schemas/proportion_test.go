package codec_test

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// L1.I5: no input makes Decode allocate out of proportion to its length. Not parallel: it counts what the process allocates.
func TestDecodeAllocatesInProportion(t *testing.T) {
	c, r := codec.Offline(), rand.New(rand.NewPCG(1, 5))
	for i := range 4000 {
		p, err := c.Encode(t.Context(), kinds[i%len(kinds)].Example(i))
		require.NoError(t, err)
		damage(r, p.Data)
		written := schemas.All()[p.Data[4]-1]
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = c.Decode(t.Context(), written.Type, p.Data)
		runtime.ReadMemStats(&after)
		require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10+200*len(p.Data)), "% x", p.Data)
	}
}

// damage overwrites a few bytes behind the header, most of them by such as make lengths large.
func damage(r *rand.Rand, data []byte) {
	for range 1 + r.IntN(6) {
		if len(data) > header {
			data[header+r.IntN(len(data)-header)] = []byte{0xff, 0xfe, 0x80, 0x7f, byte(r.Uint32())}[r.IntN(5)]
		}
	}
}
