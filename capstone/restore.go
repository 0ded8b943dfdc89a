package capstone

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A Restore makes a lost log again from its sealed archive, in an empty log. The events keep their
// ids, versions and recorded times, so they have the same leaves, and the state has the same
// digest. Their positions are those of the new log. Therefore the new log is sealed in a tree of
// its own, and the sealed batches are compared leaf by leaf, by event.
type Restore struct {
	Archive                 contract.RecordArchive
	Checkpoint              contract.Checkpoint // the last one of the archive
	Actor, Approver, Reason string
}

// A Restored log has the events of an archive.
type Restored struct {
	Origin  string   `json:"origin"` // of the archive
	Size    int64    `json:"size"`   // of its last checkpoint
	Root    [32]byte `json:"-"`
	Batches int      `json:"batches"`
	Events  int      `json:"events"`
}

// A RestoreError is a Restore that was refused, or that cannot give the log of the archive.
type RestoreError struct{ What, Todo string }

func (e *RestoreError) Error() string { return e.What }

// Hint implements the hint of a command.
func (e *RestoreError) Hint() string { return e.Todo }

// inEmptyFolder is the hint of a restore that cannot continue.
const inEmptyFolder = "begin again in an empty folder, and an empty log"

// Restore appends the events of the archive to s.Log, whose clock is contract.SimulatedClock. Then
// it compares the whole log with the archive, and AFTER that it records that the log was restored.
// That event is the last one, not the first: recorded_at only rises in a log, and it is now. Until
// it is on record the data folder keeps all other commands out (logdir.Dir.BeginRestore).
//
// A crash leaves a part of the events. The same Restore continues: the store answers an append that
// is on record with its receipt. each is called with the number of events of each batch.
func (s *System) Restore(
	ctx context.Context, r Restore, each func(int),
) (done Restored, err error) {
	if what, todo := unapproved("restore", r.Actor, r.Approver, r.Reason); what != "" {
		return done, &RestoreError{what, todo}
	}
	timeline, err := s.Log.Timeline(ctx)
	if err != nil {
		return done, err
	}
	done = Restored{Origin: r.Checkpoint.Origin, Size: r.Checkpoint.Size, Root: r.Checkpoint.Root}
	leaves := map[uuid.UUID]sealedLeaf{}
	err = r.Archive.Records(ctx, func(b contract.SealedRecords) error {
		if err := knowsSchemas(b); err != nil {
			return err
		}
		if err := appendRecords(ctx, s.Log, b.Events, timeline.PerStream); err != nil {
			return fmt.Errorf("batch %d of the archive: %w", b.Number, err)
		}
		for _, ev := range b.Events {
			leaves[ev.ID] = sealedLeaf{sha256.Sum256(ev.Leaf()), ev.Position}
		}
		done.Batches, done.Events = done.Batches+1, done.Events+len(b.Events)
		each(len(b.Events))
		return nil
	})
	if err != nil {
		return done, err
	}
	latest, err := s.compareLeaves(ctx, leaves, r.eventID())
	if err != nil {
		return done, err
	}
	return done, s.recordRestore(ctx, r, done, latest)
}

// A sealedLeaf is the digest of an event's leaf, and the position that the event had.
type sealedLeaf struct {
	digest [sha256.Size]byte
	at     contract.Position
}

// knowsSchemas refuses events that only a later version of this program can decode.
func knowsSchemas(b contract.SealedRecords) error {
	unknown := func(typ string, version int) error {
		return &RestoreError{fmt.Sprintf("batch %d of the archive has the schema "+
			"%s version %d, which is not in the catalog of this program", b.Number,
			typ, version), "use the version that sealed the log"}
	}
	for _, ev := range b.Events { // a sealer leaves out a schema that its own catalog lacks
		ours, ok := schemas.Find(ev.Type, ev.Schema)
		if !ok || ours.Fingerprint != ev.Fingerprint {
			return unknown(ev.Type, ev.Schema)
		}
	}
	for _, archived := range b.Schemas { // a fingerprint covers no logical types
		ours, ok := schemas.Find(archived.Type, archived.Version)
		if !ok || ours.Text != archived.Text {
			return unknown(archived.Type, archived.Version)
		}
	}
	return nil
}

// restoredAtOnce is the number of appends in flight.
const restoredAtOnce = 512

// appendRecords appends events, in their order within each partition, or within each stream (with
// all streams of its place) if times rise only there. Each must get the version and the recorded_at
// that it had.
func appendRecords(
	ctx context.Context, log contract.Store, events []contract.Recorded, perStream bool,
) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	slots, before := make(chan struct{}, restoredAtOnce), map[string]chan struct{}{}
	var all sync.WaitGroup
	for _, unit := range unitsOf(events) {
		lane := ""
		if stream := unit[0].Stream; perStream && contract.Grouped(stream) {
			lane = contract.PlaceOf(stream)
		} else if perStream {
			lane = stream
		}
		earlier, placed := before[lane], make(chan struct{})
		before[lane] = placed
		slots <- struct{}{}
		if earlier != nil && !perStream {
			<-earlier // it is queued BEFORE the next append is given to the store
		}
		all.Go(func() {
			defer func() { <-slots }()
			var once sync.Once
			pass := func() { once.Do(func() { close(placed) }) }
			defer pass()
			if earlier != nil {
				<-earlier
			}
			if err := appendUnit(contract.OnQueued(ctx, pass), log, unit); err != nil {
				cancel(err) // BEFORE pass: no later event takes its place
			}
		})
	}
	all.Wait()
	return context.Cause(ctx)
}

// unitsOf splits events into appends: the events of one atomic append, and every other event alone.
func unitsOf(events []contract.Recorded) (units [][]contract.Recorded) {
	for len(events) > 0 {
		n := 1
		for group := events[0].AppendGroup; group != uuid.Nil && n < len(events) &&
			events[n].AppendGroup == group; {
			n++
		}
		units, events = append(units, events[:n:n]), events[n:]
	}
	return units
}

// appendUnit appends the events of one append.
func appendUnit(ctx context.Context, log contract.Store, unit []contract.Recorded) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	first := unit[0]
	ctx = contract.At(ctx, first.RecordedAt)
	parts := partsOf(unit)
	if first.AppendGroup == uuid.Nil || contract.GroupOf(parts...) != first.AppendGroup {
		for _, ev := range unit { // no atomic append made them
			got, err := log.Append(contract.At(ctx, ev.RecordedAt), ev.Stream, ev.Version-1,
				ev.Event)
			if err == nil {
				err = compareReceipts([]contract.Recorded{ev}, got)
			}
			if err != nil {
				return err
			}
		}
		return nil
	}
	atomic, ok := log.(contract.Atomic)
	if !ok {
		return &RestoreError{fmt.Sprintf("event %s was appended to several streams at once, and "+
			"the store of the new log cannot do that", first.ID), inEmptyFolder +
			" with the store of the old one"}
	}
	got, err := atomic.AppendAll(ctx, parts)
	if err != nil {
		return err
	}
	return compareReceipts(sortedBy(parts, unit), slices.Concat(got...))
}

// partsOf returns the events of an append by stream, in their order.
func partsOf(unit []contract.Recorded) (parts []contract.StreamAppend) {
	at := map[string]int{}
	for _, ev := range unit {
		i, ok := at[ev.Stream]
		if !ok {
			i = len(parts)
			at[ev.Stream] = i
			parts = append(parts, contract.StreamAppend{
				Stream: ev.Stream, Expected: ev.Version - 1,
			})
		}
		parts[i].Events = append(parts[i].Events, ev.Event)
	}
	return parts
}

// sortedBy returns the events of an append in the order of its parts.
func sortedBy(parts []contract.StreamAppend, unit []contract.Recorded) []contract.Recorded {
	byID := map[uuid.UUID]contract.Recorded{}
	for _, ev := range unit {
		byID[ev.ID] = ev
	}
	sorted := make([]contract.Recorded, 0, len(unit))
	for _, part := range parts {
		for _, ev := range part.Events {
			sorted = append(sorted, byID[ev.ID])
		}
	}
	return sorted
}

// compareReceipts refuses a log that gives events other versions or times than they had.
func compareReceipts(unit []contract.Recorded, got []contract.Receipt) error {
	for i, ev := range unit {
		if got[i].Version == ev.Version && got[i].RecordedAt.Equal(ev.RecordedAt) {
			continue
		}
		return &RestoreError{fmt.Sprintf("event %s of stream %s was recorded at %s as version %d, "+
			"and the new log gives it %s and version %d", ev.ID, ev.Stream,
			ev.RecordedAt.Format(time.RFC3339Nano), ev.Version,
			got[i].RecordedAt.Format(time.RFC3339Nano), got[i].Version),
			"the order of its times does not fit the new log: " + inEmptyFolder +
				" with the store and the partitions of the old one"}
	}
	return nil
}

// compareLeaves compares the events of the log with the leaves of the archive, and returns the
// latest recorded_at. One event may be more: the statement of this restore.
func (s *System) compareLeaves(
	ctx context.Context, leaves map[uuid.UUID]sealedLeaf, statement uuid.UUID,
) (latest time.Time, err error) {
	end, err := s.Log.End(ctx)
	if err != nil {
		return latest, err
	}
	for ev, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return latest, err
		}
		if ev.RecordedAt.After(latest) {
			latest = ev.RecordedAt
		}
		want, ok := leaves[ev.ID]
		delete(leaves, ev.ID)
		switch {
		case ev.ID == statement:
		case !ok:
			return latest, &RestoreError{fmt.Sprintf("the log has event %s at %s, "+
				"which is not in the archive", ev.ID, ev.Position), inEmptyFolder}
		case want.digest != sha256.Sum256(ev.Leaf()):
			return latest, &RestoreError{fmt.Sprintf("the log has event %s at %s with another "+
				"leaf than the archive, which has it at %s", ev.ID, ev.Position, want.at),
				inEmptyFolder}
		}
	}
	return latest, lacking(leaves)
}

// lacking returns an error that names the first of the leaves that a log lacks; nil for none.
func lacking(leaves map[uuid.UUID]sealedLeaf) error {
	if len(leaves) == 0 {
		return nil
	}
	first := slices.MinFunc(slices.Collect(maps.Keys(leaves)), func(a, b uuid.UUID) int {
		x, y := leaves[a].at, leaves[b].at
		return cmp.Or(cmp.Compare(x.Partition, y.Partition), cmp.Compare(x.Offset, y.Offset))
	})
	return &RestoreError{fmt.Sprintf("the log lacks %d of the archive's events; the first one is "+
		"event %s, which the archive has at %s", len(leaves), first, leaves[first].at),
		inEmptyFolder}
}

func (r Restore) eventID() uuid.UUID { return trade.EventID(trade.RestoreID(r.Checkpoint.Root), 0) }

// recordRestore records that the log was made again: the history of another log was adopted, whose
// digest is the signed root. Its time is now, and after latest.
func (s *System) recordRestore(
	ctx context.Context, r Restore, done Restored, latest time.Time,
) error {
	_, err := s.Log.Find(ctx, r.eventID())
	if !errors.Is(err, contract.ErrNotFound) {
		return err // nil: an earlier attempt recorded it
	}
	now, err := s.times(ctx, trade.AsOf{})
	if err != nil {
		return err
	}
	at := now.Known
	if !at.After(latest) {
		at = latest.Add(time.Microsecond)
	}
	body := trade.BackfillAdopted{
		File:   fmt.Sprintf("archive %s/%d", done.Origin, done.Size),
		Digest: done.Root, Events: int64(done.Events),
	}
	cmd := trade.Command{
		ID: trade.RestoreID(done.Root), EnteredAt: at, Actor: r.Actor, Approver: r.Approver,
		Reason: r.Reason, Body: body,
	}
	_, err = s.Desk.append(contract.At(ctx, at),
		request{Command: cmd, correlation: trade.EventID(cmd.ID, 0), causation: cmd.ContentID()},
		trade.BackfillStream, contract.Any, trade.Decision{EffectiveAt: at, Body: body})
	return err
}

// restores returns how often the log was made again, and when that was recorded last. Events before
// that time have had other positions.
func (s *System) restores(ctx context.Context) (times int, last time.Time, err error) {
	h, err := s.Desk.history(ctx, trade.BackfillStream, math.MaxInt64)
	if err != nil {
		return 0, last, err
	}
	for i, ev := range h.recorded {
		body, ok := h.events[i].Body.(trade.BackfillAdopted)
		if ok && ev.ID == trade.EventID(trade.RestoreID(body.Digest), 0) {
			times, last = times+1, ev.RecordedAt
		}
	}
	return times, last, nil
}
