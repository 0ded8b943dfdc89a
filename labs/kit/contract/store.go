package contract

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/google/uuid"
)

// Store is the append-only log (Lab 2).
//
// Invariants:
//
//	L2.I1  versions of a stream run 1, 2, 3, … without a hole, in the order of appends
//	L2.I2  a batch is recorded whole or not at all
//	L2.I3  an append that expects another version than the stream has is *ConflictError, and
//	       writes nothing
//	L2.I4  an append of the same content again (Event.ContentDigest) returns the receipts of the
//	       first time, and writes nothing
//	L2.I5  an id that other content has taken is *ReusedError; a batch that is recorded only in
//	       part is ErrPartial; both write nothing
//	L2.I6  an acknowledged event survives any crash, and never changes
//	L2.I7  a reader sees each event once, in version order within its stream, and never skips an
//	       event that commits late
//	L2.I8  recorded_at is max(clock, last + 1 µs), where last is the latest time that was recorded
//	       in its partition (Kafka) or stream (Postgres), or announced as the frontier
//	L2.I9  a fenced writer writes nothing more before it has taken its place back. ErrFenced means
//	       that an append is not recorded; a store may wrap it to say that the append may be
//	       recorded, and then the same append again gives the answer
//	L2.I10 after an event that ends its stream (Event.Ends) nothing is appended, whatever version
//	       is expected: *EndedError
//	L2.I13 an offloaded payload (Blobs) is stored before its event commits, and is compared with
//	       its digest when it is read; a missing or altered payload is *OffloadError
type Store interface {
	// Append adds events at the end of stream, which must be at version expected (0: it must not
	// exist; Any: no condition). All events must name the stream. Append returns after the events
	// are durable.
	Append(ctx context.Context, stream string, expected int64, events ...Event) ([]Receipt, error)
	// Find returns the event with this id, or ErrNotFound.
	Find(ctx context.Context, id uuid.UUID) (Recorded, error)
	// Stream yields the events of one stream in version order; none for an unknown stream.
	Stream(ctx context.Context, stream string) iter.Seq2[Recorded, error]
	// SealableLog has the feed over all streams.
	SealableLog
}

// Resumer is a Store that also reads the rest of a stream.
//
// Invariant:
//
//	L2.I20 StreamFrom yields the events that Stream yields, without those before a version. A
//	       store with an index reads few of these: Kafka up to a batch of them
type Resumer interface {
	Store
	// StreamFrom yields the events of one stream from a version on, in version order.
	StreamFrom(ctx context.Context, stream string, version int64) iter.Seq2[Recorded, error]
}

// StreamFrom yields the events of a stream from a version on. Of a store that is no Resumer it
// reads the whole stream.
func StreamFrom(
	ctx context.Context, log Store, stream string, version int64,
) iter.Seq2[Recorded, error] {
	if r, ok := log.(Resumer); ok {
		return r.StreamFrom(ctx, stream, version)
	}
	return func(yield func(Recorded, error) bool) {
		for r, err := range log.Stream(ctx, stream) {
			if err == nil && r.Version < version {
				continue
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A Reader reads the whole log. It needs no permission to write.
type Reader interface {
	// End returns the cursor after every event that is committed now.
	End(ctx context.Context) (Cursor, error)
	// Read yields every event in [from, to), in version order within each stream, then ends. A nil
	// from is the beginning.
	Read(ctx context.Context, from, to Cursor) iter.Seq2[Recorded, error]
	// Follow yields every event from the cursor on, as they commit. It ends with the context's
	// error.
	Follow(ctx context.Context, from Cursor) iter.Seq2[Recorded, error]
	// Frontier returns the time up to which nothing more will be recorded: an append that has yet
	// to commit gets a later time. A question as known at a later time is *BeyondFrontierError.
	Frontier(ctx context.Context) (time.Time, error)
}

// A SealableLog is a log that an Auditor can seal: it says where its times come from.
type SealableLog interface {
	Reader
	// Timeline returns the rules of recorded_at. They are recorded in the log itself before its
	// first event, and never change: the wish of a later opener has no effect.
	Timeline(ctx context.Context) (Timeline, error)
	// CommitFrontier records a frontier in every partition that this process may write, and returns
	// the earliest one that the partitions have on record; zero if a partition has none, or if the
	// log is simulated. No event gets a recorded_at at or before it any more, from any process and
	// whatever its clock says then: each continues after the frontier on record. The events that
	// have such a time are before an End that is asked for AFTER this call. A simulated log may
	// record a frontier without a time, which binds no event and shows that a seal began.
	CommitFrontier(ctx context.Context) (time.Time, error)
}

// A Timeline is the rules by which a log gives recorded_at.
type Timeline struct {
	// Simulated means that recorded_at follows the entered times (SimulatedClock), and not a clock.
	// Such a log proves nothing about the time of its events.
	Simulated bool
	// PerStream means that recorded_at rises within each stream only, and not within the whole of
	// a partition.
	PerStream bool
}

// Any as the expected version sets no condition.
const Any int64 = -1

// A Clock gives the time to record. It takes the context of the append, so that a simulation can
// carry its own time (see At). Every other clock ignores the context.
type Clock func(ctx context.Context) time.Time

type simulatedTime struct{}

// At returns a context under which SimulatedClock gives t.
func At(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, simulatedTime{}, t)
}

// SimulatedClock returns the time that At put into the context, or the zero time. For the zero time
// the store continues from its last event.
func SimulatedClock(ctx context.Context) time.Time {
	t, _ := ctx.Value(simulatedTime{}).(time.Time)
	return t
}

type queued struct{}

// OnQueued returns a context under which a store calls f once it has queued an append: an append to
// the same partition that the store is given after that is recorded later. So a caller that waits
// for f before the next append has many in flight, and knows their order. f is not called for every
// append: a store may answer without it.
func OnQueued(ctx context.Context, f func()) context.Context {
	return context.WithValue(ctx, queued{}, f)
}

// Queued calls the function of OnQueued, if there is one.
func Queued(ctx context.Context) {
	if f, ok := ctx.Value(queued{}).(func()); ok {
		f()
	}
}

// Stamp returns the time to record: max(clock, last + 1 µs), UTC, whole microseconds (L2.I8).
func Stamp(clock, last time.Time) time.Time {
	now := clock.UTC().Truncate(time.Microsecond)
	if next := last.Add(time.Microsecond); !last.IsZero() && now.Before(next) {
		return next.UTC()
	}
	return now
}

// A Head describes the last event of a stream. The compacted topic of a Kafka store keeps one per
// stream. The log is the truth: a head that differs from it is rewritten.
type Head struct {
	Stream     string
	Version    int64 // of the last event
	EventID    uuid.UUID
	RecordedAt time.Time // UTC, microseconds
	Digest     [32]byte  // content digest of the last event
	History    [32]byte  // rolling digest of the stream; zero if the writer has no index to check
	Ended      bool      // the stream has ended
}

// HeadCodec turns heads into bytes and back. A store takes it as an argument, so that it depends on
// no codec. The bytes are in the wire format of event data, and the errors are those of Codec.
type HeadCodec interface {
	EncodeHead(ctx context.Context, h Head) ([]byte, error)
	DecodeHead(ctx context.Context, data []byte) (Head, error)
}

// Errors of a Store. Those that callers branch on are types.
var (
	ErrNotFound = errors.New("no event under this id")
	ErrPartial  = errors.New("a part of this batch is already recorded, and a part is not")
	// ErrFenced means that nothing was recorded, unless the store wraps it in an error that says
	// more.
	ErrFenced = errors.New("another owner has taken over")
)

// A ConflictError is an append that expected another version than the stream has (L2.I3). The
// caller loads the stream again and decides again.
type ConflictError struct {
	Stream           string
	Expected, Actual int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at version %d, not at %d", e.Stream, e.Actual, e.Expected)
}

// A ReusedError is an id that other content has taken (L2.I5).
type ReusedError struct {
	ID     uuid.UUID
	Stream string // of the event that has the id
}

func (e *ReusedError) Error() string {
	return fmt.Sprintf("id %s is taken by other content, in stream %s", e.ID, e.Stream)
}

// An EndedError is an append to a stream that has ended (L2.I10).
type EndedError struct {
	Stream  string
	Version int64 // of the event that ended it
}

func (e *EndedError) Error() string {
	return fmt.Sprintf("stream %s ended at version %d, and takes no more events",
		e.Stream, e.Version)
}

// A NotOwnerError is a request for a partition that another process owns.
type NotOwnerError struct {
	Partition int32
	Owner     string // its address, if known
}

func (e *NotOwnerError) Error() string {
	return fmt.Sprintf("partition %d is owned by %q", e.Partition, e.Owner)
}

// A DamagedError is a place where the log differs from the events that its store wrote there: an
// event is missing or unreadable. Readers yield it at that place, and end there. Programs that
// write to the topic or table directly cause such damage, and so do broken disks.
type DamagedError struct {
	Position Position
	What     string // the damage, for people
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the log is damaged at position %s: %s", e.Position, e.What)
}

// A BeyondFrontierError is a question as known at a time for which the answer may still change.
type BeyondFrontierError struct{ Asked, Frontier time.Time }

func (e *BeyondFrontierError) Error() string {
	return fmt.Sprintf("as known at %s cannot be answered yet: the log is complete up to %s",
		e.Asked.Format(time.RFC3339Nano), e.Frontier.Format(time.RFC3339Nano))
}
