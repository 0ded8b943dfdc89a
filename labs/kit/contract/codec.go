package contract

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// Codec turns bodies into an event's type, schema and data, and back (Lab 1).
//
// Invariants:
//
//	L1.I1  Decode(Encode(b)) equals b exactly; a value that the schema cannot hold is
//	       ErrUnencodable, never a changed value
//	L1.I2  data is the Confluent wire format: 0x00, the registry's id in 4 bytes big-endian, the
//	       Avro body, and nothing after it
//	L1.I3  the same body gives the same bytes after the id
//	L1.I4  Decode reads every version of a type that was ever published, into today's body
//	L1.I5  malformed data is one of the errors below, never a panic and never a value
//	L1.I6  the whole catalog is published before the first event, and each id is requested at most
//	       once; if the registry does not answer, the data is neither accepted nor rejected
//	L1.I7  a new schema is compatible with the published ones if the readers of its mode can read
//	       the data of its mode, and no logical type changes
//	L1.I8  a published event arrives unchanged, and the events of one stream arrive in order
//	L1.I9  a record that is not an event is parked unchanged, with its place and the error, and
//	       the consumer continues after it
//	L1.I10 a failure that the record did not cause parks nothing, and the offset does not move
//	L1.I11 a consumer that joins the group is admitted, and receives nothing that another consumer
//	       has handled or is handling
//	L1.I12 an event in the JSON form is handed over as the event in Avro that it is: same body,
//	       same content digest
type Codec interface {
	// Encode returns an event's Type, Schema, Fingerprint and Data.
	Encode(ctx context.Context, body trade.Body) (Payload, error)
	// Decode is the inverse. The schema of data must be a schema of the event type typ.
	Decode(ctx context.Context, typ string, data []byte) (trade.Body, error)
}

// A SchemaDecoder is a Codec that can decode data under a given schema of the catalog. It asks no
// registry, and ignores the id in the data. So a registry that was lost, or restored with other
// ids, changes no history.
type SchemaDecoder interface {
	// DecodeAs returns the body of data, with the errors of Codec.Decode.
	DecodeAs(ctx context.Context, s schemas.Schema, data []byte) (trade.Body, error)
}

// A JSONCodec is a Codec of the JSON form: data is 0x00, the registry's id of a JSON Schema in 4
// bytes big-endian, and one JSON object (schemas.Schema.JSON). Decimals are strings, and times are
// in RFC 3339. Layout, the order of fields, trailing zeros and the zone of a time are free, so one
// event has many texts. Therefore an event's content digest, and every log, has Avro only.
type JSONCodec interface {
	Codec
	// Avro returns an event whose data is in the JSON form as the event that a producer of Avro
	// sends under the same version of the schema: the Schema, Fingerprint and Data are of Avro. It
	// has the errors of Codec.Decode.
	Avro(ctx context.Context, e Event) (Event, error)
}

// Registry gives schemas their ids. Confluent's and Apicurio's registries fit it, through their
// REST interface.
type Registry interface {
	// Register publishes a schema under a subject and returns its id. A schema that is published
	// there already keeps its id.
	Register(ctx context.Context, subject, text string) (id int, err error)
	// RegisterJSON is the same for a JSON Schema.
	RegisterJSON(ctx context.Context, subject, text string) (id int, err error)
	// Text returns the schema with an id, or ErrUnknownSchema. An id never changes its text. Any
	// other error means that the registry did not answer.
	Text(ctx context.Context, id int) (string, error)
}

// A Mode says which programs a new schema must not break, in the words of Confluent's registry
// ("Schema Evolution and Compatibility").
type Mode string

// The plain modes look at the last published version, the transitive modes at every version.
const (
	Backward           Mode = "BACKWARD" // new readers read old data
	BackwardTransitive Mode = "BACKWARD_TRANSITIVE"
	Forward            Mode = "FORWARD" // old readers read new data
	ForwardTransitive  Mode = "FORWARD_TRANSITIVE"
	Full               Mode = "FULL" // both
	FullTransitive     Mode = "FULL_TRANSITIVE"
	None               Mode = "NONE"
)

// Producer writes typed events to a topic as CloudEvents in binary mode: the attributes are
// headers, the stream is the key, the data is the value.
type Producer interface {
	// Publish fills e's Type, Schema, Fingerprint and Data from body. It returns after the brokers
	// acknowledged the record.
	Publish(ctx context.Context, e Event, body trade.Body) error
}

// Consumer reads typed events.
type Consumer interface {
	// Run calls handle with every event, one at a time. It returns nil when ctx ends, and an error
	// if something fails that the record did not cause. An event for which handle returned nil is
	// not handled again, unless the process dies, or handles an event for so long that the group
	// gives its partitions to another consumer.
	Run(ctx context.Context, handle func(context.Context, Event, trade.Body) error) error
}

// Headers of a parked record, beside its own headers: its place, and the error, of which at most
// MaxAttribute bytes are kept, since an error may quote the record. A record that is too large to
// be parked stops its partition. The timestamp of a parked record is the time of parking. Key and
// value are unchanged; a null stays null.
const (
	ParkedTopic     = "parked-topic"
	ParkedPartition = "parked-partition"
	ParkedOffset    = "parked-offset"
	ParkedError     = "parked-error"
)

// A Payload is an encoded body with its schema.
type Payload struct {
	Type        string
	Schema      int
	Fingerprint [32]byte
	Data        []byte
}

// Decoded returns the domain's view of r. If the codec is a SchemaDecoder, and r names a schema of
// this program's catalog by type, version and fingerprint, no registry is asked. Data that no
// attempt can decode becomes the body trade.Unreadable, which parks its stream. An event of a
// domain beside trading becomes trade.Foreign. If the body does not decode for another reason, such
// as a registry that does not answer, or that has lost a schema of the catalog, the error names the
// event's place in the log. The reader of a history must stop there: without that event it would
// tell a different history.
func Decoded(ctx context.Context, codec Codec, r Recorded) (trade.Event, error) {
	if r.Offloaded() {
		return trade.Event{}, fmt.Errorf("event %s of stream %s: %w", r.ID, r.Stream, ErrOffloaded)
	}
	_, known := inCatalog(r)
	body, err := decode(ctx, codec, r)
	switch {
	case errors.Is(err, ErrUnknownSchema) && known:
		err = fmt.Errorf("the registry lacks schema %s version %d, which this program has: %w",
			r.Type, r.Schema, err)
	case IsUndecodable(err):
		body, err = trade.Unreadable{Cause: err.Error()}, nil
	}
	if err != nil {
		return trade.Event{}, fmt.Errorf("event %s of stream %s, version %d, position %s: %w",
			r.ID, r.Stream, r.Version, r.Position, err)
	}
	return trade.Event{
		ID:          r.ID,
		Version:     r.Version,
		Corrects:    r.Corrects,
		EffectiveAt: r.EffectiveAt.UTC(),
		EnteredAt:   r.EnteredAt.UTC(),
		RecordedAt:  r.RecordedAt.UTC(),
		Actor:       r.Actor,
		Body:        body,
	}, nil
}

func decode(ctx context.Context, codec Codec, r Recorded) (trade.Body, error) {
	s, known := inCatalog(r)
	direct, ok := codec.(SchemaDecoder)
	switch {
	case known && s.Domain:
		return trade.Foreign{Type: r.Type}, nil
	case known && ok:
		return direct.DecodeAs(ctx, s, r.Data)
	}
	return codec.Decode(ctx, r.Type, r.Data)
}

// inCatalog returns the schema that r names, and reports whether this program's catalog has it.
func inCatalog(r Recorded) (schemas.Schema, bool) {
	s, ok := schemas.Find(r.Type, r.Schema)
	return s, ok && s.Fingerprint == r.Fingerprint
}

// Errors of a Codec. Each is wrapped with the offending data.
var (
	ErrUnencodable   = errors.New("value does not fit its schema")
	ErrMagic         = errors.New("data does not begin with the wire format's zero byte")
	ErrTruncated     = errors.New("data ends too early")
	ErrTrailing      = errors.New("data goes on after its end")
	ErrOversize      = errors.New("data is larger than allowed")
	ErrMalformed     = errors.New("data does not fit its schema")
	ErrWrongType     = errors.New("the schema is of another event type")
	ErrOffloaded     = errors.New("the offloaded payload was not fetched from object storage")
	ErrUnknownSchema = errors.New("no schema under this id") // or newer than the program's catalog
)

// IsUndecodable reports whether an error of Decode is the same however often the data is read. An
// unknown schema counts, since only another version of the program may know it; Decoded excludes
// the schemas of this program's catalog. The error of a registry that does not answer does not
// count.
func IsUndecodable(err error) bool {
	return slices.ContainsFunc([]error{
		ErrMagic, ErrTruncated, ErrTrailing, ErrOversize, ErrMalformed, ErrUnknownSchema,
		ErrWrongType,
	}, func(known error) bool { return errors.Is(err, known) })
}

// ErrIncompatible is wrapped with the part of a new schema that breaks compatibility.
var ErrIncompatible = errors.New("schema is not compatible")
