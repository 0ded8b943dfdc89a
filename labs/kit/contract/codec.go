package contract

import (
	"context"
	"errors"
	"fmt"

	"example.com/blotter/labs/kit/trade"
)

// Codec turns bodies into an event's type, schema and data, and back (Lab 1).
//
// Invariants:
//
//	L1.I1  Decode(Encode(b)) is b, exactly; what the schema cannot hold is ErrUnencodable, never a changed value
//	L1.I2  data is the Confluent wire format: 0x00, the registry's id in 4 bytes big-endian, Avro body, nothing after
//	L1.I3  the same body gives the same bytes behind the id
//	L1.I4  Decode reads every version of a type that was ever published, into today's body
//	L1.I5  data that is not what it says is one of the errors below, never a panic and never a value
//	L1.I6  the whole catalog is published before the first event, and each id is asked for at most once; a registry that does not
//	       answer is no verdict on the data
//	L1.I7  a schema may follow the published ones if its mode's readers read its mode's data, and no logical type changes
//	L1.I8  an event that is published comes out equal, and those of one stream in their order
//	L1.I9  a record that is no event is parked as it is, with where it was and why, and what follows is handled
//	L1.I10 what is not the record's fault parks nothing, and its offset stays
//	L1.I11 a member that joins is let in, and is handed nothing that another has done or has at hand
type Codec interface {
	// Encode fills Type, Schema, Fingerprint and Data of an event.
	Encode(ctx context.Context, body trade.Body) (Payload, error)
	// Decode is the inverse. It takes typ to check that the data's schema is one of that type's.
	Decode(ctx context.Context, typ string, data []byte) (trade.Body, error)
}

// Registry gives schemas their ids. The registries of Confluent and of Apicurio are such, through their REST interface.
type Registry interface {
	// Register publishes a schema under a subject and gives its id; what is published there already keeps its id.
	Register(ctx context.Context, subject, text string) (id int, err error)
	// Text is the schema with an id, or ErrUnknownSchema. An id stands for one text for good. Any other error says that the registry did not answer.
	Text(ctx context.Context, id int) (string, error)
}

// A Mode says which programs a new schema must not break, in the words of Confluent's registry ("Schema Evolution and
// Compatibility").
type Mode string

// The plain modes look at the last published version, the transitive ones at every one.
const (
	Backward           Mode = "BACKWARD" // new readers read old data
	BackwardTransitive Mode = "BACKWARD_TRANSITIVE"
	Forward            Mode = "FORWARD" // old readers read new data
	ForwardTransitive  Mode = "FORWARD_TRANSITIVE"
	Full               Mode = "FULL" // both
	FullTransitive     Mode = "FULL_TRANSITIVE"
	None               Mode = "NONE"
)

// Producer writes typed events to a topic, as CloudEvents in binary mode: attributes are headers, the stream is the key, the data the
// value.
type Producer interface {
	// Publish fills e's Type, Schema, Fingerprint and Data from body, and returns when the brokers have the record.
	Publish(ctx context.Context, e Event, body trade.Body) error
}

// Consumer reads them.
type Consumer interface {
	// Run hands over every event, one at a time, until ctx ends, which is no error, or something goes wrong that is not a record's fault. What was handed
	// over and not answered with an error is not handed over again, unless the process dies in between, or takes so long over what it has
	// at hand that the group gives its partitions to another.
	Run(ctx context.Context, handle func(context.Context, Event, trade.Body) error) error
}

// Headers of a parked record, beside its own: where it was, and the error that says what is wrong with it, up to MaxAttribute bytes
// of it. An error may quote the record, and what is too large to be parked stops its partition. A parked record's time is when it was
// parked; its key and its value are as they were, null among them.
const (
	ParkedTopic     = "parked-topic"
	ParkedPartition = "parked-partition"
	ParkedOffset    = "parked-offset"
	ParkedError     = "parked-error"
)

// A Payload is a body as it goes into an event.
type Payload struct {
	Type        string
	Schema      int
	Fingerprint [32]byte
	Data        []byte
}

// Decoded is r as the domain sees it. A body that does not decode is an error that says where it stands in the log: who
// reads a history stops there, for what skips an event tells another history.
func Decoded(ctx context.Context, codec Codec, r Recorded) (trade.Event, error) {
	if r.Offloaded() {
		return trade.Event{}, fmt.Errorf("event %s of stream %s: %w", r.ID, r.Stream, ErrOffloaded)
	}
	body, err := codec.Decode(ctx, r.Type, r.Data)
	if err != nil {
		return trade.Event{}, fmt.Errorf("event %s of stream %s, version %d, position %s: %w", r.ID, r.Stream, r.Version, r.Position, err)
	}
	return trade.Event{
		ID:          r.ID,
		Version:     r.Version,
		Corrects:    r.Corrects,
		EffectiveAt: r.EffectiveAt.UTC(),
		RecordedAt:  r.RecordedAt.UTC(),
		Actor:       r.Actor,
		Body:        body,
	}, nil
}

// Errors of a Codec. Each is wrapped with what was found.
var (
	ErrUnencodable   = errors.New("value does not fit its schema")
	ErrMagic         = errors.New("data does not begin with the wire format's zero byte")
	ErrTruncated     = errors.New("data ends too early")
	ErrTrailing      = errors.New("data goes on after its end")
	ErrOversize      = errors.New("data is larger than allowed")
	ErrMalformed     = errors.New("data is not what its schema says")
	ErrUnknownSchema = errors.New("no schema under this id") // or one that is not in the catalog, as a version newer than the program
	ErrWrongType     = errors.New("the schema is of another event type")
	ErrOffloaded     = errors.New("the payload is in object storage, and was not fetched from there")
)

// ErrIncompatible is wrapped with what a new schema breaks.
var ErrIncompatible = errors.New("schema is not compatible")
