package proof_test

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// What the broker itself would do with such files is to cut the log where the checksum is wrong, and to go on.
func TestTheStackRefusesFilesThatTheBrokerDidNotWrite(t *testing.T) {
	t.Parallel()
	s := setScene(t, "kafka")
	w := s.where()
	// wrong leaves the checksum of the event's batch as it was.
	wrong := func(in *burglar) { in.place(in.t, w.a).batch.broken = true }
	for _, tc := range []struct {
		tampering string
		do        func(*burglar)
		says      string
	}{
		{"a bit of a payload flipped", func(in *burglar) { wrong(in); in.flip(w.a) }, "at offset {a}: the checksum of a batch does not match"},
		{"an attribute rewritten", func(in *burglar) { wrong(in); in.rewrite(w.a) }, "at offset {a}: the checksum of a batch does not match"},
		{"an event deleted, its place left", func(in *burglar) { wrong(in); in.remove(w.a) }, "at offset {a}: the checksum of a batch does not match"},
		{"two events swapped", func(in *burglar) { wrong(in); in.swap(w.a, w.b) }, "at offset {a}: the checksum of a batch does not match"},
		{"a payload exchanged", func(in *burglar) { wrong(in); in.exchange(w.a, w.b) }, "at offset {a}: the checksum of a batch does not match"},
		{"an event deleted, and its place", func(in *burglar) { in.splice(w.a.Offset, 2, false) }, "at offset {a}: a batch says it begins at offset {next}"},
		{"the tail cut, and the broker's note of it left", func(in *burglar) { in.truncate(w.last.Offset) },
			"at offset {end}: it reached to offset "},
	} {
		t.Run(tc.tampering, func(t *testing.T) {
			for _, command := range [][]string{{"verify"}, {"import", "--simulate", "../books/first.jsonl"}} {
				r := s.after(t, func(in intruder) { tc.do(in.(*burglar)) }, command...)
				require.Contains(t, r.complaint(), "kafka: log of blotter.events, partition 1, is damaged "+w.offsets(tc.says))
				require.Contains(t, r.stderr, "\nhint: nothing was altered; restore the data directory from a copy\n")
				require.Equal(t, 1, r.code)
			}
		})
	}
}

func TestVerifyNamesARecordThatIsNoEventAnyMore(t *testing.T) {
	t.Parallel()
	s := setScene(t, "kafka")
	w := s.where()
	r := s.after(t, func(in intruder) {
		r := in.(*burglar).place(t, w.a).record
		i := slices.IndexFunc(r.Headers, func(h kmsg.Header) bool { return h.Key == "ce_version" })
		r.Headers[i].Value = []byte("first")
	}, "verify")
	require.Contains(t, leaf.ReplaceAllString(r.complaint(), "(leaf N)"),
		w.named(`the log does not verify: position {a} (leaf N): damaged log: this record is no event: header ce_version "first"`))
	require.Equal(t, 1, r.code)
}
