// Code generated from solutions/1-schemas/jsonform.go by make generate; DO NOT EDIT.

package codec

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
)

// A JSONForm is the codec of the JSON form (see contract.JSONCodec). It is safe for concurrent use.
type JSONForm struct {
	avro     contract.Codec
	registry Registry
	ids      map[string]int         // of the JSON Schema of each type's latest version
	own      map[int]schemas.Schema // by the id of the JSON Schema
	avroIDs  map[[32]byte]int       // of the Avro schemas, by their fingerprints
	foreign  memo                   // ids that other programs published
}

var _ contract.JSONCodec = (*JSONForm)(nil)

// NewJSON publishes the JSON Schemas of the catalog, and the Avro schemas, in which events are
// handed over. The subject of a type is name, a dash, the type and "-json". The codec avro reads
// the events in Avro.
func NewJSON(
	ctx context.Context, registry Registry, name string, avro contract.Codec,
) (*JSONForm, error) {
	j := &JSONForm{
		avro: avro, registry: registry, ids: map[string]int{}, own: map[int]schemas.Schema{},
		avroIDs: map[[32]byte]int{},
	}
	for _, s := range schemas.All() {
		if !s.HasJSON() {
			continue
		}
		subject := name + "-" + s.Type
		avroID, err := registry.Register(ctx, subject, s.Text)
		if err != nil {
			return nil, fmt.Errorf("publish %s version %d: %w", s.Type, s.Version, err)
		}
		id, err := registry.RegisterJSON(ctx, subject+"-json", s.JSON())
		if err != nil {
			return nil, fmt.Errorf("publish %s version %d as JSON: %w", s.Type, s.Version, err)
		}
		j.ids[s.Type], j.own[id], j.avroIDs[s.Fingerprint] = id, s, avroID
	}
	return j, nil
}

// Encode returns the payload of a body in the JSON form. It refuses a body that Avro refuses, or of
// which the text would be another event in Avro, such as a delivery that ends before it begins.
// Schema and Fingerprint are those of the Avro schema: the JSON form has no others.
func (j *JSONForm) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	text, err := JSON(body)
	if err != nil {
		return contract.Payload{}, err
	}
	typ := typeOf(body)
	s, _ := schemas.Latest(typ)
	f := formatOf(s)
	same := false
	if want, err := f.write(nil, f.fromBody(body)); err == nil {
		value, readErr := f.readJSON(text)
		got, writeErr := f.write(nil, value)
		same = readErr == nil && writeErr == nil && bytes.Equal(want, got)
	}
	data := append(prefixOf(j.ids[typ]), text...)
	switch {
	case !same:
		err = fmt.Errorf("%w: %.200s", contract.ErrUnencodable, text)
	case len(data) > contract.MaxData:
		err = fmt.Errorf("%w: %w: %d bytes, at most %d",
			contract.ErrUnencodable, contract.ErrOversize, len(data), contract.MaxData)
	}
	if err != nil {
		return contract.Payload{}, fmt.Errorf("encode %s as JSON: %w", typ, err)
	}
	return contract.Payload{
		Type: typ, Schema: s.Version, Fingerprint: s.Fingerprint, Data: data,
	}, nil
}

// Decode is the inverse of Encode (see contract.Codec).
func (j *JSONForm) Decode(ctx context.Context, typ string, data []byte) (trade.Body, error) {
	e, err := j.Avro(ctx, contract.Event{Type: typ, Data: data})
	if err != nil {
		return nil, fmt.Errorf("decode %s: %w", typ, err)
	}
	return j.avro.Decode(ctx, typ, e.Data)
}

// schemaOf returns the schema of the catalog whose JSON form the prefix of data names, and the id
// of that schema in Avro. It has the errors of Codec.Decode for a bad prefix, an unknown id, and a
// registry that does not answer.
func (j *JSONForm) schemaOf(
	ctx context.Context, data []byte,
) (s schemas.Schema, avroID int, err error) {
	switch {
	case len(data) > contract.MaxData:
		return s, 0, fmt.Errorf("%w: %d bytes", contract.ErrOversize, len(data))
	case len(data) > 0 && data[0] != 0:
		return s, 0, fmt.Errorf("%w: %#02x", contract.ErrMagic, data[0])
	case len(data) < prefixSize:
		return s, 0, fmt.Errorf("%w: in the prefix", contract.ErrTruncated)
	}
	id := int(binary.BigEndian.Uint32(data[1:]))
	s, ok := j.own[id]
	if !ok {
		s, err = j.foreign.get(ctx, id, func() (schemas.Schema, error) {
			text, err := j.registry.Text(ctx, id)
			if err != nil {
				return schemas.Schema{}, err
			}
			s, _ := schemas.IdentifyJSON(text) // the zero Schema is outside the catalog
			return s, nil
		})
	}
	if err == nil && s.Version == 0 {
		err = fmt.Errorf("%w: it is no JSON Schema of the catalog", contract.ErrUnknownSchema)
	}
	if err != nil {
		return s, 0, fmt.Errorf("schema %d: %w", id, err)
	}
	return s, j.avroIDs[s.Fingerprint], nil
}
