// Package containers is the stack of the real components: Apache Kafka (KRaft, one node or
// several), Postgres and MinIO in containers, and the in-process schema registry. It needs a
// container engine that speaks Docker's API.
//
//	s := containers.New(containers.Options{Dir: ".blotter/stack"})
//	defer s.Close()
//	at, err := s.Kafka(ctx)
//
// # Images
//
// The defaults are public images, pinned by tag. The stack fetches an image that is missing. A
// variable names another image:
//
//	BLOTTER_KAFKA_IMAGE     an image that takes the variables of apache/kafka
//	BLOTTER_POSTGRES_IMAGE  an image that takes the variables of postgres, with its data in
//	                        /var/lib/postgresql/data, and runs as user 999
//	BLOTTER_MINIO_IMAGE     an image that runs "server /data --certs-dir /tls" as root
//
// MinIO's server repository is archived, and Docker Hub no longer has its image: the default is the
// last tag at quay.io. Where no image can be fetched, .ci/images/build makes all three from
// packages.
//
// # Secrets
//
// The three servers take TLS only, with certificates of a CA that each stack makes up, and one
// password, which the directory keeps. Kafka's clients sign in with SCRAM-SHA-512.
//
// # Life of containers and volumes
//
// A container lives until Close. Its data lies in named volumes, one set for each directory
// (Options.Dir). The next stack of that directory finds the data again, unless the stack is
// Options.Temporary. A directory that was removed and created again has a new set of volumes.
//
// The containers of a killed process stay behind. The next stack on this engine, of any directory,
// removes the containers whose directory no process has locked, and their temporary volumes. No
// other volume is ever removed: a missing directory may have been moved, or its disk may not be
// mounted, and its volumes hold a log. Testcontainers' helper container (Ryuk) is switched off.
//
// Every port is published only on 127.0.0.1. The stack chooses a free port number, and a container
// keeps it when it is stopped and started: a broker must keep its advertised address.
package containers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/client"

	"example.com/blotter/labs/kit/stack"
)

// Options says where a stack belongs.
type Options struct {
	// Dir identifies the stack: the same path finds the same volumes. It holds the registry's
	// journal and the secrets, and is locked while the stack is in use. The stack creates it.
	Dir string
	// Temporary makes Close remove the volumes, too. If the process is killed before, the next
	// stack removes them.
	Temporary bool
	// BrokerSession is the time without a heartbeat after which a broker counts as dead. A killed
	// broker waits that long when it is started again. 0 means 3 s; a shorter time suits only
	// machines that are otherwise idle.
	BrokerSession time.Duration
	// Brokers is the number of Kafka brokers, on a network of their own; 0 means 1. Of three or
	// more, one may fail: an append is acknowledged when all but one of them have it. The number
	// must stay the same for a directory.
	Brokers int
	// Compatible judges schemas for the registry, see stack.EmbeddedOptions.
	Compatible func(mode, next string, published ...string) error
	// Log takes progress lines. Nil: no progress.
	Log func(line string)
}

// Stack runs the real components. See the package's documentation.
type Stack struct {
	opt      Options
	registry stack.Stack // an embedded stack that only starts its registry; it locks the directory

	mu        sync.Mutex
	engine    client.APIClient // nil before first use
	identity  identity         // made with the engine
	network   string           // of several brokers; empty if there is none
	closed    bool
	instances map[Component]*instance
}

var _ stack.Stack = (*Stack)(nil)

// A Component is a server in a container of its own.
type Component string

// The components of a stack.
const (
	Kafka    Component = "kafka"
	Postgres Component = "postgres"
	MinIO    Component = "minio"
)

// New returns a stack without starting any component.
func New(opt Options) *Stack {
	if opt.Log == nil {
		opt.Log = func(string) {}
	}
	if opt.BrokerSession == 0 {
		opt.BrokerSession = 3 * time.Second
	}
	opt.Brokers = max(1, opt.Brokers)
	return &Stack{
		opt: opt, instances: map[Component]*instance{},
		registry: stack.Embedded(stack.EmbeddedOptions{
			Dir: opt.Dir, Compatible: opt.Compatible, Log: opt.Log,
		}),
	}
}

// Brokers returns the components that are Kafka brokers.
func (s *Stack) Brokers() []Component {
	names := []Component{Kafka}
	for n := 2; n <= s.opt.Brokers; n++ {
		names = append(names, Component(fmt.Sprintf("%s-%d", Kafka, n)))
	}
	return names
}

// Kafka returns the brokers, at the addresses that they also advertise.
func (s *Stack) Kafka(ctx context.Context) (stack.Kafka, error) {
	nodes := s.Brokers()
	specify := make([]specifier, len(nodes))
	for n := range nodes {
		specify[n] = func(secret string, id identity) spec {
			return broker(s.opt.BrokerSession, nodes, n, secret, id)
		}
	}
	brokers, err := s.get(ctx, nodes, specify)
	if err != nil {
		return stack.Kafka{}, err
	}
	at := brokers[0].kafka()
	for _, i := range brokers[1:] {
		at.Brokers = append(at.Brokers, i.address())
	}
	return at, nil
}

// Postgres returns the database with a superuser for migrations, and the role of the application.
func (s *Stack) Postgres(ctx context.Context) (at stack.Postgres, err error) {
	i, err := s.one(ctx, Postgres, database)
	if err != nil {
		return at, err
	}
	at.MigrationDSN = i.dsn()
	at.DSN, err = stack.AddLogin(ctx, at.MigrationDSN, "application", i.secret)
	return at, err
}

// S3 returns MinIO's address, with the keys of its root user.
func (s *Stack) S3(ctx context.Context) (stack.S3, error) {
	i, err := s.one(ctx, MinIO, objectStore)
	if err != nil {
		return stack.S3{}, err
	}
	return i.s3(), nil
}

// Registry returns the embedded stack's registry.
func (s *Stack) Registry(ctx context.Context) (stack.Registry, error) {
	return s.registry.Registry(ctx)
}

// A specifier describes the container of a component, which has the given password and identity.
type specifier func(secret string, id identity) spec

// one returns a running component, and starts it at the first call.
func (s *Stack) one(ctx context.Context, name Component, specify specifier) (*instance, error) {
	i, err := s.get(ctx, []Component{name}, []specifier{specify})
	if err != nil {
		return nil, err
	}
	return i[0], nil
}

// get returns running components, and starts them together at the first call. A failed start leaves
// no container, and the next call tries again.
func (s *Stack) get(
	ctx context.Context, names []Component, specify []specifier,
) ([]*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, fmt.Errorf("%s: the stack is closed", names[0])
	}
	if s.instances[names[0]] == nil {
		if err := s.start(ctx, names, specify); err != nil {
			return nil, err
		}
	}
	found := make([]*instance, len(names))
	for n, name := range names {
		found[n] = s.instances[name]
	}
	return found, nil
}

// start starts components at the same time: a broker answers only when most of the brokers run.
func (s *Stack) start(ctx context.Context, names []Component, specify []specifier) error {
	dir, secret, err := s.prepare(ctx)
	if err == nil && len(names) > 1 {
		err = s.connectNodes(ctx, dir, secret)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", names[0], err)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	started, errs := make([]*instance, len(names)), make([]error, len(names))
	var wg sync.WaitGroup
	for n, name := range names {
		wg.Go(func() {
			started[n], errs[n] = s.launch(ctx, dir, secret, name, specify[n])
			if errs[n] != nil {
				errs[n] = fmt.Errorf("%s: %w", name, errs[n])
				cancel() // the others may wait for it
			}
		})
	}
	wg.Wait()
	err = errors.Join(errs...)
	for n, i := range started {
		switch {
		case err == nil:
			s.instances[names[n]] = i
		case i != nil:
			err = errors.Join(err, i.remove(false))
		}
	}
	if err != nil && len(names) > 1 {
		err = errors.Join(err, s.disconnectNodes())
	}
	return err
}

// prepare locks the directory BEFORE a container, volume or network is created in its name. It
// sweeps once.
func (s *Stack) prepare(ctx context.Context) (dir, secretText string, err error) {
	if dir, err = filepath.Abs(s.opt.Dir); err != nil {
		return "", "", err
	}
	// The registry's start locks the directory.
	if _, err := s.registry.Registry(ctx); err != nil {
		return "", "", err
	}
	if s.engine == nil {
		engine, err := connect(ctx)
		if err != nil {
			return "", "", err
		}
		if err := sweep(ctx, engine, dir); err != nil {
			return "", "", fmt.Errorf("remove the containers of a killed process: %w", err)
		}
		if s.identity, err = newIdentity(); err != nil {
			return "", "", err
		}
		if err := os.WriteFile(caFile(dir), []byte(s.identity.ca), 0o600); err != nil {
			return "", "", err
		}
		s.engine = engine
	}
	secretText, err = secret(dir)
	return dir, secretText, err
}

func (s *Stack) launch(
	ctx context.Context, dir, secret string, name Component, specify specifier,
) (*instance, error) {
	began, sp := time.Now(), specify(secret, s.identity)
	sp.caFile, sp.network = caFile(dir), s.network
	sp.volume, sp.temporary = volumeName(dir, secret, name), s.opt.Temporary
	i, err := run(ctx, s.engine, dir, name, sp, s.opt.Log)
	if err == nil {
		took := time.Since(began).Seconds()
		s.opt.Log(fmt.Sprintf("%s answers at %s after %.1f s", name, i.address(), took))
	}
	return i, err
}

// connectNodes makes the network on which the brokers find each other by the names of their
// components.
func (s *Stack) connectNodes(ctx context.Context, dir, secret string) error {
	name := volumeName(dir, secret, "network")
	_, err := s.engine.NetworkCreate(ctx, name, client.NetworkCreateOptions{Labels: labels(dir)})
	if err != nil {
		return fmt.Errorf("create the brokers' network: %w", err)
	}
	s.network = name
	return nil
}

// disconnectNodes removes the network, if there is one. Its containers are gone.
func (s *Stack) disconnectNodes() error {
	if s.network == "" {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	_, err := s.engine.NetworkRemove(ctx, s.network, client.NetworkRemoveOptions{})
	s.network = ""
	return err
}

// caFile is the file with the CA of the running containers.
func caFile(dir string) string { return filepath.Join(dir, "containers-ca.pem") }

// secret returns the password of a directory's components. It outlives their containers, since a
// database keeps its first password. The caller has locked the directory.
func secret(dir string) (string, error) {
	path := filepath.Join(dir, "containers-secret")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		// A crash before the rename leaves a file of another name, and no container with this
		// secret.
		text = []byte(rand.Text())
		if err = os.WriteFile(path+".new", text, 0o600); err == nil {
			err = os.Rename(path+".new", path)
		}
	}
	return strings.TrimSpace(string(text)), err
}

// Close removes the containers, and the volumes of a temporary stack. Then it unlocks the
// directory.
func (s *Stack) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var errs []error
	for _, name := range append([]Component{MinIO, Postgres}, s.Brokers()...) {
		if i := s.instances[name]; i != nil {
			errs = append(errs, i.remove(s.opt.Temporary))
			delete(s.instances, name)
		}
	}
	return errors.Join(append(errs, s.disconnectNodes(), s.registry.Close())...)
}

// Stop ends a running component in an orderly way. The component keeps its data and its address.
// Stop, Kill and Start serve tests of outages.
func (s *Stack) Stop(ctx context.Context, name Component) error {
	i, err := s.running(name)
	if err != nil {
		return err
	}
	timeout := stopTimeout
	return i.container.Stop(ctx, &timeout)
}

// Kill ends a component with SIGKILL.
func (s *Stack) Kill(ctx context.Context, name Component) error {
	i, err := s.running(name)
	if err != nil {
		return err
	}
	id := i.container.GetContainerID()
	_, err = s.engine.ContainerKill(ctx, id, client.ContainerKillOptions{Signal: "KILL"})
	return err
}

// Start starts a component again after Stop or Kill. It returns once the component answers, at its
// previous address.
func (s *Stack) Start(ctx context.Context, name Component) error {
	i, err := s.running(name)
	if err != nil {
		return err
	}
	if err := i.container.Start(ctx); err != nil {
		return err
	}
	return i.waitReady(ctx)
}

func (s *Stack) running(name Component) (*instance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := s.instances[name]; i != nil {
		return i, nil
	}
	return nil, fmt.Errorf("%s was not started", name)
}
