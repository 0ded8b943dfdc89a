package containers

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"
)

// prepare tells testcontainers how to behave, BEFORE it is first used: it reads its settings once per process.
var prepare = sync.OnceFunc(func() {
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")      // it would need an image of its own, and the engine's socket
	os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1") // where ports are published
	log.SetDefault(log.NewNoopLogger())                    // standard error is for our words
})

// engineTimeout is how long the engine may take to say that it is there.
const engineTimeout = 5 * time.Second

// connect gives a client of an engine that answers.
func connect(ctx context.Context) (*testcontainers.DockerClient, error) {
	prepare()
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	err := named(ctx)
	var engine *testcontainers.DockerClient
	if err == nil {
		engine, err = testcontainers.NewDockerClientWithOpts(ctx)
	}
	if err == nil {
		_, err = engine.Ping(ctx, client.PingOptions{})
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("no container engine answers: %w", err),
			"start one, or name its socket in DOCKER_HOST; on Debian, .ci/engine start does both. The embedded stack needs none")
	}
	return engine, nil
}

// named asks the engine that DOCKER_HOST names. Testcontainers would look for another one where it does not answer, and who named one
// wants no other.
func named(ctx context.Context) error {
	if os.Getenv("DOCKER_HOST") == "" {
		return nil
	}
	engine, err := client.New(client.FromEnv)
	if err != nil {
		return err
	}
	defer engine.Close()
	_, err = engine.Ping(ctx, client.PingOptions{})
	return err
}

// stall is how long a pull may make no progress. A registry that cannot be reached is known within it.
const stall = 15 * time.Second

// fetch sees to it that the engine has an image.
func fetch(ctx context.Context, engine client.APIClient, i image, say func(string)) error {
	name := i.name()
	_, err := engine.ImageInspect(ctx, name)
	if err == nil || !errdefs.IsNotFound(err) {
		return err
	}
	say("fetching " + name + ", once")
	if err := pull(ctx, engine, name); err != nil {
		return withHint(fmt.Errorf("image %s is not here and cannot be fetched: %w", name, err),
			"name one that the engine has in %s; where there is no registry, .ci/images/build makes all three", i.variable)
	}
	return nil
}

var errStalled = errors.New("the registry does not answer")

func pull(ctx context.Context, engine client.APIClient, name string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(stall, func() { cancel(errStalled) })
	defer idle.Stop()
	progress, err := engine.ImagePull(ctx, name, client.ImagePullOptions{})
	if err == nil {
		defer progress.Close()
		for message, failed := range progress.JSONMessages(ctx) {
			idle.Reset(stall)
			if failed == nil && message.Error != nil {
				failed = message.Error
			}
			err = errors.Join(err, failed)
		}
	}
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	return err
}
