package codec

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Mode says which programs a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with what breaks.
var ErrIncompatible = contract.ErrIncompatible

// Compatible says whether next may follow the published versions, which are given oldest first (L1.I7). To Avro's own rules it adds
// one: a logical type never changes, nor a decimal's precision or scale.
//
// Exercise 6. The library has Avro's own rules: avro.NewSchemaCompatibility().Compatible(reader, writer). Parse each schema with a cache of its
// own (avro.ParseWithCache), for the names repeat between versions.
func Compatible(mode Mode, next string, published ...string) error {
	return check.TODO("L1.compatible")
}
