package contract

import (
	"context"
	"crypto/sha256"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/trade"
)

// Atomic is a Store that also appends to several streams at once. The streams must share their
// place (PlaceOf).
//
// Invariants:
//
//	L2.I14 an atomic append is recorded whole or not at all. If one of its streams has another
//	       version than expected, or has ended, the error is that of Append and names the stream
//	L2.I15 a guarded stream has the version of its Guard when the events are recorded: whoever
//	       appends to it is recorded after the whole append, or the append is *ConflictError
//	L2.I16 all events of an atomic append have one append group (GroupOf) and one recorded_at:
//	       max(clock, last + 1 µs), where last is over all of its streams and guards. Times of one
//	       place rise from append to append
//	L2.I17 the events of an atomic append have places next to each other in the feed, and become
//	       visible at once: End never lies between them. A reader that keeps another cursor than
//	       an End moves it back by Whole
//	L2.I18 an atomic append of the same content again returns the receipts of the first time,
//	       whatever its expected versions and guards are, and writes nothing. Events of which some
//	       are recorded, or which were recorded by another append, are ErrPartial
//	L2.I19 streams that do not share their place are *ApartError, and nothing is written
type Atomic interface {
	Store
	// AppendAll appends to several streams, with the receipts of each. It gives the events their
	// AppendGroup. An event that has one already must have that of this append, as one has that
	// was read from a log.
	AppendAll(ctx context.Context, appends []StreamAppend, guards ...Guard) ([][]Receipt, error)
	// Together reports whether one append can have all of these streams and guards.
	Together(streams ...string) bool
}

// A StreamAppend is the part of an atomic append that concerns one stream: see Store.Append.
type StreamAppend struct {
	Stream   string
	Expected int64 // 0: it must not exist; Any: no condition
	Events   []Event
}

// A Guard is a stream that must still have a version when an append is recorded, and gets no event
// from it. Version 0 means that the stream must not exist.
type Guard struct {
	Stream  string
	Version int64
}

// MaxAppend is the number of events that an atomic append has at most. Together they have at most
// MaxData bytes of Data. So a reader that takes appends whole needs no more memory for that.
const MaxAppend = 1000

// GroupOf returns the append group of an atomic append: a UUIDv8 (RFC 9562, section 5.8) of SHA-256
// over a tag and the ids of the events in ascending order. A retry has the same.
func GroupOf(appends ...StreamAppend) uuid.UUID {
	var ids []uuid.UUID
	for _, a := range appends {
		for i := range a.Events {
			ids = append(ids, a.Events[i].ID)
		}
	}
	slices.SortFunc(ids, func(a, b uuid.UUID) int { return slices.Compare(a[:], b[:]) })
	b := prefixed(nil, "blotter/append-group/v1")
	for _, id := range ids {
		b = append(b, id[:]...)
	}
	digest := sha256.Sum256(b)
	group := uuid.UUID(digest[:16])
	group[6] = group[6]&0x0f | 0x80
	group[8] = group[8]&0x3f | 0x80
	return group
}

// Whole returns c, moved back in each partition before the append that c cuts. events are those
// before c, in the order of their offsets in each partition, and the first of each partition begins
// an append. Where the last of them has an append group, Whole reads the next event, before end.
func Whole(
	ctx context.Context, log Reader, c, end Cursor, events iter.Seq2[Position, uuid.UUID],
) (Cursor, error) {
	type run struct {
		group uuid.UUID
		first int64
	}
	last := map[int32]run{}
	for at, group := range events {
		if r, ok := last[at.Partition]; !ok || r.group != group {
			last[at.Partition] = run{group, at.Offset}
		}
	}
	whole := slices.Clone(c)
	for _, p := range slices.Sorted(maps.Keys(last)) {
		r := last[p]
		if r.group == uuid.Nil || c.At(p) >= end.At(p) {
			continue
		}
		from := end.Max(c)
		from[p] = c[p]
		for next, err := range log.Read(ctx, from, end) {
			if err != nil {
				return nil, err
			}
			if next.AppendGroup == r.group {
				whole[p] = r.first
			}
			break
		}
	}
	return whole, nil
}

// Groups yields the position and the append group of each event, for Whole.
func Groups(events []Recorded) iter.Seq2[Position, uuid.UUID] {
	return func(yield func(Position, uuid.UUID) bool) {
		for i := range events {
			if !yield(events[i].Position, events[i].AppendGroup) {
				return
			}
		}
	}
}

// PlaceOf returns the key that determines the partition of a stream. A stream named
// <kind>/<group>/<rest> has the place of its group, whatever its kind: the streams
// account/main/cash, journal/main/7 and period/main/2025-01 share the place "main". Every other
// stream has its trade.Subject, as have all streams about trades and curves. The rule is the
// Placement of the logs on Kafka, so it must never change for a log that exists.
func PlaceOf(stream string) string {
	place, _ := placeOf(stream)
	return place
}

// Grouped reports whether a stream has its place from a group (PlaceOf).
func Grouped(stream string) bool {
	_, grouped := placeOf(stream)
	return grouped
}

func placeOf(stream string) (place string, grouped bool) {
	subject := trade.Subject(stream)
	kind, rest, _ := strings.Cut(subject, "/")
	group, rest, _ := strings.Cut(rest, "/")
	if trade.Folds(subject) || kind == "" || group == "" || rest == "" {
		return subject, false
	}
	return group, true
}

// Apart returns an *ApartError unless the streams are one and the same, or are of one group.
func Apart(streams ...string) error {
	for _, s := range streams[min(1, len(streams)):] {
		first := streams[0]
		if s != first && (!Grouped(s) || !Grouped(first) || PlaceOf(s) != PlaceOf(first)) {
			return &ApartError{first, s}
		}
	}
	return nil
}

// An ApartError is an atomic append to streams that do not share their place (L2.I19).
type ApartError struct{ Stream, Other string }

func (e *ApartError) Error() string {
	return fmt.Sprintf("streams %s and %s have no common group, so no append can have both",
		e.Stream, e.Other)
}
