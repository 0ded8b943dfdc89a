package codec_test

import (
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	codec "example.com/blotter/solutions/1-schemas"
)

// TestAnEnvelopeKeepsEveryAttribute sends events there and back: one with all of them, and those that a payload elsewhere leaves out.
func TestAnEnvelopeKeepsEveryAttribute(t *testing.T) {
	t.Parallel()
	all := contract.Event{
		ID: uuid.New(), Stream: "trade/UTI-1", Type: "trade.cancelled", Schema: 1, Fingerprint: [32]byte{1, 31: 2},
		EffectiveAt: time.Date(2025, 3, 1, 0, 0, 0, 1000, time.UTC), Corrects: uuid.New(), Actor: "trader/1", Approver: "control/1",
		Reason: "busted", Correlation: uuid.New(), Causation: uuid.New(), Traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
		Source: "import", Ends: true, Data: []byte{0, 0, 0, 0, 7, 1, 2, 3},
	}
	offloaded := all
	offloaded.BodyDigest, offloaded.Data, offloaded.Ends = [32]byte{3, 31: 4}, all.Data[:5], false
	for name, sent := range map[string]contract.Event{"all": all, "offloaded": offloaded} {
		got, err := codec.EventOf(codec.RecordOf(sent))
		require.NoError(t, err, name)
		require.Equal(t, sent, got, name)
	}
}
