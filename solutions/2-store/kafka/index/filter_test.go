package index

import (
	"encoding/binary"
	"testing"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

// A filter knows every id that was added. It is wrong about none of a million new ids, random or
// consecutive: a wrong answer has an index rebuilt.
func TestFilterIsRight(t *testing.T) {
	t.Parallel()
	ids := map[string]func(n int) uuid.UUID{
		"random": func(n int) uuid.UUID {
			var id uuid.UUID
			binary.BigEndian.PutUint64(id[:], mix(uint64(2*n)))
			binary.BigEndian.PutUint64(id[8:], mix(uint64(2*n+1)))
			return id
		},
		"consecutive": func(n int) uuid.UUID {
			var id uuid.UUID
			binary.BigEndian.PutUint64(id[8:], uint64(n))
			return id
		},
	}
	const added, asked = 20_000, 1_000_000
	for kind, id := range ids {
		t.Run(kind, func(t *testing.T) {
			t.Parallel()
			var f filter
			for n := range added {
				f.add(id(n))
			}
			known, wrong := 0, 0
			for n := range added + asked {
				switch has := f.has(id(n)); {
				case n < added && has:
					known++
				case n >= added && has:
					wrong++
				}
			}
			require.Equal(t, added, known)
			require.Zero(t, wrong, "new ids that the filter takes for known ones")
		})
	}
}

// A rebuilt index has another filter, so an id about which one filter is wrong stops nothing.
func TestFiltersHaveDifferentSeeds(t *testing.T) {
	t.Parallel()
	var one, other filter
	one.add(uuid.Max)
	other.add(uuid.Max)
	require.NotEqual(t, one[0].seed, other[0].seed)
	require.NotEqual(t, one[0].bits, other[0].bits)
}
