// Package domain records the events of the domains beside trading: the ledger, reports, holds.
//
// Such an event is an event like all others: it is in the log, in the Merkle tree, in extracts and
// in a restored log. The folds of trades pass over it, since it is on a stream of its own domain.
// Its schema is a file of schemas/domain, and its body is a struct with the tags of
// github.com/hamba/avro. The codec of Lab 1 knows the events of trading only.
package domain

import (
	"bytes"
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A Body is the facts of an event. It is a struct, and its fields have the tag avro with the names
// of the schema.
type Body interface {
	// EventType returns the stable name of the event's type, such as access.denied. The zero value
	// returns it, too.
	EventType() string
}

// A Codec encodes under the latest schemas. It is safe for concurrent use.
type Codec struct {
	registry contract.Registry
	name     string

	mu  sync.Mutex
	ids map[string]int // of the types that were published
}

// New returns the codec of a log. It publishes all versions of a type before it encodes the first
// event of it. The subject of a type is name, a dash and the type.
func New(registry contract.Registry, name string) *Codec {
	return &Codec{registry: registry, name: name, ids: map[string]int{}}
}

// Offline returns a codec without a registry, for tests. It numbers the types by first use.
func Offline() *Codec { return New(nil, "") }

// An Entry has the attributes of an event that its command states.
type Entry struct {
	CommandID   string
	Actor       string
	Approver    string // empty where no rule requires one
	Reason      string
	Source      string // the file or client that the command came from
	SourceLine  int64
	SubmittedBy string    // the authenticated principal; empty if nobody signed in
	EnteredAt   time.Time // UTC, microseconds
	EffectiveAt time.Time // zero means EnteredAt
	Corrects    uuid.UUID // the event of the stream that this one replaces; zero for none
	Correlation uuid.UUID // zero means the first event of the command
	Causation   uuid.UUID // the event that a process handled; zero means the command
	Traceparent string
}

// Event returns the n-th event that a command puts on record, with the id that follows from both.
// A body that its schema cannot hold is contract.ErrUnencodable.
func (c *Codec) Event(
	ctx context.Context, stream string, n uint32, entry Entry, body Body,
) (contract.Event, error) {
	p, err := c.Encode(ctx, body)
	if err != nil {
		return contract.Event{}, err
	}
	first := trade.EventID(entry.CommandID, 0)
	entered := entry.EnteredAt.UTC().Truncate(time.Microsecond)
	effective := entry.EffectiveAt.UTC().Truncate(time.Microsecond)
	if entry.EffectiveAt.IsZero() {
		effective = entered
	}
	return contract.Event{
		ID: trade.EventID(entry.CommandID, n), Stream: stream,
		Type: p.Type, Schema: p.Schema, Fingerprint: p.Fingerprint, Data: p.Data,
		EffectiveAt: effective, EnteredAt: entered, Corrects: entry.Corrects,
		CommandID: entry.CommandID, Actor: entry.Actor, Approver: entry.Approver,
		Reason: entry.Reason, Source: entry.Source, SourceLine: entry.SourceLine,
		SubmittedBy: entry.SubmittedBy, Traceparent: entry.Traceparent,
		Correlation: cmp.Or(entry.Correlation, first),
		Causation:   cmp.Or(entry.Causation, first),
	}, nil
}

// Encode returns the type, schema and data of an event.
func (c *Codec) Encode(ctx context.Context, body Body) (contract.Payload, error) {
	s, schema, err := latest(body.EventType())
	if err != nil {
		return contract.Payload{}, err
	}
	data, err := avro.Marshal(schema, body)
	if err == nil && len(data)+prefix > contract.MaxData {
		err = fmt.Errorf("%w: %d bytes, at most %d",
			contract.ErrOversize, len(data)+prefix, contract.MaxData)
	}
	if err != nil {
		return contract.Payload{}, fmt.Errorf("%w: %s: %w",
			contract.ErrUnencodable, s.Type, err)
	}
	id, err := c.publish(ctx, s.Type)
	if err != nil {
		return contract.Payload{}, err
	}
	wire := binary.BigEndian.AppendUint32([]byte{0}, uint32(id))
	return contract.Payload{Type: s.Type, Schema: s.Version, Fingerprint: s.Fingerprint,
		Data: append(wire, data...)}, nil
}

// prefix is the number of bytes before the Avro body: zero, and the registry's id.
const prefix = 5

// publish returns the registry's id of the latest version of a type. A registry gets the oldest
// version first, since it compares each version with those before it.
func (c *Codec) publish(ctx context.Context, typ string) (id int, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id, ok := c.ids[typ]; ok {
		return id, nil
	}
	id = len(c.ids) + 1
	for _, s := range schemas.Domain() {
		if s.Type != typ || c.registry == nil {
			continue
		}
		if id, err = c.registry.Register(ctx, c.name+"-"+typ, s.Text); err != nil {
			return 0, fmt.Errorf("publish %s version %d: %w", typ, s.Version, err)
		}
	}
	c.ids[typ] = id
	return id, nil
}

// Decode returns the body of an event, in today's form: Avro's rules of schema resolution fill in
// the fields that its version lacks (Avro 1.11.1, "Schema Resolution"). It asks no registry, since
// the event names its schema. The error names the event's place.
func Decode[B Body](r contract.Recorded) (body B, err error) {
	err = decode(r, &body, body.EventType())
	if err != nil {
		err = fmt.Errorf("event %s of stream %s, version %d: %w", r.ID, r.Stream, r.Version, err)
	}
	return body, err
}

func decode[B Body](r contract.Recorded, body *B, typ string) error {
	written, ok := schemas.Find(r.Type, r.Schema)
	switch {
	case r.Offloaded():
		return contract.ErrOffloaded
	case r.Type != typ:
		return fmt.Errorf("%w: %s, not %s", contract.ErrWrongType, r.Type, typ)
	case !ok || written.Fingerprint != r.Fingerprint:
		return fmt.Errorf("%w: %s version %d", contract.ErrUnknownSchema, r.Type, r.Schema)
	case len(r.Data) < prefix || r.Data[0] != 0:
		return contract.ErrMagic
	}
	writer, err := parse(written)
	if err != nil {
		return err
	}
	data := r.Data[prefix:]
	if err := canonical(writer, data); err != nil {
		return err
	}
	_, reader, err := latest(typ)
	if err != nil {
		return err
	}
	resolved, err := compatibility.Resolve(reader, writer)
	if err != nil {
		return err
	}
	if err := avro.Unmarshal(resolved, data, body); err != nil {
		return fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	return nil
}

// canonical refuses data that is not the one text of its value: the library reads missing fields as
// zero, and passes over bytes after the end.
func canonical(writer avro.Schema, data []byte) error {
	var value any
	if err := avro.Unmarshal(writer, data, &value); err != nil {
		return fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	again, err := avro.Marshal(writer, value)
	if err != nil || !bytes.Equal(again, data) {
		return fmt.Errorf("%w: it is truncated, or has bytes after its end", contract.ErrMalformed)
	}
	return nil
}

// compatibility keeps the schemas that it resolved.
var compatibility = avro.NewSchemaCompatibility()

var parsed sync.Map // avro.Schema by the text of a file

// parse returns the library's form of a schema. Each text gets a cache of its own: two versions of
// a type have one name.
func parse(s schemas.Schema) (avro.Schema, error) {
	if known, ok := parsed.Load(s.Text); ok {
		return known.(avro.Schema), nil
	}
	schema, err := avro.ParseWithCache(s.Text, "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("schema %s version %d: %w", s.Type, s.Version, err)
	}
	parsed.Store(s.Text, schema)
	return schema, nil
}

func latest(typ string) (schemas.Schema, avro.Schema, error) {
	s, ok := schemas.Latest(typ)
	if !ok || !s.Domain {
		return s, nil, fmt.Errorf("%w: schemas/domain has no schema of %s",
			contract.ErrUnencodable, typ)
	}
	schema, err := parse(s)
	return s, schema, err
}
