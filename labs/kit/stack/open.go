package stack

import "fmt"

// Open gives the stack of a kind: "embedded", which "" also means.
func Open(kind string, opt EmbeddedOptions) (Stack, error) {
	switch kind {
	case "", "embedded":
		return Embedded(opt), nil
	case "containers", "external":
		return nil, withHint(fmt.Errorf("stack %q is not built in yet", kind), "use the embedded stack, which needs no set-up")
	default:
		return nil, withHint(fmt.Errorf("unknown stack %q", kind), "the kinds are embedded, containers and external")
	}
}
