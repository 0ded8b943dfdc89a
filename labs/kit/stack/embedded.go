package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
	// Failed is called, once for each component, when one that was started can no longer be used: its process died, or its
	// files cannot be written. Whoever waits for an answer of it may wait in vain. Nil for who does not want to know.
	Failed func(error)

	// Compatible reports why the schema next may not follow the published schemas of its subject,
	// the oldest first, in a Confluent compatibility mode such as "BACKWARD" or "FULL_TRANSITIVE".
	// In mode "NONE" it only reports why next is no schema at all. The registry calls it for every
	// schema that it is sent. Nil: the registry cannot judge a schema, it accepts any text as the
	// first of a subject, and a second one only in mode NONE.
	Compatible func(mode, next string, published ...string) error

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
	if opt.Failed == nil {
		opt.Failed = func(error) {}
	}
	return &embedded{opt: opt}
}

// component is what a started part of the stack owes to the rest.
type component interface {
	// failed is why the part can no longer be used, or nil.
	failed() error
	// ended is closed when it can no longer be used: because it failed or was stopped.
	ended() <-chan struct{}
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
	b, err := e.broker.get(ctx, e, "kafka", startBroker)
	if err != nil {
		return nil, err
	}
	return b.addrs, nil
}

func (e *embedded) Postgres(ctx context.Context) (string, error) {
	p, err := e.postgres.get(ctx, e, "postgres", startPostgres)
	if err != nil {
		return "", err
	}
	return p.dsn, nil
}

func (e *embedded) S3(ctx context.Context) (S3, error) {
	g, err := e.gateway.get(ctx, e, "s3", startGateway)
	if err != nil {
		return S3{}, err
	}
	return g.s3, nil
}

func (e *embedded) Registry(ctx context.Context) (string, error) {
	r, err := e.registry.get(ctx, e, "registry", startRegistry)
	if err != nil {
		return "", err
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

// starter is one of startBroker, startPostgres, startGateway and startRegistry.
type starter[C component] func(ctx context.Context, root string, opt EmbeddedOptions) (C, error)

func (s *slot[C]) get(ctx context.Context, e *embedded, name string, start starter[C]) (c C, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch {
	case s.closed:
		err = errClosed
	case s.running:
		c, err = s.c, s.c.failed()
	default:
		if err = e.root.open(e.opt.Dir); err == nil {
			c, err = start(ctx, e.root.dir, e.opt)
		}
		if err == nil {
			s.c, s.running = c, true
			go s.watch(name, e.opt.Failed)
		}
	}
	if err != nil {
		err = fmt.Errorf("%s: %w", name, err)
	}
	return c, err
}

// watch tells of a component that ends without being asked to.
func (s *slot[C]) watch(name string, failed func(error)) {
	<-s.c.ended()
	s.mu.Lock()
	closed := s.closed
	s.mu.Unlock()
	if !closed {
		failed(fmt.Errorf("%s: %w", name, s.c.failed()))
	}
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
	mu      sync.Mutex
	dir     string
	release func() error // nil while it is not locked
}

func (r *root) open(dir string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.release != nil {
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
	release, err := lockDir(abs)
	if err != nil {
		return err
	}
	// What a killed process wrote about where its stack is, leads nowhere.
	if err := os.Remove(filepath.Join(abs, upFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(err, release())
	}
	r.dir, r.release = abs, release
	return nil
}

func (r *root) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.release == nil {
		return nil
	}
	err := r.release()
	r.release = nil
	return err
}
