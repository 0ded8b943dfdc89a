package stack

import (
	"context"
	"errors"
	"fmt"
	"sync"
)

// EmbeddedOptions says where the embedded stack keeps its files and finds its programs.
type EmbeddedOptions struct {
	// Dir holds the lock and one subdirectory for each component. The stack creates it.
	Dir string
	// Log takes progress lines, one for each call, from any goroutine. Nil: no progress.
	Log func(line string)
	// Failed is called once for each started component that can no longer be used: its process
	// died, or its files cannot be written. Calls that wait for its answer may wait for ever. Nil:
	// no call.
	Failed func(error)

	// Compatible reports why the schema next may not follow the published schemas of its subject,
	// the oldest first, in a Confluent compatibility mode such as "BACKWARD" or "FULL_TRANSITIVE".
	// In mode "NONE" it only reports why next is no schema at all. The registry asks it about every
	// schema that it does not have yet. Nil: the registry cannot judge schemas. It accepts any text
	// as the first schema of a subject, and another one only in mode "NONE".
	Compatible func(mode, next string, published ...string) error

	// PostgresBin is the directory of postgres and initdb. If it is empty, the stack looks at
	// BLOTTER_POSTGRES_BIN, then in PATH, then in the directories of the usual system packages,
	// where the highest version wins.
	PostgresBin string
	// S3Gateway is the versitygw program. If it is empty, the stack looks at BLOTTER_S3_GATEWAY,
	// then beside the running program, then for .tools/bin/versitygw in the parents of the working
	// directory and of the program, then in PATH.
	S3Gateway string

	// SyncWrites makes the broker fsync every batch before it acknowledges it. Acknowledged batches
	// survive the end of the process in any case; with SyncWrites they also survive a power
	// failure. Small transactions then run at about a tenth of the speed.
	SyncWrites bool
}

// Embedded returns a stack that needs only this machine. The broker and the registry run in this
// process. Postgres and the S3 gateway are its children, and end when this process ends for any
// reason.
//
// Every component has a secret of its own, in a file of the directory that only its owner may read.
// Clients without it are refused.
//
// The first request for a component locks the directory, until Close. If another process holds the
// lock, the request fails with *InUseError. Ports differ at every start: callers must ask for an
// address each time.
//
// # Effects of a SIGKILL of the process
//
// No acknowledged data is lost: the broker, the gateway and the registry pass data to the operating
// system before they acknowledge it; Postgres and the registry also sync it. The next start aborts
// an open transaction and fences its producer. If the process was killed while a transaction was
// ending, a part of it may become visible, although no client was told that it was committed.
// Readers must treat the log as the truth. Producer sequence numbers since the last clean Close are
// forgotten: a producer that survived the broker is safe only after a new InitProducerID.
//
// A power failure may also lose data that the operating system had not yet written for the broker
// (except with SyncWrites) and for the gateway.
func Embedded(opt EmbeddedOptions) Stack {
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	if opt.Failed == nil {
		opt.Failed = func(error) {}
	}
	forgetUsersPostgres()
	return &embedded{opt: opt}
}

// component is a started component of the stack.
type component interface {
	// failed returns the reason why the component can no longer be used, or nil.
	failed() error
	// ended is closed when the component has failed or was stopped.
	ended() <-chan struct{}
	// stop ends the component in an orderly way. It is called once.
	stop() error
}

type embedded struct {
	opt EmbeddedOptions
	dir dataDir

	broker   lazy[*broker]
	postgres lazy[*postgres]
	gateway  lazy[*gateway]
	registry lazy[*registry]
}

// Kafka implements Stack.
func (e *embedded) Kafka(ctx context.Context) (Kafka, error) {
	b, err := e.broker.get(ctx, e, "kafka", startBroker)
	if err != nil {
		return Kafka{}, err
	}
	return b.at, nil
}

// Postgres implements Stack.
func (e *embedded) Postgres(ctx context.Context) (Postgres, error) {
	p, err := e.postgres.get(ctx, e, "postgres", startPostgres)
	if err != nil {
		return Postgres{}, err
	}
	return p.at, nil
}

// S3 implements Stack.
func (e *embedded) S3(ctx context.Context) (S3, error) {
	g, err := e.gateway.get(ctx, e, "s3", startGateway)
	if err != nil {
		return S3{}, err
	}
	return g.s3, nil
}

// Registry implements Stack.
func (e *embedded) Registry(ctx context.Context) (Registry, error) {
	r, err := e.registry.get(ctx, e, "registry", startRegistry)
	if err != nil {
		return Registry{}, err
	}
	return r.at, nil
}

// Close stops derived data before its source: the object store and the read models first, then the
// log, then the schemas that explain the log. It releases the lock last: the process that takes the
// lock next finds every file closed.
func (e *embedded) Close() error {
	return errors.Join(
		e.gateway.close("s3"),
		e.postgres.close("postgres"),
		e.broker.close("kafka"),
		e.registry.close("registry"),
		e.dir.close(),
	)
}

// lazy holds one component, which is absent, running, or closed for good. After a failed start it
// is absent, and the next call tries again.
type lazy[C component] struct {
	mu        sync.Mutex
	running   bool
	closed    bool
	component C
}

var errClosed = errors.New("the stack is closed")

// starter is one of startBroker, startPostgres, startGateway and startRegistry.
type starter[C component] func(ctx context.Context, dir string, opt EmbeddedOptions) (C, error)

func (l *lazy[C]) get(ctx context.Context, e *embedded, name string, start starter[C]) (C, error) {
	var c C
	var err error
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case l.closed:
		err = errClosed
	case l.running:
		c, err = l.component, l.component.failed()
	default:
		if err = e.dir.open(e.opt.Dir); err == nil {
			c, err = start(ctx, e.dir.path, e.opt)
		}
		if err == nil {
			l.component, l.running = c, true
			go l.watch(name, e.opt.Failed)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return c, err
}

// watch calls failed when the component ends before it is closed.
func (l *lazy[C]) watch(name string, failed func(error)) {
	<-l.component.ended()
	l.mu.Lock()
	closed := l.closed
	l.mu.Unlock()
	if !closed {
		failed(fmt.Errorf("%s: %w", name, l.component.failed()))
	}
}

func (l *lazy[C]) close(name string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || !l.running {
		l.closed = true
		return nil
	}
	l.closed = true
	if err := errors.Join(l.component.failed(), l.component.stop()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}
