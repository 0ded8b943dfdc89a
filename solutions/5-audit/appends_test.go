package audit_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

func groupNo(n int) uuid.UUID { return uuid.NewSHA1(uuid.NameSpaceOID, fmt.Append(nil, n)) }

// appended returns a log in which append n has sizes[n] events at one time, in two streams. Every
// third append is one of single events.
func appended(sizes []int, perStream bool) *stated {
	log := &stated{Log: audittest.NewLog(1), timeline: contract.Timeline{PerStream: perStream}}
	at := audittest.Noon
	for n, size := range sizes {
		for i := range size {
			if i == 0 || n%3 == 2 {
				at = at.Add(time.Microsecond)
			}
			position := log.AddAt(fmt.Sprint("account/main/", i%2), at)
			log.Change(position, func(r *contract.Recorded) {
				r.AppendGroup = groupNo(n)
				if n%3 == 2 {
					r.AppendGroup = uuid.Nil
				}
			})
		}
	}
	return log
}

// L2.I17: no batch ends within an append, however few events a batch is to have.
func TestBatchesHoldWholeAppends(t *testing.T) {
	t.Parallel()
	log := appended([]int{1, 4, 2, 9, 3, 5, 30, 2, 1, 7}, false)
	groups := map[contract.Position]uuid.UUID{}
	for _, r := range log.Events() {
		groups[r.Position] = r.AppendGroup
	}
	for _, most := range []int64{1, 2, 3, 7, 20, 64, audit.DefaultBatch} {
		signer, verifier := keys(t)
		a, err := audit.Open(audit.Options{
			Log: log, Archive: new(audit.Memory), Origin: origin, Signer: signer,
			Verifier: verifier, Clock: tomorrow, Batch: most,
		})
		require.NoError(t, err)
		sealed, err := a.Seal(t.Context())
		require.NoError(t, err)
		require.Empty(t, sealed.Offenders, "the events of an append have one time")
		v, err := a.Verify(t.Context())
		require.NoError(t, err)
		require.Nil(t, v.Fault)
		require.Empty(t, v.Offenders)
		require.EqualValues(t, len(groups), v.Sealed)

		var before uuid.UUID // the group of the last event of the batch before
		var last uuid.UUID
		require.NoError(t, a.Leaves(t.Context(), sealed.Size,
			func(_ int64, at *contract.Position, _ []byte) error {
				if at == nil { // the header that closes a batch
					before = last
					return nil
				}
				if last = groups[*at]; last != uuid.Nil {
					require.NotEqual(t, before, last, "a batch of %d cuts an append", most)
				}
				before = uuid.Nil
				return nil
			}))
	}
}

// L5.I6: equal times are those of one append, and its events are next to each other.
func TestEqualTimesNeedOneAppend(t *testing.T) {
	t.Parallel()
	for _, perStream := range []bool{false, true} {
		for _, tc := range []struct {
			change    func(*contract.Recorded)
			offenders int
		}{
			{func(*contract.Recorded) {}, 0},
			{func(r *contract.Recorded) { r.AppendGroup = uuid.NameSpaceURL }, 1},
			{func(r *contract.Recorded) { r.AppendGroup = uuid.Nil }, 1},
			{func(r *contract.Recorded) { r.RecordedAt = r.RecordedAt.Add(-time.Microsecond) }, 1},
		} {
			log := appended([]int{2, 6}, perStream)
			events := log.Events()
			log.Change(events[len(events)-1].Position, tc.change)
			auditor := openAt(t, log, tomorrow())
			sealed, err := auditor.Seal(t.Context())
			require.NoError(t, err)
			require.Len(t, sealed.Offenders, tc.offenders)
			v, err := auditor.Verify(t.Context())
			require.NoError(t, err)
			require.Len(t, v.Offenders, tc.offenders)
		}
	}
}
