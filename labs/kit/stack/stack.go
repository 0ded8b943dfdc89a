// Package stack gives a log its Kafka, Postgres, S3 and schema registry.
//
// A Stack starts a component when it is first asked for. It returns addresses, never clients: code
// that talks to a component does not know where the component runs. The embedded stack is the
// default. It needs nothing except this machine.
//
// Every component asks its clients to sign in. An address comes with the secret that its component
// asks for.
package stack

import (
	"context"
	"fmt"
	"os"
)

// Stack gives the addresses of the four components. The first call of a method starts the component
// and waits until it answers; later calls return the same address. All addresses of the embedded
// stack are on the loopback interface.
type Stack interface {
	// Kafka returns the brokers.
	Kafka(ctx context.Context) (Kafka, error)
	// Postgres returns a database.
	Postgres(ctx context.Context) (Postgres, error)
	// S3 returns an endpoint with object lock.
	S3(ctx context.Context) (S3, error)
	// Registry returns a Confluent-compatible schema registry.
	Registry(ctx context.Context) (Registry, error)
	// Close stops the started components, in an order that loses no data. It may be called twice.
	Close() error
}

// Open returns a stack of the given kind: "embedded", which "" also means, or "external". If
// another process keeps the embedded stack of this directory (see Keep), Open returns that stack.
func Open(kind string, opt EmbeddedOptions) (Stack, error) {
	switch kind {
	case "", "embedded":
		kept, ok, err := FindKept(opt.Dir)
		if err != nil {
			return nil, fmt.Errorf("find the stack of %s: %w", opt.Dir, err)
		}
		if ok {
			return useKept(kept, opt), nil
		}
		return Embedded(opt), nil
	case "external":
		return External(os.Getenv), nil
	case "containers":
		// Package containers opens it. A program that needs no engine links no engine's client.
		return nil, withHint(fmt.Errorf("package stack does not open stack %q", kind),
			"use the embedded stack, which needs no set-up, or call containers.New")
	default:
		return nil, withHint(fmt.Errorf("unknown stack %q", kind),
			"choose embedded, containers or external")
	}
}

// hinted is an error with one line of advice. Callers ask an error of this package for its
// Hint() string by errors.As.
type hinted struct {
	error
	hint string
}

func (e *hinted) Unwrap() error { return e.error }

// Hint returns the advice.
func (e *hinted) Hint() string { return e.hint }

func withHint(err error, format string, args ...any) error {
	return &hinted{err, fmt.Sprintf(format, args...)}
}
