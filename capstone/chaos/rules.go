package chaos

import (
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// checkKept checks Kept.
func checkKept(e *evidence) (bad []Violation) {
	for _, x := range e.batches {
		for _, a := range x.attempts {
			if a.Outcome != OK {
				continue
			}
			if what := e.receiptFault(x, a); what != "" {
				bad = append(bad, Violation{Kept, x.stream, what, []int{a.Return.Op}})
			}
		}
	}
	return bad
}

// receiptFault describes the difference between the log and the receipts of an attempt, if any.
func (e *evidence) receiptFault(x *batch, a *attempt) string {
	if len(a.Receipts) != len(x.ids) {
		return fmt.Sprintf("%d receipts for %d events", len(a.Receipts), len(x.ids))
	}
	for i, id := range x.ids {
		is, ok := e.logged[id]
		r := a.Receipts[i]
		said := fmt.Sprintf("event %s was acknowledged as version %d of %s",
			id, r.Version, x.stream)
		switch {
		case !ok:
			return said + ", and is not in the log"
		case is.Version != r.Version || is.Stream != x.stream || !is.RecordedAt.Equal(r.RecordedAt):
			return fmt.Sprintf("%s at %v, and the log has it as version %d of %s at %v",
				said, stamp(r.RecordedAt), is.Version, is.Stream, stamp(is.RecordedAt))
		}
	}
	return ""
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339Nano) }

// checkWhole checks Whole.
func checkWhole(e *evidence) (bad []Violation) {
	for _, x := range e.batches {
		var in []uuid.UUID
		adjacent := true
		for i, id := range x.ids {
			if is, ok := e.logged[id]; ok {
				in = append(in, id)
				adjacent = adjacent && is.Version == x.version+int64(i)
			}
		}
		what := ""
		switch {
		case len(in) > 0 && len(in) < len(x.ids):
			what = fmt.Sprintf("only %d of the %d events of a batch are in the log, %s is one",
				len(in), len(x.ids), in[0])
		case !adjacent:
			what = fmt.Sprintf("the events of the batch that begins with %s are not adjacent",
				x.ids[0])
		default:
			continue
		}
		bad = append(bad, Violation{Whole, x.stream, what, x.ops()})
	}
	return bad
}

func (x *batch) ops() []int {
	var ops []int
	for _, a := range x.attempts {
		ops = append(ops, a.Invoke.Op)
	}
	return ops
}

// checkLog checks Once, Dense, Forward and Sent.
func checkLog(e *evidence) (bad []Violation) {
	found := func(rule Rule, s Seen, format string, args ...any) {
		v := Violation{Rule: rule, Stream: s.Stream, What: fmt.Sprintf(format, args...)}
		if x := e.batchOf[s.ID]; x != nil {
			v.Ops = x.ops()
		}
		bad = append(bad, v)
	}
	versions, times, ids := map[string]int64{}, map[string]time.Time{}, map[uuid.UUID]bool{}
	for _, s := range e.log {
		if ids[s.ID] {
			found(Once, s, "event %s is in the log again, as version %d of %s",
				s.ID, s.Version, s.Stream)
		}
		ids[s.ID] = true
		if versions[s.Stream]++; s.Version != versions[s.Stream] {
			found(Dense, s, "%s has version %d in place of version %d",
				s.Stream, s.Version, versions[s.Stream])
			versions[s.Stream] = s.Version
		}
		scope := e.scope(s)
		if last := times[scope]; !s.RecordedAt.After(last) {
			found(Forward, s, "version %d of %s is recorded at %s, the event before it in %s at %s",
				s.Version, s.Stream, stamp(s.RecordedAt), scope, stamp(last))
		}
		times[scope] = s.RecordedAt
		switch x := e.batchOf[s.ID]; {
		case x == nil:
			found(Sent, s, "no client sent event %s, version %d of %s", s.ID, s.Version, s.Stream)
		case s.Altered || s.Stream != x.stream:
			found(Sent, s, "event %s, version %d of %s, differs from the sent event",
				s.ID, s.Version, s.Stream)
		}
	}
	return bad
}

// scope names the part of the log within which recorded_at grows.
func (e *evidence) scope(s Seen) string {
	if e.run.Owned {
		return fmt.Sprintf("partition %d", s.Position.Partition)
	}
	return s.Stream
}

// checkPrefix checks Prefix.
func checkPrefix(e *evidence) (bad []Violation) {
	for _, a := range e.attempts {
		if a.to == never || a.Outcome != OK || a.Kind == Append {
			continue
		}
		if what := e.misread(a); what != "" {
			bad = append(bad, Violation{Prefix, a.Stream, what, []int{a.Return.Op}})
		}
	}
	return bad
}

// misread describes the difference between the log and the answer to a read or a look-up, if any.
func (e *evidence) misread(a *attempt) string {
	if a.Kind == Find && (len(a.Events) != 1 || a.Events[0].ID != a.IDs[0]) {
		return fmt.Sprintf("%s was asked for event %s, and gave %v",
			a.Writer, a.IDs[0], idsOf(a.Events))
	}
	for i, s := range a.Events {
		version := int64(i) + 1
		if a.Kind == Find {
			version = s.Version // any version of the stream
		}
		is, ok := e.at(a.Stream, version)
		same := ok && is.ID == s.ID && s.Version == version && is.RecordedAt.Equal(s.RecordedAt)
		otherStream := a.Kind == Find && s.Stream != a.Stream // a read leaves the stream out
		if !same || s.Altered || otherStream {
			return fmt.Sprintf(
				"%s gave event %s as version %d of %s, recorded at %s, and the log differs",
				a.Writer, s.ID, s.Version, a.Stream, stamp(s.RecordedAt))
		}
	}
	return ""
}

// at returns the event that the log has at a version of a stream.
func (e *evidence) at(stream string, version int64) (Seen, bool) {
	ids := e.stream[stream]
	if version < 1 || version > int64(len(ids)) {
		return Seen{}, false
	}
	return e.logged[ids[version-1]], true
}

// checkFed checks Fed.
func checkFed(e *evidence) (bad []Violation) {
	found := func(s Seen, format string, args ...any) {
		what := fmt.Sprintf(format, args...)
		bad = append(bad, Violation{Rule: Fed, Stream: s.Stream, What: what})
	}
	ids, versions := map[uuid.UUID]bool{}, map[string]int64{}
	for _, s := range e.fed {
		is, ok := e.logged[s.ID]
		switch {
		case !ok:
			found(s, "the feed gave event %s, which is not in the log", s.ID)
		case ids[s.ID]:
			found(s, "the feed gave event %s twice", s.ID)
		case s.Altered || !is.RecordedAt.Equal(s.RecordedAt) || is.Version != s.Version ||
			is.Stream != s.Stream || is.Position != s.Position:
			found(s, "the feed gave event %s as version %d of %s, and the log differs",
				s.ID, s.Version, s.Stream)
		case s.Version != versions[s.Stream]+1:
			found(s, "the feed gave version %d of %s after version %d",
				s.Version, s.Stream, versions[s.Stream])
		}
		ids[s.ID], versions[s.Stream] = true, s.Version
	}
	missing := slices.DeleteFunc(slices.Clone(e.log), func(s Seen) bool { return ids[s.ID] })
	if len(missing) > 0 {
		s := missing[0]
		found(s, "the feed never gave %d events, the first is event %s, version %d of %s",
			len(missing), s.ID, s.Version, s.Stream)
	}
	return bad
}

// checkShut checks Shut.
func checkShut(e *evidence) (bad []Violation) {
	for _, x := range e.batches {
		if x.version > 0 && !slices.ContainsFunc(x.attempts, (*attempt).mayRecord) {
			what := fmt.Sprintf("event %s was answered %q and is in the log, as version %d of %s",
				x.ids[0], x.attempts[len(x.attempts)-1].Outcome, x.version, x.stream)
			bad = append(bad, Violation{Shut, x.stream, what, x.ops()})
		}
	}
	return bad
}

// checkAnswered checks Answered.
func checkAnswered(e *evidence) (bad []Violation) {
	found := func(a *attempt, op int, format string, args ...any) {
		bad = append(bad, Violation{Answered, a.Stream, fmt.Sprintf(format, args...), []int{op}})
	}
	for _, a := range e.attempts {
		switch a.Outcome {
		case Refused:
			found(a, a.Return.Op, "%s refused a correct request (%s): %s",
				a.Writer, a.Kind, a.Error)
		case Damaged:
			found(a, a.Return.Op, "%s found the log damaged (%s): %s",
				a.Writer, a.Kind, a.Error)
		}
		if a.Kind == Append && a.to == never && e.waited(a) && !e.excused(a) {
			found(a, a.Invoke.Op, "%s was woken and never answered an append that waited for it",
				a.Writer)
		}
	}
	return bad
}
