package codec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/hamba/avro/v2"

	"example.com/blotter/labs/kit/contract"
)

// A Mode names the programs that a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with the reason.
var ErrIncompatible = contract.ErrIncompatible

// Readable returns an error if data that was written under one schema cannot be read under another,
// or would be read with another meaning. Avro's own rules protect bytes only (Avro 1.12.0, "Schema
// Resolution").
func Readable(reader, writer string) error {
	r, err := parseSchema(reader)
	if err != nil {
		return fmt.Errorf("%w: reader's schema: %w", ErrIncompatible, err)
	}
	w, err := parseSchema(writer)
	if err != nil {
		return fmt.Errorf("%w: writer's schema: %w", ErrIncompatible, err)
	}
	err = cmp.Or(avro.NewSchemaCompatibility().Compatible(r, w), visit(r, w, sameMeaning))
	if err != nil {
		return fmt.Errorf("%w: %w", ErrIncompatible, err)
	}
	return nil
}

// sameMeaning returns an error if two schemas that meet have different logical types. The standard
// asks that only of decimals ("Decimal": they match if their scales and precisions do), and
// libraries do not check even those. Under another scale the same bytes are another number.
func sameMeaning(reader, writer avro.Schema) error {
	is, was := logicalType(reader), logicalType(writer)
	if is == was {
		return nil
	}
	return fmt.Errorf("written as %s, read as %s",
		cmp.Or(was, string(writer.Type())), cmp.Or(is, string(reader.Type())))
}

// Compatible returns an error if next may not follow the published versions (oldest first) in a
// mode (Confluent, "Schema Evolution and Compatibility"). The plain modes look at the last
// published version, the transitive ones at every version.
//
// An unknown mode and a next that is not a schema are always incompatible, even if nothing is
// published yet.
func Compatible(mode Mode, next string, published ...string) error {
	plain, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	known := []Mode{contract.Backward, contract.Forward, contract.Full}
	if !slices.Contains(known, Mode(plain)) && mode != contract.None {
		return fmt.Errorf("%w: unknown mode %q", ErrIncompatible, mode)
	}
	if _, err := parseSchema(next); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
	}
	switch {
	case mode == contract.None:
		return nil
	case !transitive && len(published) > 1:
		published = published[len(published)-1:]
	}
	for _, old := range published {
		var backward, forward error
		if Mode(plain) != contract.Forward {
			backward = Readable(next, old) // new readers read old data
		}
		if Mode(plain) != contract.Backward {
			forward = Readable(old, next) // old readers read new data
		}
		if err := cmp.Or(backward, forward); err != nil {
			return fmt.Errorf("%s: %w", mode, err)
		}
	}
	return nil
}
