package contract

import (
	"context"
	"errors"

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
type Codec interface {
	// Encode fills Type, Schema, Fingerprint and Data of an event.
	Encode(ctx context.Context, body trade.Body) (Payload, error)
	// Decode is the inverse. It takes typ to check that the data's schema is one of that type's.
	Decode(ctx context.Context, typ string, data []byte) (trade.Body, error)
}

// A Payload is a body as it goes into an event.
type Payload struct {
	Type        string
	Schema      int
	Fingerprint [32]byte
	Data        []byte
}

// Errors of a Codec. Each is wrapped with what was found.
var (
	ErrUnencodable   = errors.New("value does not fit its schema")
	ErrMagic         = errors.New("data does not begin with the wire format's zero byte")
	ErrTruncated     = errors.New("data ends too early")
	ErrTrailing      = errors.New("data goes on after its end")
	ErrOversize      = errors.New("data is larger than allowed")
	ErrMalformed     = errors.New("data is not what its schema says")
	ErrUnknownSchema = errors.New("no schema under this id")
	ErrWrongType     = errors.New("the schema is of another event type")
)
