package chaos

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"maps"
	"slices"
)

// A digest folds events, partition by partition: the order between partitions does not matter.
type digest map[int32]hash.Hash

func (d digest) add(s Seen) {
	p := s.Position.Partition
	if d[p] == nil {
		d[p] = sha256.New()
	}
	fmt.Fprintf(d[p], "%d %s %d %s %d %t\n", s.Position.Offset, s.Stream, s.Version, s.ID,
		s.RecordedAt.UnixNano(), s.Altered)
}

func (d digest) String() string {
	all := sha256.New()
	for _, p := range slices.Sorted(maps.Keys(d)) {
		fmt.Fprintf(all, "%d %x\n", p, d[p].Sum(nil))
	}
	return hex.EncodeToString(all.Sum(nil))
}

func digestOf(events []Seen) string {
	d := digest{}
	for _, s := range events {
		d.add(s)
	}
	return d.String()
}

// checkAgreed checks Agreed.
func checkAgreed(e *evidence) (bad []Violation) {
	want := digestOf(e.log)
	for i, got := range e.folded {
		if got != want {
			what := fmt.Sprintf("reader %d folds the log to %s, and not to %s", i+1, got, want)
			bad = append(bad, Violation{Rule: Agreed, What: what})
		}
	}
	for _, s := range e.states {
		switch first := e.states[0]; {
		case !s.Equal:
			bad = append(bad, Violation{Rule: Agreed,
				What: "the read model of " + s.Writer + " is not equal to a replay"})
		case s.Digest != first.Digest || s.Events != first.Events:
			bad = append(bad, Violation{Rule: Agreed, What: fmt.Sprintf(
				"%s replays %d events to the state %s, and %s %d events to %s",
				s.Writer, s.Events, s.Digest, first.Writer, first.Events, first.Digest)})
		}
	}
	return bad
}
