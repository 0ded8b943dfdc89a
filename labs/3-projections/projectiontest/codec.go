package projectiontest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

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
	return contract.Payload{Type: typeOf(body), Schema: 1, Data: append(bytes.Clone(wire), text...)}, nil
}

// Decode is the inverse.
func (Codec) Decode(_ context.Context, typ string, data []byte) (trade.Body, error) {
	text, ok := bytes.CutPrefix(data, wire)
	if !ok {
		return nil, contract.ErrMagic
	}
	switch typ {
	case "trade.new":
		return decode[trade.New](text)
	case "trade.amended":
		return decode[trade.Amend](text)
	case "trade.cancelled":
		return decode[trade.Cancel](text)
	case "trade.novated":
		return decode[trade.Novate](text)
	case "trade.settled":
		return decode[trade.Settle](text)
	case "trade.exercised":
		return decode[trade.Exercise](text)
	case "command.refused":
		return decode[trade.CommandRefused](text)
	case "price.marked":
		return decode[trade.PriceMarked](text)
	}
	return nil, fmt.Errorf("%w: %s", contract.ErrWrongType, typ)
}

func decode[B trade.Body](text []byte) (trade.Body, error) {
	var body B
	if err := json.Unmarshal(text, &body); err != nil {
		return nil, fmt.Errorf("%w: %v", contract.ErrMalformed, err)
	}
	return body, nil
}

func typeOf(body trade.Body) string {
	switch body.(type) {
	case trade.New:
		return "trade.new"
	case trade.Amend:
		return "trade.amended"
	case trade.Cancel:
		return "trade.cancelled"
	case trade.Novate:
		return "trade.novated"
	case trade.Settle:
		return "trade.settled"
	case trade.Exercise:
		return "trade.exercised"
	case trade.CommandRefused:
		return "command.refused"
	case trade.PriceMarked:
		return "price.marked"
	}
	panic(fmt.Sprintf("projectiontest: no type for body %T", body))
}
