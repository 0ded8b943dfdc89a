package codec_test

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
)

// L1.I5: whatever comes in, Decode gives one of the contract's errors, or a body that Encode gives the same bytes for.
func FuzzDecode(f *testing.F) {
	c := codec.Offline()
	for seed, kind := range kinds {
		for n := range 3 {
			p, err := c.Encode(f.Context(), kind.Example(seed+8*n))
			require.NoError(f, err)
			f.Add(p.Data)
		}
	}
	f.Add([]byte(nil))
	f.Add([]byte("\x00\x00\x00\x00\x02\x02a\x00\x80\x80\x80\x80\x10"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, s := range schemas.All() {
			body, err := c.Decode(t.Context(), s.Type, data)
			if err != nil {
				require.True(t, known(err), "%v", err)
				continue
			}
			if latest, _ := schemas.Latest(s.Type); writtenUnder(data).Version < latest.Version {
				continue // what was said then is read, but need not fit today's schema
			}
			p, err := c.Encode(t.Context(), body)
			require.NoError(t, err)
			require.Equal(t, data, p.Data)
		}
	})
}

// writtenUnder is the schema that the header of data names: an offline codec numbers the catalog in its order.
func writtenUnder(data []byte) schemas.Schema {
	return schemas.All()[binary.BigEndian.Uint32(data[1:])-1]
}

func known(err error) bool {
	for _, e := range []error{
		contract.ErrMagic, contract.ErrTruncated, contract.ErrTrailing, contract.ErrOversize, contract.ErrMalformed,
		contract.ErrUnknownSchema, contract.ErrWrongType,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
