package codec

import (
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// A Mode names the programs that a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with the reason.
var ErrIncompatible = contract.ErrIncompatible

// Compatible returns an error if next may not follow the published versions, oldest first (L1.I7).
// It adds one rule to Avro's own: a logical type never changes, nor the precision or scale of a
// decimal.
//
// An unknown mode and a next that is not a schema are always incompatible, even if nothing is
// published yet. The mode NONE allows everything else.
//
// Exercise 6. The library has Avro's own rules:
// avro.NewSchemaCompatibility().Compatible(reader, writer). Parse each schema with a cache of its
// own (avro.ParseWithCache with a new avro.SchemaCache), because avro.Parse keeps every schema that
// it parsed as long as the program runs.
func Compatible(mode Mode, next string, published ...string) error {
	return check.TODO("L1.compatible")
}
