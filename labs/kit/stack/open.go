package stack

import (
	"fmt"
	"os"
)

// Open gives the stack of a kind: "embedded", which "" also means, or "external". Where a process keeps the embedded stack
// of this directory (see Keep), it is that one.
func Open(kind string, opt EmbeddedOptions) (Stack, error) {
	switch kind {
	case "", "embedded":
		at, ok, err := FindStanding(opt.Dir)
		if err != nil {
			return nil, fmt.Errorf("find the stack of %s: %w", opt.Dir, err)
		}
		if ok {
			return useStanding(at, opt), nil
		}
		return Embedded(opt), nil
	case "external":
		return External(os.Getenv), nil
	case "containers":
		// Package containers has it: what needs no engine need not carry an engine's client.
		return nil, withHint(fmt.Errorf("stack %q is not opened here", kind), "use the embedded stack, which needs no set-up, or containers.New")
	default:
		return nil, withHint(fmt.Errorf("unknown stack %q", kind), "the kinds are embedded, containers and external")
	}
}
