package contract_test

import (
	"context"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// failing is a codec that decodes nothing.
type failing struct {
	contract.Codec
	err error
}

func (f failing) Decode(context.Context, string, []byte) (trade.Body, error) { return nil, f.err }

// A registry that has lost the schema of an event, as after a restore, parks no stream: the reader
// stops until the schema is back. An event that only a later program can read is unreadable, and so
// is malformed data, whatever the registry has.
func TestLostSchemaParksNothing(t *testing.T) {
	t.Parallel()
	known, _ := schemas.Find("trade.settled", 1)
	for _, tc := range []struct {
		name    string
		version int
		print   [32]byte
		err     error
		stops   bool
	}{
		{"a schema of the catalog", 1, known.Fingerprint, contract.ErrUnknownSchema, true},
		{"a later version", 99, known.Fingerprint, contract.ErrUnknownSchema, false},
		{"another fingerprint", 1, [32]byte{1}, contract.ErrUnknownSchema, false},
		{"malformed data", 1, known.Fingerprint, contract.ErrMalformed, false},
		{"no answer", 99, known.Fingerprint, context.DeadlineExceeded, true},
	} {
		err := fmt.Errorf("schema 7: %w", tc.err)
		r := contract.Recorded{Version: 3, Event: contract.Event{
			Stream: "trade/A", Type: known.Type, Schema: tc.version, Fingerprint: tc.print,
		}}
		e, got := contract.Decoded(t.Context(), failing{err: err}, r)
		if tc.stops {
			require.ErrorIs(t, got, tc.err, tc.name)
			require.ErrorContains(t, got, "stream trade/A, version 3", tc.name)
			continue
		}
		require.NoError(t, got, tc.name)
		require.Equal(t, trade.Unreadable{Cause: err.Error()}, e.Body, tc.name)
	}
}
