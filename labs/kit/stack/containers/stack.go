package containers

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"example.com/blotter/labs/kit/stack"
)

// Options says where a stack belongs.
type Options struct {
	// Dir names the stack: its volumes are found again by this path. The registry's journal and the secrets lie in it, and it is
	// locked while the stack is in use. It is created if it is missing.
	Dir string
	// Temporary has Close remove the volumes too, or the next stack, if the process is killed before.
	Temporary bool
	// BrokerSession is how long a broker may say nothing before it counts as dead, and how long one that was killed waits when it
	// is started again. 0 means 3 s; less is for machines that have little else to do.
	BrokerSession time.Duration
	// Compatible judges schemas for the registry, see stack.EmbeddedOptions.
	Compatible func(mode, next string, published ...string) error
	// Log takes progress lines. Nil keeps quiet.
	Log func(line string)
}

// Stack is the real parts. See the package's documentation.
type Stack struct {
	opt      Options
	registry stack.Stack // the embedded one, of which nothing else is started; it locks the directory

	mu     sync.Mutex
	engine client.APIClient // nil before first use
	closed bool
	parts  map[Part]*part
}

var _ stack.Stack = (*Stack)(nil)

// A Part is what runs in one container.
type Part string

const (
	Kafka    Part = "kafka"
	Postgres Part = "postgres"
	MinIO    Part = "minio"
)

// New is a stack of which nothing runs yet.
func New(opt Options) *Stack {
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	if opt.BrokerSession == 0 {
		opt.BrokerSession = 3 * time.Second
	}
	return &Stack{
		opt: opt, parts: map[Part]*part{},
		registry: stack.Embedded(stack.EmbeddedOptions{Dir: opt.Dir, Compatible: opt.Compatible, Log: opt.Log}),
	}
}

// Kafka is the seed broker, at an address that also the broker gives as its own.
func (s *Stack) Kafka(ctx context.Context) ([]string, error) {
	p, err := s.started(ctx, Kafka, func(string) plan { return broker(s.opt.BrokerSession) })
	if err != nil {
		return nil, err
	}
	return []string{p.address()}, nil
}

// Postgres is the connection string of a superuser.
func (s *Stack) Postgres(ctx context.Context) (string, error) {
	p, err := s.started(ctx, Postgres, database)
	if err != nil {
		return "", err
	}
	return p.dsn(), nil
}

// S3 is MinIO, with the keys of its root user.
func (s *Stack) S3(ctx context.Context) (stack.S3, error) {
	p, err := s.started(ctx, MinIO, objects)
	if err != nil {
		return stack.S3{}, err
	}
	return p.s3(), nil
}

// Registry is the one that the embedded stack has.
func (s *Stack) Registry(ctx context.Context) (string, error) { return s.registry.Registry(ctx) }

// started is a part that answers. A start that fails leaves nothing, so that the next call tries again.
func (s *Stack) started(ctx context.Context, name Part, plan func(secret string) plan) (*part, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%s: the stack is closed", name)
	}
	if p := s.parts[name]; p != nil {
		return p, nil
	}
	p, err := s.start(ctx, name, plan)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	s.parts[name] = p
	return p, nil
}

// start locks the directory BEFORE anything is made under its name, and sweeps once.
func (s *Stack) start(ctx context.Context, name Part, plan func(string) plan) (*part, error) {
	dir, err := filepath.Abs(s.opt.Dir)
	if err != nil {
		return nil, err
	}
	if _, err := s.registry.Registry(ctx); err != nil {
		return nil, err
	}
	if s.engine == nil {
		engine, err := connect(ctx)
		if err != nil {
			return nil, err
		}
		if err := sweep(ctx, engine, dir); err != nil {
			return nil, fmt.Errorf("remove what a killed process left: %w", err)
		}
		s.engine = engine
	}
	secret, err := secret(dir)
	if err != nil {
		return nil, err
	}
	pl, began := plan(secret), time.Now()
	pl.volume, pl.temporary = volumeOf(dir, secret, name), s.opt.Temporary
	p, err := run(ctx, s.engine, dir, name, pl, s.opt.Log)
	if err == nil {
		s.opt.Log(fmt.Sprintf("%s answers at %s after %.1f s", name, p.address(), time.Since(began).Seconds()))
	}
	return p, err
}

// Close removes the containers, and the volumes of a temporary stack, then unlocks the directory.
func (s *Stack) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, name := range []Part{MinIO, Postgres, Kafka} {
		if p := s.parts[name]; p != nil {
			errs = append(errs, p.remove(s.opt.Temporary))
			delete(s.parts, name)
		}
	}
	return errors.Join(append(errs, s.registry.Close())...)
}
