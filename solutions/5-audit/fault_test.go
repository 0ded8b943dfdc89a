package audit_test

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

func at(partition int32, offset int64) contract.Position {
	return contract.Position{Partition: partition, Offset: offset}
}

// inserted is the id of an event that audittest.Log.Insert adds after 12 events.
const inserted = "eade7cd8-dfab-55fc-b5bc-b7b0f3950c40"

func TestFaultsNameTheKindOfTampering(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(12) // after every third event is a hole: 0/3, 0/7, 0/11, 0/15
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)

	for _, tc := range []struct {
		name   string
		tamper func(*audittest.Log)
		want   string
	}{
		{"payload", func(l *audittest.Log) { l.FlipBit(at(0, 2)) },
			"position 0/2 (leaf 2): changed event: the payload is not the sealed payload"},
		{"reason", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) { r.Reason = "never mind" })
		}, "position 0/2 (leaf 2): changed event: " +
			`reason was sealed as "reason 3" and is "never mind"`},
		{"two attributes", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) {
				r.Actor, r.RecordedAt = "desk-8", audittest.Noon
			})
		}, `position 0/2 (leaf 2): changed event: actor was sealed as "desk-7" and is "desk-8"; ` +
			`recorded_at was sealed as "2025-03-30T12:00:00.000003Z" ` +
			`and is "2025-03-30T12:00:00Z"`},
		{"simulated after all", func(l *audittest.Log) { l.Simulate() },
			"changed timeline: the log was sealed as kept in real time, " +
				"and says now that it is simulated"},
		{"deleted", func(l *audittest.Log) { l.Delete(at(0, 2)) },
			"position 0/2 (leaf 2): missing event: " +
				"the event that was sealed here is not in the log any more"},
		{"deleted and closed up", func(l *audittest.Log) { l.CloseUp(at(0, 2)) },
			"position 0/2 (leaf 2): missing event: " +
				"the event that was sealed here is not in the log any more; " +
				"the event sealed at 0/4 is in its place"},
		{"inserted", func(l *audittest.Log) { l.Insert(at(0, 3)) },
			"position 0/3: extra event: " +
				"the log has event " + inserted + " here, which was never sealed"},
		{"swapped", func(l *audittest.Log) { l.Swap(at(0, 1), at(0, 9)) },
			"position 0/1 (leaf 1): swapped events: " +
				"the events sealed here and at 0/9 changed places"},
		{"swapped twice", func(l *audittest.Log) {
			l.Swap(at(0, 1), at(0, 9))
			l.Swap(at(0, 1), at(0, 4))
		}, "position 0/1 (leaf 1): reordered events: " +
			"the log has the event sealed at 0/4 here, and the event sealed here at 0/9"},
		{"replaced", func(l *audittest.Log) { l.Delete(at(0, 1)); l.Insert(at(0, 1)) },
			"position 0/1 (leaf 1): replaced event: the log has event " + inserted + " here, " +
				"which was never sealed; the event sealed here is not in the log any more"},
		{"payloads", func(l *audittest.Log) { l.ExchangePayloads(at(0, 1), at(0, 9)) },
			"position 0/1 (leaf 1): exchanged payload: " +
				"the event has the payload of the event sealed at 0/9"},
		{"cut", func(l *audittest.Log) { l.Cut(at(0, 8)) }, "position 0/8 (leaf 8): tail cut: " +
			"partition 0 of the log ends at offset 8, before this sealed event"},
		{"markers cut", func(l *audittest.Log) { l.Cut(at(0, 15)) },
			"tail cut: the log ends at [15], and is sealed up to [16]"},
		{"moved", func(l *audittest.Log) {
			l.Change(at(0, 2), func(r *contract.Recorded) { r.Position = at(0, 3) })
		}, "position 0/2 (leaf 2): moved event: " +
			"the event was sealed here, and the log has it at 0/3"},
		{"version skipped after the seal", func(l *audittest.Log) { l.SkipVersion() },
			"position 0/16 (unanchored): wrong version: " +
				"stream trade/UTI-0 has version 5 after version 3"},
		{"nothing", func(*audittest.Log) {}, "<nil>"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tampered := log.Clone()
			tc.tamper(tampered)
			require.Equal(t, tc.want, faultText(t, open(t, tampered, archive)))
		})
	}
}

func faultText(t *testing.T, a *audit.Auditor) string {
	v, err := a.Verify(t.Context())
	require.NoError(t, err)
	if v.Fault == nil {
		return "<nil>"
	}
	return v.Fault.Error()
}

func TestASealedVersionGapIsAFault(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(1), new(audit.Memory)
	log.Add(5)
	log.SkipVersion()
	_, err := open(t, log, archive).Seal(t.Context())
	require.NoError(t, err)
	require.Equal(t, "position 0/6 (leaf 6): wrong version: "+
		"stream trade/UTI-0 has version 3 after version 1",
		faultText(t, open(t, log, archive)))
}

// tornLog is a log that cannot be read at one position: the reader reports the damage there and
// ends.
type tornLog struct {
	contract.SealableLog
	at contract.Position
}

func (l tornLog) Read(ctx context.Context, from, to contract.Cursor) events {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.SealableLog.Read(ctx, from, to) {
			if r.Position == l.at {
				damaged := &contract.DamagedError{Position: l.at, What: "it is no event"}
				yield(contract.Recorded{}, damaged)
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A damaged place is the fault, unless log and archive differ at an earlier leaf.
func TestADamagedPlaceIsAFault(t *testing.T) {
	t.Parallel()
	log, archive := audittest.NewLog(2), new(audit.Memory)
	oneBatch := func(log contract.SealableLog) *audit.Auditor {
		a := open(t, log, archive)
		a.Batch = 100
		return a
	}
	log.Add(20) // the reader returns the second partition of the batch first
	_, err := oneBatch(log).Seal(t.Context())
	require.NoError(t, err)
	log.Add(5)

	for _, tc := range []struct {
		name   string
		tamper func(*audittest.Log)
		torn   contract.Position
		want   string
	}{
		{"no other fault", func(*audittest.Log) {}, at(1, 5),
			"position 1/5 (leaf 16): damaged log: it is no event"},
		{"a change before it", func(l *audittest.Log) { l.FlipBit(at(0, 3)) }, at(1, 5),
			"position 0/3 (leaf 2): changed event: the payload is not the sealed payload"},
		{"a deletion before it", func(l *audittest.Log) { l.Delete(at(1, 3)) }, at(1, 5),
			"position 1/3 (leaf 15): missing event: " +
				"the event that was sealed here is not in the log any more"},
		{"a change after it", func(l *audittest.Log) { l.FlipBit(at(1, 7)) }, at(1, 5),
			"position 1/5 (leaf 16): damaged log: it is no event"},
		{"past the checkpoint", func(*audittest.Log) {}, at(0, 18),
			"position 0/18 (unanchored): damaged log: it is no event"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tampered := log.Clone()
			tc.tamper(tampered)
			require.Equal(t, tc.want, faultText(t, oneBatch(tornLog{tampered, tc.torn})))
		})
	}
}
