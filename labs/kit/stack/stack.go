// Package stack gives a log its Kafka, Postgres, S3 and schema registry.
//
// A Stack starts a component when it is first asked for, and hands out addresses, never clients: what talks to a
// component does not know where it runs. The embedded stack is the default and needs nothing but this machine.
package stack

import "context"

// Stack is the four components. Each method starts its component at the first call, waits until it answers, and returns
// the same afterwards. All addresses of the embedded stack are on the loopback interface.
type Stack interface {
	// Kafka is the seed brokers, host:port.
	Kafka(ctx context.Context) ([]string, error)
	// Postgres is the connection string of a role that may create roles, databases and schemas.
	Postgres(ctx context.Context) (string, error)
	// S3 is an endpoint with object lock.
	S3(ctx context.Context) (S3, error)
	// Registry is the base URL of a Confluent-compatible schema registry.
	Registry(ctx context.Context) (string, error)
	// Close stops what was started, in an order that loses nothing. It is safe to call twice.
	Close() error
}

// S3 is where an object store answers and how to sign in.
type S3 struct {
	Endpoint  string // host:port
	Region    string
	AccessKey string
	SecretKey string
	Secure    bool // HTTPS
}
