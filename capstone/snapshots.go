package capstone

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// SnapshotActor is the actor of the events that record snapshots.
const SnapshotActor = "process/snapshots"

// ErrNothingRecorded is the error of a snapshot of a log without events.
var ErrNothingRecorded = errors.New("there is no state to archive: the log has no events")

// ErrNoPart is the error of a replay of a contract or a book that does not exist.
var ErrNoPart = errors.New("neither the snapshot nor the log has it")

// ErrNoWindow is the error of a window that ends before it begins.
var ErrNoWindow = errors.New("the second snapshot has fewer events than the first")

// An Archived snapshot is in the archive and on record.
type Archived struct {
	contract.Snapshot
	Times     Times // of its state
	Earlier   bool  // it was archived before, and has another state than the end of the log
	Unchanged bool  // it was on record before, and has the state of the end of the log
}

// Snapshot archives the state at the end of the log, and then records that in the log. The default
// name is derived from the state digest, so the same state is archived once.
//
// If a snapshot under the name is archived but not on record, Snapshot records that one, whatever
// the log has become since: see the comment below. The result says if its state is an earlier one.
func (s *System) Snapshot(ctx context.Context, name string) (Archived, error) {
	now, used, err := s.takeSnapshot(ctx, name)
	if err != nil {
		return Archived{}, err
	}
	archived, onRecord, err := s.archive(ctx, now)
	if err == nil && !slices.Equal(archived.Cursor, now.Cursor) {
		used, err = s.TimesTo(ctx, archived.Cursor)
	}
	return Archived{archived, used, archived.Digest != now.Digest, onRecord}, err
}

// archive archives the snapshot now and records it, or finishes an earlier one of its name. It also
// reports whether a snapshot of the name was on record.
func (s *System) archive(
	ctx context.Context, now contract.Snapshot,
) (_ contract.Snapshot, onRecord bool, _ error) {
	recorded, _, err := s.recordedSnapshots(ctx)
	if err != nil {
		return now, false, err
	}
	if i := indexOf(recorded, now.Name); i >= 0 {
		archived, err := s.archivedAs(ctx, recorded[i])
		if err == nil && archived.Digest != now.Digest {
			err = fmt.Errorf("snapshot %s: %w", now.Name, contract.ErrSnapshotTaken)
		}
		return archived, true, err
	}
	if _, err := s.Log.Find(ctx, trade.EventID(trade.SnapshotID(now.Name), 0)); err == nil {
		return now, false, fmt.Errorf("snapshot %s: %w: it is on record from before a restore",
			now.Name, contract.ErrSnapshotTaken)
	} else if !errors.Is(err, contract.ErrNotFound) {
		return now, false, err
	}
	if err := s.Snapshots.Put(ctx, now); err != nil && !errors.Is(err, contract.ErrSnapshotTaken) {
		return now, false, err
	}
	// A crash here leaves an archived snapshot that is not on record, and Replay names it. Snapshot
	// under the same name finds it and records it. The log may have more events by then, so it is
	// not compared with the state of now.
	archived, err := s.Snapshots.Get(ctx, now.Name)
	if err == nil && !sameSnapshot(archived, now) {
		err = s.checkUnrecorded(ctx, archived, now)
	}
	if err != nil {
		return now, false, err
	}
	if err := s.recordSnapshot(ctx, archived); err != nil {
		return now, false, err
	}
	// A crash here leaves a complete snapshot. Snapshot finds it on record. The read model is an
	// event behind, as after any append.
	return archived, false, s.catchUp(ctx)
}

// takeSnapshot returns the state at the end of the log, with its times: see contract.Snapshot. It
// refuses a state with a stale row of a parked stream.
func (s *System) takeSnapshot(
	ctx context.Context, name string,
) (n contract.Snapshot, used Times, err error) {
	if err := s.catchUp(ctx); err != nil {
		return n, used, err
	}
	state, cursor, err := s.stateAtCursor(ctx)
	if err != nil {
		return n, used, err
	}
	// No rebuild mends an archived snapshot, so its state is checked before.
	stale, err := s.staleIn(ctx, state, cursor)
	if err != nil {
		return n, used, err
	}
	if len(stale) > 0 {
		return n, used, stale[0]
	}
	used, err = s.TimesTo(ctx, cursor)
	through := used.Known
	if err == nil && through.IsZero() {
		err = ErrNothingRecorded
	}
	n = contract.Snapshot{
		Name: name, Taken: s.Clock().UTC().Truncate(time.Microsecond), Cursor: cursor,
		Digest: state.Digest(), State: state.Canonical(), Format: trade.StateFormat,
		RecordedThrough: through,
	}
	// The clock of a simulated log would follow another time, and so would all later events. The
	// clock of another log may be ahead of this machine's clock.
	if s.Simulated || n.Taken.Before(through) {
		n.Taken = through
	}
	if name == "" && err == nil {
		n.Name, err = s.stateName(ctx, n.Digest)
	}
	if err == nil && s.Provenance != nil {
		n.Provenance, err = s.Provenance()
	}
	return n, used, err
}

// stateName returns the default name of a snapshot. A name is recorded once: that of a restored log
// may be on record from the lost one.
func (s *System) stateName(ctx context.Context, digest [32]byte) (string, error) {
	name := fmt.Sprintf("state-%x", digest[:6])
	restores, _, err := s.restores(ctx)
	if restores > 0 {
		name += fmt.Sprintf("-r%d", restores)
	}
	return name, err
}

// stateAtCursor returns a state of the read model and the cursor that belongs to it. These are two
// queries, and another process may advance the model between them. So the cursor is read before and
// after the state, until both are equal. A cursor never goes back.
func (s *System) stateAtCursor(ctx context.Context) (trade.State, contract.Cursor, error) {
	for {
		before, err := s.Projection.Cursor(ctx)
		if err != nil {
			return trade.State{}, nil, err
		}
		state, err := s.Projection.State(ctx)
		if err != nil {
			return trade.State{}, nil, err
		}
		after, err := s.Projection.Cursor(ctx)
		if err != nil || slices.Equal(before, after) {
			return state, after, err
		}
	}
}

// recordSnapshot appends the event of an archived snapshot. Everything in it comes from the
// archive, so that it is the same event when it is appended again.
func (s *System) recordSnapshot(ctx context.Context, archived contract.Snapshot) error {
	body := trade.SnapshotTaken{
		Name: archived.Name, Digest: archived.Digest, Format: archived.Format,
		Cursor: archived.Cursor, RecordedThrough: archived.RecordedThrough,
	}
	cmd := trade.Command{
		ID: trade.SnapshotID(archived.Name), EnteredAt: archived.Taken,
		Actor: SnapshotActor, Source: SnapshotActor, Reason: "a state was archived", Body: body,
	}
	id := trade.EventID(cmd.ID, 0)
	ctx = contract.At(ctx, archived.Taken) // only the clock of a simulated log reads it
	_, err := s.Desk.append(ctx, request{Command: cmd, correlation: id, causation: cmd.ContentID()},
		trade.SnapshotStream, contract.Any,
		trade.Decision{EffectiveAt: archived.Taken, Body: body})
	return err
}

// checkUnrecorded refuses an archived snapshot that is not on record and does not follow from the
// log: Snapshot never archived it. Its time becomes the time of an event, and in a simulated log
// the time of the log, so it must be a time at which Snapshot can have taken it.
func (s *System) checkUnrecorded(ctx context.Context, archived, now contract.Snapshot) error {
	through, err := s.recordedThrough(ctx, archived.Cursor)
	if err != nil {
		return err
	}
	r, err := s.replay(ctx, archived, Part{})
	if err != nil {
		return err
	}
	if r.Difference != nil || through.IsZero() || !through.Equal(archived.RecordedThrough) ||
		archived.Taken.Before(through) || archived.Taken.After(now.Taken) ||
		s.Simulated && !archived.Taken.Equal(through) {
		return &SnapshotFault{archived.Name, "is archived but not on record, " +
			"and does not follow from the log"}
	}
	return nil
}

// recordedSnapshots returns the snapshots on record, in the order of the log, without their states.
// It also returns the faults of the stream: the events in it that neither Snapshot nor Skip
// appended, and that are not skipped.
func (s *System) recordedSnapshots(
	ctx context.Context,
) (all []contract.Snapshot, foreign []*SnapshotFault, err error) {
	h, err := s.Desk.history(ctx, trade.SnapshotStream, math.MaxInt64)
	if err != nil {
		return nil, nil, err
	}
	// The cursors of snapshots before a restore are those of the lost log.
	_, restored, err := s.restores(ctx)
	if err != nil {
		return nil, nil, err
	}
	skipped := map[uuid.UUID]bool{}
	for _, skip := range trade.Skips(trade.SnapshotStream, h.events) {
		skipped[skip.Event], skipped[skip.By] = true, true
	}
	for i, r := range h.recorded {
		if skipped[r.ID] || r.RecordedAt.Before(restored) {
			continue
		}
		taken, ok := h.events[i].Body.(trade.SnapshotTaken)
		if !ok || r.ID != trade.EventID(trade.SnapshotID(taken.Name), 0) {
			foreign = append(foreign, &SnapshotFault{What: fmt.Sprintf(
				"stream %s has a foreign event at position %s", r.Stream, r.Position)})
			continue
		}
		all = append(all, contract.Snapshot{
			Name: taken.Name, Taken: r.EffectiveAt, Cursor: taken.Cursor, Digest: taken.Digest,
			Format: taken.Format, RecordedThrough: taken.RecordedThrough,
		})
	}
	return all, foreign, nil
}

func indexOf(all []contract.Snapshot, name string) int {
	return slices.IndexFunc(all, func(s contract.Snapshot) bool { return s.Name == name })
}

// sameSnapshot reports whether two snapshots are the same but for their states.
func sameSnapshot(a, b contract.Snapshot) bool {
	return a.Name == b.Name && a.Digest == b.Digest && a.Format == b.Format &&
		slices.Equal(a.Cursor, b.Cursor) && a.Taken.Equal(b.Taken) &&
		a.RecordedThrough.Equal(b.RecordedThrough)
}

// A SnapshotFault is a snapshot for which the log and the archive disagree, or without a name a
// foreign event in the stream of snapshots.
type SnapshotFault struct{ Name, What string }

func (f *SnapshotFault) Error() string {
	if f.Name == "" {
		return f.What
	}
	return fmt.Sprintf("snapshot %s %s", f.Name, f.What)
}

// Faults of snapshots.
const (
	missingSnapshot    = "is on record, but not in the archive"
	unrecordedSnapshot = "is in the archive, but not on record"
	replacedSnapshot   = "was replaced: the archived one is another than the one on record"
)

// Hint implements the hint of a command.
func (f *SnapshotFault) Hint() string {
	if f.Name == "" {
		return "find the program that appended it; it changes no state and no snapshot"
	}
	if f.What == unrecordedSnapshot {
		return fmt.Sprintf("if taking it was interrupted, finish it: blotter snapshot %s; "+
			"otherwise find who put it there", f.Name)
	}
	return "find who changed the archive, and restore it from a backup; " +
		"the log is not affected, and replays to its own states"
}

// A DestroyedError is a snapshot that a disposal removed. That is no fault.
type DestroyedError struct{ Name, Certificate string }

func (e *DestroyedError) Error() string {
	return fmt.Sprintf("snapshot %s was destroyed, as the certificate in event %s says",
		e.Name, e.Certificate)
}

// Hint implements the hint of a command.
func (e *DestroyedError) Hint() string {
	return "replay another snapshot, or take one under a new name; " +
		"the certificates: blotter history governance/disposals"
}

// destroyed returns a *DestroyedError if a certificate on record removed the snapshot, and
// otherwise nil. Ask it AFTER the archive.
func (s *System) destroyed(ctx context.Context, name string) error {
	if s.Certificates == nil {
		return nil
	}
	all, err := s.Certificates(ctx)
	if id := all[name]; err == nil && id != "" {
		err = &DestroyedError{name, id}
	}
	return err
}

// archivedAs returns a snapshot from the archive, or a *SnapshotFault unless it is the one on
// record. The error of one that a disposal removed, or began to remove, is a *DestroyedError.
func (s *System) archivedAs(
	ctx context.Context, recorded contract.Snapshot,
) (contract.Snapshot, error) {
	archived, err := s.Snapshots.Get(ctx, recorded.Name)
	if errors.Is(err, contract.ErrNoSnapshot) || errors.Is(err, contract.ErrSnapshotDamaged) {
		if err := s.destroyed(ctx, recorded.Name); err != nil {
			return archived, err
		}
	}
	switch {
	case errors.Is(err, contract.ErrNoSnapshot):
		return archived, &SnapshotFault{recorded.Name, missingSnapshot}
	case errors.Is(err, contract.ErrSnapshotDamaged):
		what := strings.TrimPrefix(err.Error(), "snapshot "+recorded.Name+": ")
		return archived, &SnapshotFault{recorded.Name, "is damaged: " + what}
	case err == nil && !sameSnapshot(archived, recorded):
		return archived, &SnapshotFault{recorded.Name, replacedSnapshot}
	}
	return archived, err
}

// A ListedSnapshot is a snapshot on record or in the archive, without its state.
type ListedSnapshot struct {
	contract.Snapshot
	Recorded  bool
	Fault     *SnapshotFault  // nil if log and archive agree
	Destroyed *DestroyedError // nil unless a disposal removed it
}

// note keeps the error of a look at the archive, if it is about this snapshot alone.
func (l *ListedSnapshot) note(err error) error {
	if errors.As(err, &l.Fault) || errors.As(err, &l.Destroyed) {
		return nil
	}
	return err
}

// ListSnapshots returns the snapshots on record, in the order of the log, then those that are in
// the archive and not on record, then the foreign events as faults without a name. It compares each
// snapshot on record with the archived one, and reads no state.
func (s *System) ListSnapshots(ctx context.Context) (all []ListedSnapshot, err error) {
	recorded, foreign, err := s.recordedSnapshots(ctx)
	if err != nil {
		return nil, err
	}
	archived, err := s.Snapshots.List(ctx) // AFTER the log: a snapshot is archived, then recorded
	if err != nil {
		return nil, err
	}
	if recorded, err = s.recordedSince(ctx, recorded, archived); err != nil {
		return nil, err
	}
	for _, r := range recorded {
		l := ListedSnapshot{Snapshot: r, Recorded: true}
		var found error
		if i := indexOf(archived, r.Name); i < 0 {
			if found = s.destroyed(ctx, r.Name); found == nil {
				found = &SnapshotFault{r.Name, missingSnapshot}
			}
		} else if !sameSnapshot(archived[i], r) {
			_, found = s.archivedAs(ctx, r)
		}
		if err := l.note(found); err != nil {
			return nil, err
		}
		all = append(all, l)
	}
	for _, a := range archived {
		if indexOf(recorded, a.Name) < 0 {
			all = append(all, ListedSnapshot{
				Snapshot: contract.Snapshot{Name: a.Name},
				Fault:    &SnapshotFault{a.Name, unrecordedSnapshot},
			})
		}
	}
	for _, fault := range foreign {
		all = append(all, ListedSnapshot{Fault: fault})
	}
	return all, nil
}

// recordedSince adds the archived snapshots that were recorded after recorded was read. It reads
// the log only if an archived snapshot is not on record.
func (s *System) recordedSince(
	ctx context.Context, recorded, archived []contract.Snapshot,
) ([]contract.Snapshot, error) {
	if !slices.ContainsFunc(archived, func(a contract.Snapshot) bool {
		return indexOf(recorded, a.Name) < 0
	}) {
		return recorded, nil
	}
	later, _, err := s.recordedSnapshots(ctx)
	return slices.DeleteFunc(later, func(r contract.Snapshot) bool {
		return indexOf(recorded, r.Name) < 0 && indexOf(archived, r.Name) < 0
	}), err
}

// CheckSnapshots is ListSnapshots, and reads each state.
func (s *System) CheckSnapshots(ctx context.Context) ([]ListedSnapshot, error) {
	all, err := s.ListSnapshots(ctx)
	for i, l := range all {
		if l.Fault != nil || l.Destroyed != nil || err != nil {
			continue
		}
		_, err := s.archivedAs(ctx, l.Snapshot)
		if err := all[i].note(err); err != nil {
			return nil, err
		}
	}
	return all, err
}

// SnapshotCursors returns the cursor of each snapshot on record, by name.
func (s *System) SnapshotCursors(ctx context.Context) (map[string]contract.Cursor, error) {
	recorded, _, err := s.recordedSnapshots(ctx)
	all := make(map[string]contract.Cursor, len(recorded))
	for _, r := range recorded {
		all[r.Name] = r.Cursor
	}
	return all, err
}

// A FormatError is a snapshot whose state is written in another format than this program writes.
// The two cannot be compared, and their difference says nothing about the log.
type FormatError struct{ Name, Format string }

func (e *FormatError) Error() string {
	return fmt.Sprintf("snapshot %s has a state of format %q, and this program writes %q",
		e.Name, e.Format, trade.StateFormat)
}

// Hint implements the hint of a command.
func (e *FormatError) Hint() string {
	return "replay it with the program that took it, or take another snapshot: blotter snapshot"
}

// Replayed is the result of a replay against a snapshot.
type Replayed struct {
	Snapshot   contract.Snapshot
	Part       Part                 // of the state
	Events     int64                // the number of events folded
	Difference *contract.Difference // nil: the two states are equal, byte for byte
	Faults     error                // the *SnapshotFaults of other snapshots; nil without any
	From       string               // the snapshot that the window began from; empty: the whole log
	Refused    error                // the reason why the wanted window did not begin there
}

// Replay folds the log up to the cursor of a snapshot on record and compares the two states.
// Without a name it takes the last one on record. A difference is a finding, not an error. So is a
// fault of another snapshot; a fault of this one is an error. A missing snapshot therefore never
// makes Replay take an earlier one. It reads no other state: CheckSnapshots does.
func (s *System) Replay(ctx context.Context, name string) (Replayed, error) {
	return s.ReplayPart(ctx, name, Part{})
}

// ReplayPart is Replay of a part of the state.
func (s *System) ReplayPart(ctx context.Context, name string, p Part) (r Replayed, err error) {
	all, err := s.ListSnapshots(ctx)
	if err != nil {
		return r, err
	}
	chosen := listedAs(all, name)
	if chosen == nil {
		return r, errors.Join(faults(all), contract.ErrNoSnapshot)
	}
	r, err = s.replayListed(ctx, *chosen, p)
	if errors.As(err, &chosen.Fault) {
		return r, faults(all) // also those of other snapshots
	}
	r.Faults = faults(all)
	return r, err
}

// listedAs returns the snapshot with a name, or without a name the last one on record. It returns
// nil if there is none.
func listedAs(all []ListedSnapshot, name string) (chosen *ListedSnapshot) {
	for i, l := range all {
		if l.Recorded && name == "" || l.Name != "" && name == l.Name {
			chosen = &all[i]
		}
	}
	return chosen
}

// ReplayFrom is Replay of the window after another snapshot: see Window. A damaged, replaced or
// unrecorded snapshot, or one of another format, begins no window. Then the whole log is replayed,
// and Refused has the reason.
func (s *System) ReplayFrom(ctx context.Context, from, name string) (r Replayed, err error) {
	all, err := s.ListSnapshots(ctx)
	if err != nil {
		return r, err
	}
	first, last := listedAs(all, from), listedAs(all, name)
	if first == nil || last == nil {
		return r, errors.Join(faults(all), contract.ErrNoSnapshot)
	}
	r, err = s.window(ctx, *first, *last)
	if refused := err; isRefusal(refused) {
		if r, err = s.replayListed(ctx, *last, Part{}); err == nil {
			r.Refused, first.Fault = refused, nil // one finding is reported once
		}
	}
	r.Faults = faults(all)
	return r, err
}

// window compares a snapshot with the fold of the window after an earlier one.
func (s *System) window(ctx context.Context, first, last ListedSnapshot) (r Replayed, err error) {
	from, err := s.usable(ctx, first)
	if err != nil {
		return r, err
	}
	to, err := s.usable(ctx, last)
	if err != nil {
		return r, err
	}
	if !to.Cursor.Reaches(from.Cursor) {
		return r, fmt.Errorf("from %s to %s: %w", from.Name, to.Name, ErrNoWindow)
	}
	r.Snapshot, r.From = to, from.Name
	state, events, err := s.Window(ctx, s.Log, from, to.Cursor)
	if err != nil {
		return r, err
	}
	r.Events = events
	err = s.Replayer.Compare(to.State, state)
	if errors.As(err, &r.Difference) {
		err = nil
	}
	return r, err
}

// ReplayAsOf folds the log as known and as effective at two times, and compares the state with that
// of the read model. It names no snapshot: an archived state is known at a cursor.
func (s *System) ReplayAsOf(
	ctx context.Context, asked trade.AsOf,
) (r Replayed, digest [32]byte, used Basis, err error) {
	model, end, used, err := s.stateAsOfAtCursor(ctx, asked)
	if err != nil {
		return r, digest, used, err
	}
	streams, err := s.Streams(ctx, end)
	if err != nil {
		return r, digest, used, err
	}
	at := trade.AsOf{Known: asked.Known, Effective: used.Effective}
	for _, events := range streams {
		for _, e := range events {
			if at.Known.IsZero() || !e.RecordedAt.After(at.Known) {
				r.Events++
			}
		}
	}
	state := trade.StateOf(streams, at)
	err = s.Replayer.Compare(model.Canonical(), state.Canonical())
	if errors.As(err, &r.Difference) {
		err = nil
	}
	return r, state.Digest(), used, err
}

// stateAsOfAtCursor is stateAtCursor as of two times.
func (s *System) stateAsOfAtCursor(
	ctx context.Context, asked trade.AsOf,
) (trade.State, contract.Cursor, Basis, error) {
	for {
		before, err := s.Projection.Cursor(ctx)
		if err != nil {
			return trade.State{}, nil, Basis{}, err
		}
		state, used, err := s.StateAsOf(ctx, asked)
		if err != nil {
			return trade.State{}, nil, used, err
		}
		after, err := s.Projection.Cursor(ctx)
		if err != nil || slices.Equal(before, after) {
			return state, after, used, err
		}
	}
}

// usable returns a listed snapshot with its state, if that can be compared with a fold.
func (s *System) usable(ctx context.Context, l ListedSnapshot) (contract.Snapshot, error) {
	if l.Fault != nil {
		return l.Snapshot, l.Fault
	}
	if l.Destroyed != nil {
		return l.Snapshot, l.Destroyed
	}
	archived, err := s.archivedAs(ctx, l.Snapshot)
	if err == nil && archived.Format != trade.StateFormat {
		err = &FormatError{archived.Name, archived.Format}
	}
	return archived, err
}

// isRefusal reports whether an error says that a snapshot begins no window.
func isRefusal(err error) bool {
	return errors.As(err, new(*SnapshotFault)) || errors.As(err, new(*FormatError)) ||
		errors.As(err, new(*DestroyedError)) || errors.Is(err, contract.ErrSnapshotDamaged)
}

// replayListed replays against one listed snapshot. It returns the fault of that as an error.
func (s *System) replayListed(
	ctx context.Context, l ListedSnapshot, p Part,
) (r Replayed, err error) {
	snapshot, err := s.usable(ctx, l)
	if err != nil {
		return r, err
	}
	return s.replay(ctx, snapshot, p)
}

// ReplayAll yields the replay against each snapshot on record, in the order of the log. An error
// that concerns one snapshot is a *SnapshotFault, a *FormatError or a *DestroyedError, and the next
// one follows.
func (s *System) ReplayAll(ctx context.Context) iter.Seq2[Replayed, error] {
	return func(yield func(Replayed, error) bool) {
		all, err := s.ListSnapshots(ctx)
		if err != nil {
			yield(Replayed{}, err)
			return
		}
		for _, l := range all {
			r, err := s.replayListed(ctx, l, Part{})
			r.Snapshot.Name = l.Name
			if !yield(r, err) {
				return
			}
		}
	}
}

// faults joins the faults of snapshots; nil without any.
func faults(all []ListedSnapshot) error {
	var errs []error
	for _, l := range all {
		if l.Fault != nil {
			errs = append(errs, l.Fault)
		}
	}
	return errors.Join(errs...)
}

// replay compares a part of a snapshot with a fold of the log up to its cursor.
func (s *System) replay(
	ctx context.Context, snapshot contract.Snapshot, p Part,
) (r Replayed, err error) {
	r.Snapshot, r.Part = snapshot, p
	if snapshot.Format != trade.StateFormat {
		return r, &FormatError{snapshot.Name, snapshot.Format}
	}
	var state trade.State
	log := p.log(s.Log)
	if state, r.Events, err = s.Replayer.Replay(ctx, log, snapshot.Cursor); err != nil {
		return r, err
	}
	archived, replayed := p.lines(snapshot.State), p.lines(state.Canonical())
	if p != (Part{}) && len(archived)+len(replayed) == 0 {
		return r, fmt.Errorf("%s at snapshot %s: %w", p, snapshot.Name, ErrNoPart)
	}
	err = s.Replayer.Compare(archived, replayed)
	if errors.As(err, &r.Difference) {
		err = nil
	}
	return r, err
}

// A Part is one contract, with the parked stream of it, or the contracts and positions of one book.
// The zero Part is the whole state.
type Part struct{ UTI, Book string }

func (p Part) String() string {
	if p.UTI != "" {
		return "contract " + p.UTI
	}
	return "book " + p.Book
}

// log returns a log with the events that the part is folded from. The positions of a book depend on
// all contracts: each may have been in the book before.
func (p Part) log(log contract.Store) contract.Reader {
	if p.UTI == "" {
		return log
	}
	return oneStream{log, trade.TradeStream(p.UTI)}
}

// lines returns the lines of a canonical state that belong to the part.
func (p Part) lines(state []byte) []byte {
	if p == (Part{}) {
		return state
	}
	var some []byte
	for line := range bytes.Lines(state) {
		if p.has(line) {
			some = append(some, line...)
		}
	}
	return some
}

func (p Part) has(line []byte) bool {
	var l struct {
		Trade, Position struct{ UTI, Book string }
		Parked          struct{ Stream string }
	}
	_ = json.Unmarshal(line, &l) // a line of no canonical state belongs to no part
	if p.UTI != "" {
		return l.Trade.UTI == p.UTI || l.Parked.Stream == trade.TradeStream(p.UTI)
	}
	return l.Trade.Book == p.Book || l.Position.Book == p.Book
}

// oneStream is a log that has only the events of one stream.
type oneStream struct {
	contract.Store
	stream string
}

// Read implements contract.Reader. The stream is read from its beginning.
func (l oneStream) Read(
	ctx context.Context, _, to contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range l.Stream(ctx, l.stream) {
			if err == nil && r.Position.Offset >= to.At(r.Position.Partition) {
				return
			}
			if !yield(r, err) {
				return
			}
		}
	}
}
