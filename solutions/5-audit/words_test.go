package audit_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

func at(partition int32, offset int64) contract.Position {
	return contract.Position{Partition: partition, Offset: offset}
}

func TestFaultsSayWhatWasDone(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(12) // behind every third event is a hole: 0/3, 0/7, 0/11, 0/15
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)

	for _, tc := range []struct {
		name   string
		tamper func(*audittest.Log)
		want   string
	}{
		{"payload", func(l *audittest.Log) { l.FlipBit(at(0, 2)) },
			"position 0/2 (leaf 2): changed event: the payload is not the one that was sealed"},
		{"reason", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) { r.Reason = "never mind" })
		}, `position 0/2 (leaf 2): changed event: reason was "reason 3" and is "never mind"`},
		{"two attributes", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) { r.Actor, r.RecordedAt = "desk-8", audittest.Noon })
		}, `position 0/2 (leaf 2): changed event: actor was "desk-7" and is "desk-8"; recorded_at was "2025-03-30T12:00:00.000003Z" and is "2025-03-30T12:00:00Z"`},
		{"deleted", func(l *audittest.Log) { l.Delete(at(0, 2)) },
			"position 0/2 (leaf 2): missing event: it was sealed here, and the log no longer has it"},
		{"deleted and closed up", func(l *audittest.Log) { l.CloseUp(at(0, 2)) },
			"position 0/2 (leaf 2): missing event: it was sealed here, and in its place stands the one sealed at 0/4"},
		{"inserted", func(l *audittest.Log) { l.Insert(at(0, 3)) },
			"position 0/3: extra event: the log has one here that was never sealed, eade7cd8-dfab-55fc-b5bc-b7b0f3950c40"},
		{"swapped", func(l *audittest.Log) { l.Swap(at(0, 1), at(0, 9)) },
			"position 0/1 (leaf 1): swapped events: this one and that of 0/9 changed places"},
		{"swapped thrice", func(l *audittest.Log) { l.Swap(at(0, 1), at(0, 9)); l.Swap(at(0, 1), at(0, 4)) },
			"position 0/1 (leaf 1): reordered events: here stands the event sealed at 0/4, and the one sealed here stands at 0/9"},
		{"replaced", func(l *audittest.Log) { l.Delete(at(0, 1)); l.Insert(at(0, 1)) },
			"position 0/1 (leaf 1): replaced event: one that was never sealed stands here, eade7cd8-dfab-55fc-b5bc-b7b0f3950c40, and the one sealed here is gone"},
		{"payloads", func(l *audittest.Log) { l.ExchangePayloads(at(0, 1), at(0, 9)) },
			"position 0/1 (leaf 1): payload exchanged: it is that of the event sealed at 0/9"},
		{"cut", func(l *audittest.Log) { l.Cut(at(0, 8)) },
			"position 0/8 (leaf 8): tail cut: partition 0 of the log ends at 8, before this sealed event"},
		{"markers cut", func(l *audittest.Log) { l.Cut(at(0, 15)) },
			"tail cut: the log ends at [15], and is sealed up to [16]"},
		{"moved", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) { r.Position = at(0, 3) })
		}, "position 0/2 (leaf 2): moved event: the archive has it here, and the log at 0/3"},
		{"version skipped after the seal", func(l *audittest.Log) { l.SkipVersion() },
			"position 0/16 (unanchored): versions are not dense: stream trade/UTI-0 goes from 3 to 5"},
		{"nothing", func(*audittest.Log) {}, "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			bad := log.Clone()
			tc.tamper(bad)
			v, err := open(t, bad, archive).Verify(t.Context())
			require.NoError(t, err)
			got := "<nil>"
			if v.Fault != nil {
				got = v.Fault.Error()
			}
			require.Equal(t, tc.want, got)
		})
	}
}

func TestVersionsOfTheSealedLogMustBeDense(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	log.SkipVersion()
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	v, err := open(t, log, archive).Verify(t.Context())
	require.NoError(t, err)
	require.EqualError(t, v.Fault, "position 0/6 (leaf 6): versions are not dense: stream trade/UTI-0 goes from 1 to 3")
}
