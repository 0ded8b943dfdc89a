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
// A mode that is none, and a next that is no schema, are incompatible with anything, even when nothing is published yet. The mode NONE lets
// everything else through.
//
// Exercise 6. The library has Avro's own rules: avro.NewSchemaCompatibility().Compatible(reader, writer). Parse each schema with a cache of its
// own (avro.ParseWithCache with a new avro.SchemaCache): avro.Parse keeps all that it parsed for as long as the program runs.
func Compatible(mode Mode, next string, published ...string) error {
	return check.TODO("L1.compatible")
}
