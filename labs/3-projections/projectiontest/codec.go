package projectiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"reflect"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Codec is a contract.Codec whose data is JSON behind the five bytes of the wire format. It stands in for the one of Lab 1, so
// that a mistake there costs nothing here.
type Codec struct{}

var _ contract.Codec = Codec{}

var wire = []byte{0, 0, 0, 0, 1}

// Encode never fails: every body is plain data.
func (Codec) Encode(_ context.Context, body trade.Body) (contract.Payload, error) {
	text, err := json.Marshal(body)
	if err != nil {
		return contract.Payload{}, err
	}
	return contract.Payload{Type: trade.KindOf(body).Type, Schema: 1, Data: append(bytes.Clone(wire), text...)}, nil
}

// Decode is the inverse.
func (Codec) Decode(_ context.Context, typ string, data []byte) (trade.Body, error) {
	text, found := bytes.CutPrefix(data, wire)
	if !found {
		return nil, contract.ErrMagic
	}
	kind, ok := trade.KindOfType(typ)
	if !ok {
		return nil, fmt.Errorf("%w: %s", contract.ErrWrongType, typ)
	}
	body := reflect.New(reflect.TypeOf(kind.Zero))
	if err := json.Unmarshal(text, body.Interface()); err != nil {
		return nil, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	return body.Elem().Interface().(trade.Body), nil
}
