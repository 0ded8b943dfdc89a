package capstone

import (
	"cmp"
	"context"
	"errors"
	"iter"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// CheckKnown refuses a question as known at a time whose answer may still change: a time past the
// frontier. A zero time asks for no such answer.
func (s *System) CheckKnown(ctx context.Context, known time.Time) error {
	if known.IsZero() {
		return nil
	}
	frontier, err := s.Frontier(ctx)
	if err == nil && known.After(frontier) {
		err = &contract.BeyondFrontierError{Asked: known, Frontier: frontier}
	}
	return err
}

// Frontier returns the last time that a question can be known at now.
//
// A simulated log answers up to today, although later lines may still be recorded at any time that
// they state. All its times lie in an invented past. Its answers say so.
func (s *System) Frontier(ctx context.Context) (time.Time, error) {
	return s.Log.Frontier(contract.At(ctx, s.Clock()))
}

// Times are the two times that an answer used, and the number of events in its future. A zero
// Effective is all effective times.
type Times struct {
	trade.AsOf
	Cursor contract.Cursor // the answer is known at it: Known is the last recorded time before it
	Later  int             // the known events that take effect after Effective, or else after Known

	BySource bool // an adopted event is known since the record of its source: see System.BySource
}

// NotCounted is the Later of an answer that counts no events of its future.
const NotCounted = -1

// Now returns the times of an answer that leaves out no event on record. Call it before the log is
// read.
func (s *System) Now(ctx context.Context) (Times, error) {
	at, err := s.times(ctx, trade.AsOf{})
	return Times{AsOf: trade.AsOf{Known: at.Known}}, err
}

// TimesTo returns the times of an answer from all events before a cursor. It reads them, and reads
// them again if an event takes effect after all are known. It decodes only the streams of such
// events, because no other stream has a future.
func (s *System) TimesTo(ctx context.Context, to contract.Cursor) (Times, error) {
	t, latest := Times{Cursor: to}, map[string]time.Time{} // the last effective time by stream
	for r, err := range s.Log.Read(ctx, nil, to) {
		if err != nil {
			return t, err
		}
		if r.RecordedAt.After(t.Known) {
			t.Known = r.RecordedAt
		}
		if trade.Folds(r.Stream) && r.EffectiveAt.After(latest[r.Stream]) {
			latest[r.Stream] = r.EffectiveAt
		}
	}
	maps.DeleteFunc(latest, func(_ string, at time.Time) bool { return !at.After(t.Known) })
	if len(latest) == 0 {
		return t, nil
	}
	streams := map[string][]trade.Event{}
	for r, err := range s.Log.Read(ctx, nil, to) {
		if err != nil {
			return t, err
		}
		if _, later := latest[r.Stream]; !later {
			continue
		}
		e, err := contract.Decoded(ctx, s.Desk.Codec, r)
		if err != nil {
			return t, err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	for stream, history := range streams {
		t.Later += trade.Later(stream, history, trade.AsOf{Effective: t.Known})
	}
	return t, nil
}

// A Basis is the basis of an answer: its times, the known contracts that do not match their causes,
// so that the sums of their books are wrong, and the streams of which only a prefix counts.
type Basis struct {
	Times
	Mismatches []trade.Mismatch
	Parked     []trade.Parked
}

// times returns the times of an answer. A time that was not asked is now: the clock's, or in a
// simulated log the largest recorded time.
//
// It is called BEFORE the log is read, so all events that were on record at the known time count.
// An append in flight at that time may still get an earlier recorded time, and an event that is
// recorded while the log is read may count. To leave out both, ask as known at the frontier.
func (s *System) times(ctx context.Context, asked trade.AsOf) (trade.AsOf, error) {
	if !asked.Known.IsZero() && !asked.Effective.IsZero() {
		return asked, nil
	}
	now := s.Clock().Truncate(time.Microsecond)
	if s.Simulated {
		var err error
		if now, err = s.lastRecorded(ctx); err != nil {
			return asked, err
		}
	}
	if asked.Effective.IsZero() {
		asked.Effective = now
	}
	if asked.Known.IsZero() {
		asked.Known = now
	}
	return asked, nil
}

// lastRecorded reads the log for its largest recorded time.
func (s *System) lastRecorded(ctx context.Context) (time.Time, error) {
	end, err := s.Log.End(ctx)
	if err != nil {
		return time.Time{}, err
	}
	return s.recordedThrough(ctx, end)
}

// recordedThrough reads the log up to a cursor for the largest recorded time.
func (s *System) recordedThrough(
	ctx context.Context, to contract.Cursor,
) (last time.Time, err error) {
	for r, err := range s.Log.Read(ctx, nil, to) {
		if err != nil {
			return last, err
		}
		if r.RecordedAt.After(last) {
			last = r.RecordedAt
		}
	}
	return last, nil
}

// Trade folds one stream as of two times. A trade that has not begun by then has no status. It
// looks for no mismatches.
func (s *System) Trade(
	ctx context.Context, uti string, asked trade.AsOf,
) (t trade.Trade, used Basis, err error) {
	used.BySource = s.BySource
	if used.AsOf, err = s.times(ctx, asked); err != nil {
		return t, used, err
	}
	h, err := s.Desk.history(ctx, trade.TradeStream(uti), math.MaxInt64)
	if err != nil {
		return t, used, err
	}
	s.atSource(h)
	at := trade.AsOf{Known: asked.Known, Effective: used.Effective}
	used.Later = trade.Later(trade.TradeStream(uti), h.events, at)
	t, parked := trade.Fold(uti, h.events, at)
	if parked != nil {
		used.Parked = []trade.Parked{*parked}
	}
	return t, used, nil
}

// Positions folds the events of the read model as of two times, and values the positions at the
// effective time. Without a known time, all events on record count.
func (s *System) Positions(
	ctx context.Context, asked trade.AsOf,
) (all []trade.Valuation, used Basis, err error) {
	state, used, err := s.StateAsOf(ctx, asked)
	return state.ValuedAt(used.Effective), used, err
}

// StateAsOf folds the events of the read model as of two times.
func (s *System) StateAsOf(
	ctx context.Context, asked trade.AsOf,
) (state trade.State, used Basis, err error) {
	used.BySource = s.BySource
	if used.AsOf, err = s.times(ctx, asked); err != nil {
		return state, used, err
	}
	events, err := s.modelEvents(ctx)
	if err != nil {
		return state, used, err
	}
	at := trade.AsOf{Known: asked.Known, Effective: used.Effective}
	if state, err = s.AsOf(ctx, events, at); err != nil {
		return state, used, err
	}
	streams := events.streams()
	for stream, history := range streams {
		used.Later += trade.Later(stream, history, at)
	}
	used.Mismatches, used.Parked = trade.Mismatches(streams, at.Known), state.Parked
	return state, used, nil
}

// modelEvents returns the events of the read model at the end of the log. By source it returns
// those of the log: the read model does not have the times of another system's record.
func (s *System) modelEvents(ctx context.Context) (all modelCopy, err error) {
	if !s.BySource {
		if err := s.catchUp(ctx); err != nil {
			return nil, err
		}
		return readModel(ctx, s.Projection)
	}
	end, err := s.Log.End(ctx)
	if err != nil {
		return nil, err
	}
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		if !trade.Folds(r.Stream) {
			continue
		}
		h, err := s.Desk.extend(ctx, history{}, r)
		if err != nil {
			return nil, err
		}
		s.atSource(h)
		all = append(all, contract.StreamEvent{Stream: r.Stream, Event: h.events[0]})
	}
	return all, nil
}

// atSource dates the record of each adopted event of h as its source does, if s answers by source.
func (s *System) atSource(h history) {
	for i, r := range h.recorded {
		if s.BySource && !r.SourceRecordedAt.IsZero() {
			h.events[i].RecordedAt = r.SourceRecordedAt.UTC()
		}
	}
}

// A modelCopy holds the events of a read model.
type modelCopy []contract.StreamEvent

func readModel(ctx context.Context, model contract.ModelEvents) (all modelCopy, err error) {
	for e, err := range model.Events(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// Events is contract.ModelEvents.
func (m modelCopy) Events(context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		for _, e := range m {
			if !yield(e, nil) {
				return
			}
		}
	}
}

// streams returns the histories of trades and curves.
func (m modelCopy) streams() map[string][]trade.Event {
	streams := map[string][]trade.Event{}
	for _, e := range m {
		if trade.Folds(e.Stream) {
			streams[e.Stream] = append(streams[e.Stream], e.Event)
		}
	}
	return streams
}

// History yields every event about a trade or a price curve, refusals and confirmations included,
// in the order of their recorded times. The name of a curve has a slash, such as power/CET/base; a
// UTI has none. A stream of any other domain goes by its own name, such as access/carol.
func (s *System) History(ctx context.Context, name string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		subject := trade.Command{UTI: name}
		if strings.Contains(name, "/") {
			subject = trade.Command{Body: trade.PriceMarked{Curve: name}}
		}
		var all []contract.Recorded
		streams := []string{
			subject.Stream(), subject.RefusedStream(), trade.ConfirmationStream(name),
		}
		if strings.Contains(name, "/") {
			streams = append(streams, name)
		}
		for _, stream := range streams {
			for recorded, err := range s.Log.Stream(ctx, stream) {
				if err != nil {
					yield(recorded, err)
					return
				}
				all = append(all, recorded)
			}
		}
		slices.SortStableFunc(all, func(a, b contract.Recorded) int {
			return cmp.Or(
				a.RecordedAt.Compare(b.RecordedAt),
				cmp.Compare(a.Stream, b.Stream),
				cmp.Compare(a.Version, b.Version),
			)
		})
		for _, recorded := range all {
			if !yield(recorded, nil) {
				return
			}
		}
	}
}

// A Search selects events by their origin. An empty field sets no condition.
type Search struct {
	CommandID   string    // the command that they record
	Correlation uuid.UUID // the business transaction that they belong to
	Source      string    // the file or client that they came from
	Claimed     bool      // only those whose actor did not sign in: see Claimed
}

// Claimed reports whether the actor of an event did not sign in: its command was in a file that
// another principal sent, or nobody signed in. The events that this program makes itself have
// reserved ids, and are not meant.
func Claimed(r contract.Recorded) bool {
	own := trade.IsReserved(r.CommandID) && strings.HasPrefix(r.Actor, "process/")
	return r.SubmittedBy != r.Actor && !own
}

// Search yields the selected events of the whole log, in the order of the log. It reads the log
// once. If the caller asks for a command, it instead looks the command's event up by its id.
func (s *System) Search(ctx context.Context, q Search) iter.Seq2[contract.Recorded, error] {
	selected := func(r contract.Recorded) bool {
		return (q.CommandID == "" || r.CommandID == q.CommandID) &&
			(q.Correlation == uuid.Nil || r.Correlation == q.Correlation) &&
			(q.Source == "" || r.Source == q.Source) && (!q.Claimed || Claimed(r))
	}
	return func(yield func(contract.Recorded, error) bool) {
		if q.CommandID != "" {
			r, err := s.Log.Find(ctx, trade.EventID(q.CommandID, 0))
			if !errors.Is(err, contract.ErrNotFound) && (err != nil || selected(r)) {
				yield(r, err)
			}
			return
		}
		end, err := s.Log.End(ctx)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		for r, err := range s.Log.Read(ctx, nil, end) {
			if (err != nil || selected(r)) && !yield(r, err) {
				return
			}
		}
	}
}
