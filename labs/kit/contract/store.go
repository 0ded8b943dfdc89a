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
//	L2.I2  a batch goes in whole or not at all
//	L2.I3  an append at a version that is not the stream's is *ConflictError, and writes nothing
//	L2.I4  the same content again (Event.ContentDigest) gives the receipts of the first time, and writes nothing
//	L2.I5  an id that is taken by other content is *ReusedError; a batch of which only a part is there is ErrPartial;
//	       both write nothing
//	L2.I6  what was acknowledged is there after any crash, and is never changed
//	L2.I7  a reader sees each event once, in version order within its stream, and never skips one that commits late
//	L2.I8  recorded_at is max(clock, last + 1 µs), where last is the latest time that was recorded in its partition (Kafka) or
//	       stream (Postgres), or told as the frontier
//	L2.I9  a writer that lost its place is fenced: it writes nothing more before it has taken the place again. ErrFenced says that
//	       an append is not recorded, or in a store that says so, that it may be: the same append again tells
//	L2.I10 behind an event that ends its stream (Event.Ends) nothing is appended, whatever version is expected: *EndedError
//	L2.I13 a payload that is kept in object storage (Blobs) is there before its event commits, and is held against its
//	       digest when it is read; one that is gone or altered is *OffloadError
type Store interface {
	// Append puts events at the end of stream, which must be at version expected (0: it must not exist; Any: wherever it
	// is). All events must name the stream. It returns once the events are durable.
	Append(ctx context.Context, stream string, expected int64, events ...Event) ([]Receipt, error)
	// Find is the event with this id, or ErrNotFound.
	Find(ctx context.Context, id uuid.UUID) (Recorded, error)
	// Stream is the events of one stream in version order; none for a stream that does not exist.
	Stream(ctx context.Context, stream string) iter.Seq2[Recorded, error]
	// Reader is the feed over all streams.
	Reader
}

// A Reader reads the whole log. It needs no right to write.
type Reader interface {
	// End is the cursor behind all that is committed now.
	End(ctx context.Context) (Cursor, error)
	// Read is every event in [from, to), in version order within each stream, then ends. A nil from is the beginning.
	Read(ctx context.Context, from, to Cursor) iter.Seq2[Recorded, error]
	// Follow is every event from the cursor on, as they commit; it ends with the context's error.
	Follow(ctx context.Context, from Cursor) iter.Seq2[Recorded, error]
	// Frontier is the time up to which nothing more will be recorded: an append that has yet to commit is stamped later. A question
	// "as known at" a later time is *BeyondFrontierError.
	Frontier(ctx context.Context) (time.Time, error)
}

// Any as the expected version takes the stream wherever it is.
const Any int64 = -1

// A Clock gives the time to record. It takes the context of the append, so that a simulation can carry its own time
// (see At); every other clock ignores it.
type Clock func(ctx context.Context) time.Time

type simulatedTime struct{}

// At returns a context under which SimulatedClock gives t.
func At(ctx context.Context, t time.Time) context.Context {
	return context.WithValue(ctx, simulatedTime{}, t)
}

// SimulatedClock is the time put into the context by At, or the zero time, after which the store counts on from
// its last event.
func SimulatedClock(ctx context.Context) time.Time {
	t, _ := ctx.Value(simulatedTime{}).(time.Time)
	return t
}

// Stamp is the time to record: max(clock, last + 1 µs), UTC, whole microseconds (L2.I8).
func Stamp(clock, last time.Time) time.Time {
	now := clock.UTC().Truncate(time.Microsecond)
	if next := last.Add(time.Microsecond); !last.IsZero() && now.Before(next) {
		return next.UTC()
	}
	return now
}

// A Head is where an aggregate stands: the record that the compacted topic of a Kafka store keeps per stream. The log is
// the truth; a head that says otherwise is rewritten from it.
type Head struct {
	Stream     string
	Version    int64     // of the last event
	EventID    uuid.UUID // its id
	RecordedAt time.Time // its time: UTC, microseconds
	Digest     [32]byte  // its content digest
	Ended      bool      // nothing follows it
}

// HeadCodec turns heads into bytes and back. A store takes it as an argument, so that it knows no codec. The bytes are in the
// wire format of event data, and the errors are those of Codec.
type HeadCodec interface {
	EncodeHead(ctx context.Context, h Head) ([]byte, error)
	DecodeHead(ctx context.Context, data []byte) (Head, error)
}

// Errors of a Store. Those that callers branch on are types.
var (
	ErrNotFound = errors.New("no event under this id")
	ErrPartial  = errors.New("a part of this batch is already recorded, and a part is not")
	ErrFenced   = errors.New("another owner has taken over") // nothing was recorded, unless the store wraps it in an error that says more
)

// A ConflictError is an append at a version that is not the stream's (L2.I3). Load the stream again and decide anew.
type ConflictError struct {
	Stream           string
	Expected, Actual int64
}

func (e *ConflictError) Error() string {
	return fmt.Sprintf("stream %s is at version %d, not at %d", e.Stream, e.Actual, e.Expected)
}

// A ReusedError is an id that was taken by other content (L2.I5).
type ReusedError struct {
	ID     uuid.UUID
	Stream string // where the id was taken
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
	return fmt.Sprintf("stream %s ended at version %d, and nothing follows", e.Stream, e.Version)
}

// A NotOwnerError is a request for a partition that another process owns.
type NotOwnerError struct {
	Partition int32
	Owner     string // its address, if known
}

func (e *NotOwnerError) Error() string {
	return fmt.Sprintf("partition %d is owned by %q", e.Partition, e.Owner)
}

// A DamagedError is a place where the log is not what its store wrote: an event is gone from there, or is none any more.
// Readers yield it where they meet it, and end there. Whoever goes around the store leaves such places; so does a broken disk.
type DamagedError struct {
	Position Position
	What     string // what is wrong there, for people
}

func (e *DamagedError) Error() string {
	return fmt.Sprintf("the log is damaged at position %s: %s", e.Position, e.What)
}

// A BeyondFrontierError is a question as known at a time whose answer may still change.
type BeyondFrontierError struct{ Asked, Frontier time.Time }

func (e *BeyondFrontierError) Error() string {
	return fmt.Sprintf("as known at %s cannot be told yet: the log is settled up to %s",
		e.Asked.Format(time.RFC3339Nano), e.Frontier.Format(time.RFC3339Nano))
}
