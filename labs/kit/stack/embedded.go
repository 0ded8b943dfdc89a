package stack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"
)

// EmbeddedOptions says where the embedded stack keeps its files and where it finds the programs it runs.
type EmbeddedOptions struct {
	// Dir holds every file of the stack: one subdirectory per component and the lock. It is created if it is missing.
	Dir string
	// Log takes progress lines, one call per line, from any goroutine. Nil keeps quiet.
	Log func(line string)

	// PostgresBin is the directory of postgres and initdb. Empty: BLOTTER_POSTGRES_BIN, else PATH, else where the
	// system's packages put them, highest version first.
	PostgresBin string
	// S3Gateway is the versitygw program. Empty: BLOTTER_S3_GATEWAY, else .tools/bin/versitygw in the working
	// directory or a parent of it, else PATH.
	S3Gateway string

	// SyncWrites makes the broker fsync every batch before it acknowledges it. What is acknowledged survives the end of
	// the process either way; this makes it survive the loss of power too, at about a tenth of the speed for small
	// transactions.
	SyncWrites bool
}

// Embedded is a stack on this machine alone: the broker and the registry in this process, Postgres and the S3 gateway as
// its children, which end when it ends, however it ends.
//
// Nothing happens before a component is first asked for; then the directory is locked (*InUseError when another process
// holds it) and stays so until Close. Ports are chosen anew at every start: ask, never remember.
//
// # What a SIGKILL of the process loses
//
// Nothing that was acknowledged: the broker, the gateway and the registry have handed it to the operating system by then,
// Postgres and the registry have also synced it. A transaction open at that moment is aborted at the next start and its
// producer fenced. One that was being ended may be seen in part, although nobody was told it was committed: what reads
// Kafka must take the log, not its luck, for the truth. Producer sequence numbers since the last clean Close are
// forgotten, so only a new InitProducerID makes a producer that survived the broker safe.
//
// The loss of power may take what the operating system had not written yet from the broker (unless SyncWrites) and from
// the gateway.
func Embedded(opt EmbeddedOptions) Stack {
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	return &embedded{opt: opt}
}

// component is what a started part of the stack owes to the rest.
type component interface {
	// failed is why the part can no longer be used, or nil.
	failed() error
	// stop ends it in an orderly way; it is called once.
	stop() error
}

type embedded struct {
	opt  EmbeddedOptions
	root root

	broker   slot[*broker]
	postgres slot[*postgres]
	gateway  slot[*gateway]
	registry slot[*registry]
}

func (e *embedded) Kafka(ctx context.Context) ([]string, error) {
	b, err := e.broker.get(ctx, e, startBroker)
	if err != nil {
		return nil, fmt.Errorf("kafka: %w", err)
	}
	return b.addrs, nil
}

func (e *embedded) Postgres(ctx context.Context) (string, error) {
	p, err := e.postgres.get(ctx, e, startPostgres)
	if err != nil {
		return "", fmt.Errorf("postgres: %w", err)
	}
	return p.dsn, nil
}

func (e *embedded) S3(ctx context.Context) (S3, error) {
	g, err := e.gateway.get(ctx, e, startGateway)
	if err != nil {
		return S3{}, fmt.Errorf("s3: %w", err)
	}
	return g.s3, nil
}

func (e *embedded) Registry(ctx context.Context) (string, error) {
	r, err := e.registry.get(ctx, e, startRegistry)
	if err != nil {
		return "", fmt.Errorf("registry: %w", err)
	}
	return r.url, nil
}

// Close stops what is derived before what it is derived from: first the object store and the read models, then the log,
// then the schemas that explain the log, and the lock last, so that whoever takes it finds every file closed.
func (e *embedded) Close() error {
	return errors.Join(
		e.gateway.close("s3"),
		e.postgres.close("postgres"),
		e.broker.close("kafka"),
		e.registry.close("registry"),
		e.root.close(),
	)
}

// slot holds one component: absent, running, or closed for good. A start that fails leaves it absent, so that the next
// call tries again.
type slot[C component] struct {
	mu      sync.Mutex
	running bool
	closed  bool
	c       C
}

var errClosed = errors.New("the stack is closed")

func (s *slot[C]) get(ctx context.Context, e *embedded, start func(context.Context, string, EmbeddedOptions) (C, error)) (C, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var none C
	if s.closed {
		return none, errClosed
	}
	if s.running {
		return s.c, s.c.failed()
	}
	if err := e.root.open(e.opt.Dir); err != nil {
		return none, err
	}
	c, err := start(ctx, e.root.dir, e.opt)
	if err != nil {
		return none, err
	}
	s.c, s.running = c, true
	return c, nil
}

func (s *slot[C]) close(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || !s.running {
		s.closed = true
		return nil
	}
	s.closed = true
	if err := errors.Join(s.c.failed(), s.c.stop()); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// root is the data directory, locked from the first component's start to Close.
type root struct {
	mu   sync.Mutex
	dir  string
	lock *lock
}

func (r *root) open(dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lock != nil {
		return nil
	}
	if dir == "" {
		return errors.New("no data directory was named")
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	// Others may pass through, since Postgres may run as another user, but not look around.
	if err := os.MkdirAll(abs, 0o711); err != nil {
		return err
	}
	r.lock, err = lockDir(abs)
	r.dir = abs
	return err
}

func (r *root) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.lock == nil {
		return nil
	}
	err := r.lock.release()
	r.lock = nil
	return err
}
