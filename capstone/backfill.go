package capstone

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"time"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Backfill is the history of another system, decided beside the log and not yet in it.
type Backfill struct {
	File    string            `json:"file"`
	Digest  [sha256.Size]byte `json:"-"` // of the content of the file
	Lines   int               `json:"lines"`
	Streams int               `json:"streams"` // that the file begins
	Events  int               `json:"events"`  // in these streams
	Adopted int               `json:"adopted"` // events that are in the log already
	Figures []Figure          `json:"-"`
	Breaks  []Break           `json:"breaks"`

	pending  []staged         // the streams with events that are not in the log yet
	refused  []contract.Event // the refusals that are not in the log yet
	compared bool             // with the figures of the other system
	last     time.Time        // SourceRecordedAt of the last line
}

// staged is the rest of a stream, which begins after a version of the log.
type staged struct {
	stream string
	after  int64
	events []contract.Event
}

// Stage decides the history of another system beside the log: s is over a draft of the log, and its
// appends change nothing. Its figures are compared with theirs, unless those are nil. A line that
// is bad, or refused, is a break, and so is a stream that the log has from elsewhere.
//
// Stage may be repeated, also after a part of the history was adopted: the adopted lines have their
// outcomes, and so have the refused ones, because Adopt records the refusals first.
func (s *System) Stage(
	ctx context.Context, history iter.Seq2[lines.Line, error], theirs []Figure,
	zone *time.Location,
) (b Backfill, err error) {
	named := map[string]bool{} // the streams of the file
	from, err := s.Log.End(ctx)
	if err != nil {
		return b, err
	}
	now := s.Clock()
	n, err := s.Import(ctx, history, func(r Result) { b.take(r, named, now) })
	if err != nil {
		return b, err
	}
	b.Lines, b.compared = n.Lines, theirs != nil
	b.takeOrphaned(n.Orphaned, named)
	end, err := s.Log.End(ctx)
	if err != nil {
		return b, err
	}
	if err := b.collect(s.Log.Read(ctx, from, end), named); err != nil {
		return b, err
	}
	streams, err := s.adopted(ctx, named, &b)
	if err != nil {
		return b, err
	}
	b.Figures = FiguresOf(trade.StateOf(streams, trade.AsOf{}), zone)
	if theirs != nil {
		b.Breaks = append(b.Breaks, Compare(theirs, slices.Clone(b.Figures))...)
	}
	return b, nil
}

// take notes the result of a line, which the other system recorded before now.
func (b *Backfill) take(r Result, named map[string]bool, now time.Time) {
	b.checkTime(r, now)
	var bad *lines.Error
	refusal := r.Outcome.Refusal
	if r.Problem == nil {
		named[r.Command.Stream()] = true
	}
	found := Break{Line: r.Line}
	switch {
	case errors.As(r.Problem, &bad):
		found.Rule, found.Detail = string(bad.Rule), bad.Detail
		if bad.Field != "" {
			found.Detail = bad.Field + ": " + bad.Detail
		}
	case r.Problem != nil:
		found.Rule, found.Detail = string(r.Rule()), r.Problem.Error()
	case r.SameAs > 0:
		return // the first line counts
	case refusal != nil:
		found.Rule, found.Detail = string(refusal.Rule), refusal.Detail
	default:
		return
	}
	b.Breaks = append(b.Breaks, found)
}

// checkTime checks that the times of the other system's record rise from line to line, and lie in
// the past. By them, nothing may be known without that which comes before it.
func (b *Backfill) checkTime(r Result, now time.Time) {
	at := r.Command.SourceRecordedAt
	found := Break{Line: r.Line, Rule: "source-time.order"}
	switch {
	case at.IsZero(): // a bad line
		return
	case at.After(now):
		found.Detail = fmt.Sprintf("source_recorded_at %s lies in the future",
			at.Format(time.RFC3339Nano))
	case at.Before(b.last):
		found.Detail = fmt.Sprintf("source_recorded_at %s is before that of an earlier line, %s",
			at.Format(time.RFC3339Nano), b.last.Format(time.RFC3339Nano))
	default:
		b.last = at
		return
	}
	b.Breaks = append(b.Breaks, found)
}

// takeOrphaned notes the refused follow-ups of the history.
func (b *Backfill) takeOrphaned(all []OrphanedFollowUp, named map[string]bool) {
	for _, o := range all {
		if named[o.Cause.Stream] {
			b.Breaks = append(b.Breaks, Break{Line: int(o.Cause.SourceLine), Rule: orphanRule(o),
				Detail: "its follow-up on " + o.Command.Stream() + " is refused"})
		}
	}
}

func orphanRule(o OrphanedFollowUp) string {
	if o.Refusal == nil {
		return "follow-up.missing"
	}
	return string(o.Refusal.Rule)
}

// collect gathers the drafted events of the history by stream, and its refusals. Events without
// SourceRecordedAt are follow-ups that another command of the log still lacks.
func (b *Backfill) collect(
	drafted iter.Seq2[contract.Recorded, error], named map[string]bool,
) error {
	place := map[string]int{}
	for r, err := range drafted {
		if err != nil {
			return err
		}
		if r.SourceRecordedAt.IsZero() {
			continue
		}
		if kind, _ := trade.KindOfType(r.Type); !kind.IsCommand() {
			b.refused = append(b.refused, r.Event)
			continue
		}
		i, ok := place[r.Stream]
		if !ok {
			i = len(b.pending)
			place[r.Stream], named[r.Stream] = i, true
			b.pending = append(b.pending, staged{stream: r.Stream, after: r.Version - 1})
		}
		b.pending[i].events = append(b.pending[i].events, r.Event)
	}
	return nil
}

// adopted reads the streams of the file, and counts the events that are in the log already. A
// stream is another one than that of the file if no backfill began it, or if other events follow
// its adopted ones and the file has more. Later events of a whole stream are those of the desk.
func (s *System) adopted(
	ctx context.Context, named map[string]bool, b *Backfill,
) (map[string][]trade.Event, error) {
	pending := map[string]int{}
	for _, p := range b.pending {
		pending[p.stream] = len(p.events)
	}
	streams := map[string][]trade.Event{}
	due := slices.Sorted(maps.Keys(named))
	for len(due) > 0 {
		stream := due[0]
		due = due[1:]
		h, err := s.Desk.history(ctx, stream, maxVersion)
		if err != nil {
			return nil, err
		}
		if len(h.events) == 0 { // its lines were refused
			continue
		}
		b.Streams++
		i := slices.IndexFunc(h.recorded, func(r contract.Recorded) bool {
			return r.SourceRecordedAt.IsZero()
		})
		for n, r := range h.recorded {
			if !r.SourceRecordedAt.IsZero() {
				streams[stream] = append(streams[stream], h.events[n])
			}
		}
		for _, next := range trade.Successors(streams[stream]) {
			if !named[next] { // its follow-up is in the log already
				named[next] = true
				due = append(due, next)
			}
		}
		b.Events += len(streams[stream])
		b.Adopted -= pending[stream]
		if i == 0 || i > 0 && pending[stream] > 0 {
			b.Breaks = append(b.Breaks, Break{Stream: stream, Rule: "stream.exists",
				Detail: fmt.Sprintf("the log has version %d of it from %s", i+1,
					cmp.Or(h.recorded[i].Source, "elsewhere"))})
		}
	}
	b.Adopted += b.Events
	return streams, nil
}

// maxVersion is after every version of a stream.
const maxVersion = 1<<63 - 1

// An Adoption says who takes a staged history into the log, and why.
type Adoption struct {
	Actor, Approver, Reason string
	// Breaks is the number of breaks that the approver accepts. A stream that exists is never
	// accepted.
	Breaks int
}

// An AdoptionError is an Adoption that was refused.
type AdoptionError struct{ What, Todo string }

func (e *AdoptionError) Error() string { return e.What }

// Hint implements the hint of a command.
func (e *AdoptionError) Hint() string { return e.Todo }

// Adopt records the adoption of a staged history and its refusals, then appends its streams, one
// after another. each is called with the number of events of each append. The events keep the times
// of the file, and their recorded_at is now.
//
// A crash after the record, a refusal or an append leaves a part of the history. Stage and Adopt of
// the same file continue: an event that is on record is not recorded again. The refusals come
// first: a refused command that is decided again, after other streams are whole, may be legal.
func (s *System) Adopt(ctx context.Context, b Backfill, a Adoption, each func(int)) error {
	if err := b.check(a); err != nil {
		return err
	}
	if err := s.recordAdoption(ctx, b, a); err != nil {
		return err
	}
	for _, e := range b.refused {
		ctx := contract.At(ctx, e.SourceRecordedAt) // only a simulated log's clock reads it
		if _, err := s.Log.Append(ctx, e.Stream, contract.Any, e); err != nil {
			return fmt.Errorf("stream %s: %w", e.Stream, err)
		}
	}
	for _, p := range b.pending {
		for events := range slices.Chunk(p.events, adoptedAtOnce) {
			last := events[len(events)-1]
			ctx := contract.At(ctx, last.SourceRecordedAt)
			if _, err := s.Log.Append(ctx, p.stream, p.after, events...); err != nil {
				return fmt.Errorf("stream %s after version %d: %w", p.stream, p.after, err)
			}
			p.after += int64(len(events))
			each(len(events))
		}
	}
	return nil
}

// adoptedAtOnce is the number of events of a stream in one append.
const adoptedAtOnce = 1000

func (b *Backfill) check(a Adoption) error {
	exists := slices.ContainsFunc(b.Breaks, func(k Break) bool { return k.Stream != "" })
	what, todo := unapproved("backfill", a.Actor, a.Approver, a.Reason)
	switch {
	case what != "":
		return &AdoptionError{what, todo}
	case !b.compared:
		return &AdoptionError{"the history was not compared with the figures of its system",
			"name a file with them: --figures"}
	case exists:
		return &AdoptionError{"the log has streams of the file from elsewhere",
			"leave the lines of these streams out of the file"}
	case a.Breaks != len(b.Breaks):
		return &AdoptionError{fmt.Sprintf("the history has %d breaks, and %d are accepted",
			len(b.Breaks), a.Breaks),
			"mend the file, or accept its breaks by their number: --breaks"}
	}
	return nil
}

// recordAdoption records that the history was taken in, BEFORE its first event. The same adoption
// again is on record already. Another actor, approver or reason for the same file is refused.
func (s *System) recordAdoption(ctx context.Context, b Backfill, a Adoption) error {
	body := trade.BackfillAdopted{
		File: b.File, Digest: b.Digest, Streams: int64(b.Streams), Events: int64(b.Events),
		Breaks: int64(len(b.Breaks)),
	}
	id := trade.BackfillID(b.Digest)
	kept, err := s.Log.Find(ctx, trade.EventID(id, 0))
	if err == nil && (kept.Actor != a.Actor || kept.Approver != a.Approver ||
		kept.Reason != a.Reason) {
		return &AdoptionError{fmt.Sprintf("the file is on record as adopted by %s, approved by %s "+
			"(%s)", kept.Actor, kept.Approver, kept.Reason), "continue it in the same words"}
	}
	if !errors.Is(err, contract.ErrNotFound) {
		return err
	}
	now, err := s.times(ctx, trade.AsOf{})
	if err != nil {
		return err
	}
	cmd := trade.Command{
		ID: id, EnteredAt: now.Known, Actor: a.Actor, Approver: a.Approver, Reason: a.Reason,
		Body: body,
	}
	_, err = s.Desk.append(contract.At(ctx, now.Known),
		request{Command: cmd, correlation: trade.EventID(id, 0), causation: cmd.ContentID()},
		trade.BackfillStream, contract.Any, trade.Decision{EffectiveAt: now.Known, Body: body})
	return err
}
