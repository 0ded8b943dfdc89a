package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

func kept(b *book) (bad []Violation) {
	for _, x := range b.batches {
		for _, t := range x.tries {
			if t.Outcome != OK {
				continue
			}
			if what := b.differs(x, t); what != "" {
				bad = append(bad, Violation{Kept, x.stream, what, []int{t.Return.Op}})
			}
		}
	}
	return bad
}

// differs is how the log differs from the receipts of an attempt; empty if it does not.
func (b *book) differs(x *batch, t *try) string {
	if len(t.Receipts) != len(x.ids) {
		return fmt.Sprintf("%d receipts for %d events", len(t.Receipts), len(x.ids))
	}
	for i, id := range x.ids {
		is, ok := b.where[id]
		switch r := t.Receipts[i]; {
		case !ok:
			return fmt.Sprintf("event %s was acknowledged as version %d of %s, and is not in the log", id, r.Version, x.stream)
		case is.Version != r.Version || is.Stream != x.stream || !is.RecordedAt.Equal(r.RecordedAt):
			return fmt.Sprintf("event %s was acknowledged as version %d of %s at %v, and the log has it as version %d of %s at %v",
				id, r.Version, x.stream, stamp(r.RecordedAt), is.Version, is.Stream, stamp(is.RecordedAt))
		}
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

func whole(b *book) (bad []Violation) {
	for _, x := range b.batches {
		var in []uuid.UUID
		apart := false
		for i, id := range x.ids {
			if is, ok := b.where[id]; ok {
				in = append(in, id)
				apart = apart || is.Version != x.at+int64(i)
			}
		}
		switch {
		case len(in) > 0 && len(in) < len(x.ids):
			bad = append(bad, Violation{Whole, x.stream, fmt.Sprintf("%d of the %d events of a batch are in the log, %s is one", len(in), len(x.ids), in[0]), x.ops()})
		case apart:
			bad = append(bad, Violation{Whole, x.stream, fmt.Sprintf("the events of the batch that begins with %s are not next to each other", x.ids[0]), x.ops()})
		}
	}
	return bad
}

func (x *batch) ops() []int {
	var ops []int
	for _, t := range x.tries {
		ops = append(ops, t.Invoke.Op)
	}
	return ops
}

// log holds the log to Once, Dense, Forward and Sent.
func log(b *book) (bad []Violation) {
	found := func(rule Rule, s Seen, format string, args ...any) {
		v := Violation{Rule: rule, Stream: s.Stream, What: fmt.Sprintf(format, args...)}
		if x := b.of[s.ID]; x != nil {
			v.Ops = x.ops()
		}
		bad = append(bad, v)
	}
	versions, times, ids := map[string]int64{}, map[string]time.Time{}, map[uuid.UUID]bool{}
	for _, s := range b.logged {
		if ids[s.ID] {
			found(Once, s, "event %s is there again, at version %d of %s", s.ID, s.Version, s.Stream)
		}
		ids[s.ID] = true
		if versions[s.Stream]++; s.Version != versions[s.Stream] {
			found(Dense, s, "%s has version %d where %d was due", s.Stream, s.Version, versions[s.Stream])
			versions[s.Stream] = s.Version
		}
		scope := b.scope(s)
		if last := times[scope]; !s.RecordedAt.After(last) {
			found(Forward, s, "version %d of %s is recorded at %s, and what came before it in %s at %s", s.Version, s.Stream, stamp(s.RecordedAt), scope, stamp(last))
		}
		times[scope] = s.RecordedAt
		switch x := b.of[s.ID]; {
		case x == nil:
			found(Sent, s, "nobody sent event %s, version %d of %s", s.ID, s.Version, s.Stream)
		case s.Altered || s.Stream != x.stream:
			found(Sent, s, "event %s, version %d of %s, is not what was sent", s.ID, s.Version, s.Stream)
		}
	}
	return bad
}

// scope is within what recorded_at grows.
func (b *book) scope(s Seen) string {
	if b.run.Owned {
		return fmt.Sprintf("partition %d", s.Position.Partition)
	}
	return s.Stream
}

func prefix(b *book) (bad []Violation) {
	for _, t := range b.tries {
		if t.to == never || t.Outcome != OK || t.Kind == Append {
			continue
		}
		if what := b.misread(t); what != "" {
			bad = append(bad, Violation{Prefix, t.Stream, what, []int{t.Return.Op}})
		}
	}
	return bad
}

// misread is how the log differs from what a read or a look-up gave; empty if it does not.
func (b *book) misread(t *try) string {
	if t.Kind == Find && (len(t.Events) != 1 || t.Events[0].ID != t.IDs[0]) {
		return fmt.Sprintf("%s was asked for event %s, and gave %v", t.Writer, t.IDs[0], idsOf(t.Events))
	}
	for i, s := range t.Events {
		version := int64(i) + 1
		if t.Kind == Find {
			version = s.Version // wherever it is
		}
		elsewhere := s.Stream != t.Stream && t.Kind == Find // a read leaves it out
		if is, ok := b.at(t.Stream, version); !ok || s.Altered || s.Version != version || is.ID != s.ID || elsewhere || !is.RecordedAt.Equal(s.RecordedAt) {
			return fmt.Sprintf("%s gave event %s as version %d of %s, recorded at %s, and the log does not have it so", t.Writer, s.ID, s.Version, t.Stream, stamp(s.RecordedAt))
		}
	}
	return ""
}

// at is the event that the log has at a version of a stream.
func (b *book) at(stream string, version int64) (Seen, bool) {
	ids := b.stream[stream]
	if version < 1 || version > int64(len(ids)) {
		return Seen{}, false
	}
	return b.where[ids[version-1]], true
}

func fed(b *book) (bad []Violation) {
	found := func(s Seen, format string, args ...any) {
		bad = append(bad, Violation{Rule: Fed, Stream: s.Stream, What: fmt.Sprintf(format, args...)})
	}
	ids, versions := map[uuid.UUID]bool{}, map[string]int64{}
	for _, s := range b.fed {
		is, ok := b.where[s.ID]
		switch {
		case !ok:
			found(s, "the feed gave event %s, which is not in the log", s.ID)
		case ids[s.ID]:
			found(s, "the feed gave event %s twice", s.ID)
		case is.Version != s.Version || is.Stream != s.Stream || is.Position != s.Position || !is.RecordedAt.Equal(s.RecordedAt) || s.Altered:
			found(s, "the feed gave event %s as version %d of %s, and the log has it otherwise", s.ID, s.Version, s.Stream)
		case s.Version != versions[s.Stream]+1:
			found(s, "the feed gave version %d of %s after version %d", s.Version, s.Stream, versions[s.Stream])
		}
		ids[s.ID], versions[s.Stream] = true, s.Version
	}
	missing := slices.DeleteFunc(slices.Clone(b.logged), func(s Seen) bool { return ids[s.ID] })
	if len(missing) > 0 {
		s := missing[0]
		found(s, "the feed never gave %d events, event %s, version %d of %s, the first", len(missing), s.ID, s.Version, s.Stream)
	}
	return bad
}

func shut(b *book) (bad []Violation) {
	for _, x := range b.batches {
		if x.at > 0 && !slices.ContainsFunc(x.tries, (*try).yes) {
			bad = append(bad, Violation{Shut, x.stream, fmt.Sprintf("event %s was answered %q and is in the log, as version %d of %s", x.ids[0], x.tries[len(x.tries)-1].Outcome, x.at, x.stream), x.ops()})
		}
	}
	return bad
}

func answered(b *book) (bad []Violation) {
	for _, t := range b.tries {
		switch t.Outcome {
		case Refused:
			bad = append(bad, Violation{Answered, t.Stream, fmt.Sprintf("%s refused what nothing was wrong with (%s): %s", t.Writer, t.Kind, t.Error), []int{t.Return.Op}})
		case Damaged:
			bad = append(bad, Violation{Answered, t.Stream, fmt.Sprintf("%s met damage (%s): %s", t.Writer, t.Kind, t.Error), []int{t.Return.Op}})
		}
		if t.Kind == Append && t.to == never && b.waited(t) && !b.excused(t) {
			bad = append(bad, Violation{Answered, t.Stream, fmt.Sprintf("%s was woken and never answered an append that waited for it", t.Writer), []int{t.Invoke.Op}})
		}
	}
	return bad
}
