package audit_test

import (
	"context"
	"iter"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

// torn is a log that cannot be read at one position: its reader says so there, and ends.
type torn struct {
	contract.Reader
	at contract.Position
}

func (l torn) Read(ctx context.Context, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Reader.Read(ctx, from, to) {
			if r.Position == l.at {
				yield(contract.Recorded{}, &contract.DamagedError{Position: l.at, What: "it is no event"})
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

func TestADamagedPlaceIsAFaultUnlessAnotherComesBefore(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(2), new(audit.Memory)
	oneBatch := func(log contract.Reader) *audit.Auditor {
		signer, verifier := keys(t)
		return &audit.Auditor{Options: audit.Options{Log: log, Archive: archive, Origin: origin, Signer: signer, Verifier: verifier, Batch: 100}}
	}
	log.Add(20) // within the batch, the reader gives the second partition first
	_, err := oneBatch(log).Seal(t.Context())
	require.NoError(t, err)
	log.Add(5)

	for _, tc := range []struct {
		name   string
		tamper func(*audittest.Log)
		torn   contract.Position
		want   string
	}{
		{"alone", func(*audittest.Log) {}, at(1, 5), "position 1/5 (leaf 16): damaged log: it is no event"},
		{"a change before it", func(l *audittest.Log) { l.FlipBit(at(0, 3)) }, at(1, 5),
			"position 0/3 (leaf 2): changed event: the payload is not the one that was sealed"},
		{"a deletion before it", func(l *audittest.Log) { l.Delete(at(1, 3)) }, at(1, 5),
			"position 1/3 (leaf 15): missing event: it was sealed here, and the log no longer has it"},
		{"a change behind it", func(l *audittest.Log) { l.FlipBit(at(1, 7)) }, at(1, 5),
			"position 1/5 (leaf 16): damaged log: it is no event"},
		{"past the checkpoint", func(*audittest.Log) {}, at(0, 18), "position 0/18 (unanchored): damaged log: it is no event"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tampered := log.Clone()
			tc.tamper(tampered)
			v, err := oneBatch(torn{tampered, tc.torn}).Verify(t.Context())
			require.NoError(t, err)
			require.NotNil(t, v.Fault)
			require.Equal(t, tc.want, v.Fault.Error())
		})
	}
}
