package codec

import (
	"cmp"
	"fmt"
	"strings"

	"example.com/blotter/labs/kit/contract"
)

// A Mode says which programs a new schema must not break.
type Mode = contract.Mode

// ErrIncompatible is wrapped with what breaks.
var ErrIncompatible = contract.ErrIncompatible

// Compatible says whether next may follow the published versions, which are given oldest first. To Avro's own rules it adds
// one: a logical type never changes, nor a decimal's precision or scale. Under another scale the same bytes are
// another number, and Avro's rules let that pass.
//
// A mode that is none, and a next that is no schema, are incompatible with anything, even when nothing is published yet.
func Compatible(mode Mode, next string, published ...string) error {
	follows, ok := modes[mode]
	if !ok {
		return fmt.Errorf("%w: unknown mode %q", ErrIncompatible, mode)
	}
	if _, err := parseSchema(next); err != nil {
		return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
	}
	if !strings.HasSuffix(string(mode), "_TRANSITIVE") && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		if err := follows(next, old); err != nil {
			return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
		}
	}
	return nil
}

// modes are what each of them asks of a schema and one before it (Confluent, "Schema Evolution and Compatibility").
var modes = map[Mode]func(next, old string) error{
	contract.Backward: backward, contract.BackwardTransitive: backward,
	contract.Forward: forward, contract.ForwardTransitive: forward,
	contract.Full: full, contract.FullTransitive: full,
	contract.None: func(_, _ string) error { return nil },
}

func backward(next, old string) error { return understood(next, old) }
func forward(next, old string) error  { return understood(old, next) }
func full(next, old string) error     { return cmp.Or(backward(next, old), forward(next, old)) }
