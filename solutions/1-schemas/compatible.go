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
func Compatible(mode Mode, next string, published ...string) error {
	kind, transitive := strings.CutSuffix(string(mode), "_TRANSITIVE")
	if !transitive && len(published) > 1 {
		published = published[len(published)-1:]
	}
	for _, old := range published {
		if err := follows(Mode(kind), next, old); err != nil {
			return fmt.Errorf("%w (%s): %w", ErrIncompatible, mode, err)
		}
	}
	return nil
}

func follows(mode Mode, next, old string) error {
	switch mode {
	case contract.None:
		return nil
	case contract.Backward:
		return understood(next, old)
	case contract.Forward:
		return understood(old, next)
	case contract.Full:
		return cmp.Or(understood(next, old), understood(old, next))
	}
	return fmt.Errorf("unknown mode %q", mode)
}
