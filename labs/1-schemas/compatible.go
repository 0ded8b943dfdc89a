package codec

import (
	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Mode names the programs that a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with the reason.
var ErrIncompatible = contract.ErrIncompatible

// Readable returns ErrIncompatible if data that was written under one schema cannot be read under
// another, or would be read with another meaning (L1.I7).
//
// Exercise 1. Parse both with parseSchema (resolve.go). The library has Avro's own rules:
// avro.NewSchemaCompatibility().Compatible(reader, writer). Then visit (resolve.go) the two schemas
// with sameMeaning.
func Readable(reader, writer string) error {
	return check.TODO("L1.readable")
}

// sameMeaning returns an error if two schemas that meet have different logical types.
//
// Exercise 1. logicalType (resolve.go) has the logical type of a schema, with the precision and the
// scale of a decimal.
func sameMeaning(reader, writer avro.Schema) error {
	return check.TODO("L1.readable")
}

// Compatible returns ErrIncompatible if next may not follow the published versions, oldest first,
// in a mode (L1.I7). An unknown mode and a next that is not a schema are always incompatible, even
// if nothing is published yet. The mode NONE allows everything else.
//
// Exercise 2. Everything about two schemas is in Readable.
func Compatible(mode Mode, next string, published ...string) error {
	return check.TODO("L1.compatible")
}

// Provided and not used yet: remove this line when you use them.
var _, _, _, _ = sameMeaning, logicalType, visit, parseSchema
