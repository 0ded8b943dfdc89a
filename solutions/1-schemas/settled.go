package codec

import (
	"bytes"
	"fmt"
	"slices"
	"time"
	"unicode/utf8"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// This file encodes and decodes one event type by hand, field by field. The codec does the same for
// every type with the walks of walks.go.

// units lists the symbols of a quantity's unit, in the order of the schema.
var units = []trade.Unit{trade.MWh, trade.BBL, trade.MMBtu}

// EncodeSettled returns a settlement in the wire format, under version 2 of trade.settled, whose
// schema has an id. It returns ErrUnencodable for a settlement that the schema cannot hold.
func EncodeSettled(id int, s trade.Settle) ([]byte, error) {
	quantity, quantityErr := unscaled(s.Quantity.Value, unitScale)
	price, priceErr := unscaled(s.Price, unitScale)
	unit := slices.Index(units, s.Quantity.Unit)
	if quantityErr != nil || priceErr != nil || unit < 0 || !utf8.ValidString(s.PriceSource) {
		return nil, fmt.Errorf("%w: %+v", contract.ErrUnencodable, s)
	}
	out := newEncoder()
	out.raw(prefixOf(id))
	out.bytes(quantity)
	out.long(int64(unit))
	out.bytes(price)
	out.long(branch(s.PriceSource != ""))
	if s.PriceSource != "" {
		out.string(s.PriceSource)
	}
	for _, t := range []time.Time{s.From, s.To} {
		out.long(branch(!t.IsZero()))
		if t.IsZero() {
			continue
		}
		n, err := micros(t)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", contract.ErrUnencodable, err)
		}
		out.long(n)
	}
	if err := writeEntered(out, s.Entered); err != nil {
		return nil, err
	}
	return out.done(), nil
}

// DecodeSettled is the inverse of EncodeSettled, for the Avro body after the prefix. The decoder
// keeps its first error, so the fields are read first, and their values are judged after it is
// known that they were all there. Writing them again refuses everything that EncodeSettled would
// not have written: the third branch of a union, a padded number, a text that is not UTF-8.
func DecodeSettled(body []byte) (trade.Settle, error) {
	var s trade.Settle
	in := newDecoder(body)
	quantity, unit, price := in.bytes(), in.long(), in.bytes()
	if in.long() != 0 {
		s.PriceSource = string(in.bytes())
	}
	for _, t := range []*time.Time{&s.From, &s.To} {
		if in.long() != 0 {
			*t = time.UnixMicro(in.long()).UTC()
		}
	}
	s.Entered = readEntered(in)
	if err := in.end(); err != nil {
		return trade.Settle{}, err
	}
	if unit < 0 || unit >= int64(len(units)) {
		return trade.Settle{}, fmt.Errorf("%w: unit %d", contract.ErrMalformed, unit)
	}
	var quantityErr, priceErr error
	s.Quantity.Unit = units[unit]
	s.Quantity.Value, quantityErr = trade.FromUnscaled(quantity, unitScale)
	s.Price, priceErr = trade.FromUnscaled(price, unitScale)
	again, err := EncodeSettled(0, s)
	if quantityErr != nil || priceErr != nil || err != nil ||
		!bytes.Equal(again[prefixSize:], body) {
		return trade.Settle{}, fmt.Errorf("%w: %+v", contract.ErrMalformed, s)
	}
	return s, nil
}
