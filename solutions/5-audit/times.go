package audit

import (
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
)

// A rule of recorded_at, as an offender breaks it (L5.I6).
type rule string

const (
	// backdated: at or before the frontier of an earlier batch. The log had that frontier on
	// record, so every honest writer gave later times, whatever its clock said.
	backdated rule = "backdated"
	// backwards: at or before an earlier event of its partition or stream.
	backwards rule = "backwards"
	// premature: after the time at which it was sealed.
	premature rule = "premature"
)

// rules gives each rule its byte in a header's leaf: its index. It never changes.
var rules = []rule{backdated, backwards, premature}

// An offender is an event of a batch that breaks a rule.
type offender struct {
	Event int64 `json:"event"` // its index in the batch
	Rule  rule  `json:"rule"`
}

// tolerance is how far the clocks of honest machines differ. A batch whose latest event is so much
// later than the sealer's clock is sealed at the time of that event.
const tolerance = time.Minute

// A judge finds offenders. It has the latest time of each partition or stream, so far as it has
// seen the log: the verifier from its beginning, a sealer from the last sealed batch. A sealer
// needs no earlier times: an earlier event lies before the frontier of that batch, or was recorded
// in the moment between that frontier and the seal.
type judge struct {
	contract.Timeline
	last map[sequence]latest
}

// A latest is the last time of a sequence. The events of one atomic append have one time.
type latest struct {
	at    time.Time
	group uuid.UUID // the append group; zero for none
}

// A sequence is a partition or a stream, in which times must increase.
type sequence struct {
	partition int32
	stream    string
}

func newJudge(t contract.Timeline) *judge { return &judge{t, map[sequence]latest{}} }

func (j *judge) key(ev *event) sequence {
	if j.PerStream {
		return sequence{stream: ev.stream}
	}
	return sequence{partition: ev.Partition}
}

// offenders returns the offenders among events, which follow on what the judge has seen. frontier
// is the latest of the batches before. No offender counts as the latest event of its stream: a time
// far ahead would make offenders of all events after it. A simulated log has no frontier and no
// sealing time of a clock.
func (j *judge) offenders(events []event, frontier, sealed time.Time) []offender {
	_, found := j.see(events, frontier, sealed)
	return found
}

// advance takes events as seen, and returns the offenders among them.
func (j *judge) advance(events []event, frontier, sealed time.Time) []offender {
	last, found := j.see(events, frontier, sealed)
	maps.Copy(j.last, last)
	return found
}

func (j *judge) see(events []event, frontier, sealed time.Time) (
	last map[sequence]latest, found []offender) {
	last = map[sequence]latest{}
	var key sequence
	var before latest
	for i := range events {
		ev := &events[i]
		if next := j.key(ev); i == 0 || next != key { // most events are in the same sequence
			if i > 0 {
				last[key] = before
			}
			var ok bool
			if before, ok = last[next]; !ok {
				before = j.last[next]
			}
			key = next
		}
		now := latest{ev.recorded, ev.group}
		if broken := now.broken(before, frontier, sealed); broken != "" {
			found = append(found, offender{int64(i), broken})
			continue
		}
		before = now
	}
	if len(events) > 0 {
		last[key] = before
	}
	return last, found
}

// broken returns the rule that a time breaks; empty for none.
func (l latest) broken(before latest, frontier, sealed time.Time) rule {
	together := l.group != uuid.Nil && l == before
	switch {
	case !frontier.IsZero() && !l.at.After(frontier):
		return backdated
	case !before.at.IsZero() && !l.at.After(before.at) && !together:
		return backwards
	case !sealed.IsZero() && l.at.After(sealed):
		return premature
	}
	return ""
}

// named describes the offenders of a batch of events for people. first is the index of its first
// leaf; -1 if the events are unanchored.
func (j *judge) named(
	all []offender, events []event, first int64, frontier, sealed time.Time,
) []contract.Offender {
	var out []contract.Offender
	for _, o := range all {
		at := events[o.Event].recorded
		text := "recorded_at " + at.Format(time.RFC3339Nano) + " "
		switch o.Rule {
		case backdated:
			text += "is not after the frontier of an earlier batch, " +
				frontier.Format(time.RFC3339Nano)
		case backwards:
			text += "is not after that of an earlier event of its " + j.scope()
		case premature:
			text += "is after the sealing time, " + sealed.Format(time.RFC3339Nano)
		}
		leaf := int64(-1)
		if first >= 0 {
			leaf = first + o.Event
		}
		out = append(out, contract.Offender{
			Position: events[o.Event].Position, Leaf: leaf, What: text,
		})
	}
	return out
}

func (j *judge) scope() string {
	if j.PerStream {
		return "stream"
	}
	return "partition"
}

// times returns three attributes of a leaf; zero for bytes that are no leaf: such a time is never
// after a frontier. It does not keep the other fields: it runs for each event.
func times(leaf []byte) (stream string, group uuid.UUID, at time.Time) {
	for i, rest := 0, leaf; ; i++ {
		if len(rest) < 4 || uint64(len(rest)-4) < uint64(binary.BigEndian.Uint32(rest)) {
			return "", uuid.Nil, time.Time{}
		}
		n := 4 + int(binary.BigEndian.Uint32(rest))
		field := rest[4:n]
		switch rest = rest[n:]; i {
		case streamField:
			stream = string(field)
		case groupField:
			copy(group[:], field)
		case recordedField:
			at = micros(field)
		case len(layout):
			if len(rest) == 0 {
				return stream, group, at
			}
			return "", uuid.Nil, time.Time{}
		}
	}
}

// Fields of a leaf: the tag has the index 0.
var (
	streamField   = fieldOf("stream")
	idField       = fieldOf("id")
	groupField    = fieldOf("append_group")
	recordedField = fieldOf("recorded_at")
)

func fieldOf(name string) int {
	for i, f := range layout {
		if f.name == name {
			return i + 1
		}
	}
	panic("audit: a leaf has no " + name)
}

// stamp is what a header states of times.
type stamp struct {
	simulated        bool
	sealed, frontier time.Time
}

// stampOf returns the stamp of a batch of events after at. now is the sealer's clock. frontier is
// on record in the log; only the last batch of a seal is complete up to it.
func stampOf(
	at tip, timeline contract.Timeline, events []event, now, frontier time.Time,
) stamp {
	sealed := now.UTC().Truncate(time.Microsecond)
	if timeline.Simulated {
		sealed = time.Time{} // such a log has no clock but its own times
	}
	if sealed.Before(at.sealed) { // the clock was set back, or is another machine's
		sealed = at.sealed
	}
	limit := sealed.Add(tolerance)
	for _, ev := range events {
		if ev.recorded.After(sealed) && (timeline.Simulated || !ev.recorded.After(limit)) {
			sealed = ev.recorded
		}
	}
	if frontier.After(sealed) {
		frontier = sealed
	}
	if frontier.Before(at.frontier) {
		frontier = at.frontier
	}
	return stamp{timeline.Simulated, sealed, frontier}
}

// checkOffenders refuses a list that no sealer writes.
func checkOffenders(all []offender, events int64) error {
	last := int64(-1)
	for _, o := range all {
		if o.Event <= last || o.Event >= events || !slices.Contains(rules, o.Rule) {
			return fmt.Errorf("%w: its offenders have event %d with rule %.20q after event %d",
				errBatch, o.Event, o.Rule, last)
		}
		last = o.Event
	}
	return nil
}
