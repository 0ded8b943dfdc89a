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

	"example.com/blotter/labs/kit/stack"
)

// configure sets testcontainers up BEFORE its first use: it reads its settings once per process.
var configure = sync.OnceFunc(func() {
	// Ryuk would need an image of its own, and the engine's socket.
	os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true")
	// Ports are published on this address.
	os.Setenv("TESTCONTAINERS_HOST_OVERRIDE", "127.0.0.1")
	// Standard error is for our own messages.
	log.SetDefault(log.NewNoopLogger())
})

// engineTimeout bounds the engine's first answer.
const engineTimeout = 5 * time.Second

// connect returns a client of an engine that answers.
func connect(ctx context.Context) (*testcontainers.DockerClient, error) {
	configure()
	ctx, cancel := context.WithTimeout(ctx, engineTimeout)
	defer cancel()
	err := pingDockerHost(ctx)
	var engine *testcontainers.DockerClient
	if err == nil {
		engine, err = testcontainers.NewDockerClientWithOpts(ctx)
	}
	if err == nil {
		_, err = engine.Ping(ctx, client.PingOptions{})
	}
	if err != nil {
		return nil, withHint(fmt.Errorf("no container engine answers: %w", err),
			"start one, or name its socket in DOCKER_HOST; on Debian, .ci/engine start installs "+
				"and starts one. The embedded stack needs no engine")
	}
	return engine, nil
}

// pingDockerHost asks the engine of DOCKER_HOST, if that is set. Testcontainers itself would choose
// another engine if that one does not answer.
func pingDockerHost(ctx context.Context) error {
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

// pullStall bounds the time that a pull may make no progress, such as with an unreachable registry.
const pullStall = 15 * time.Second

// fetch pulls an image that the engine does not have.
func fetch(ctx context.Context, engine client.APIClient, i image, log func(string)) error {
	name := i.name()
	_, err := engine.ImageInspect(ctx, name)
	if err == nil || !errdefs.IsNotFound(err) {
		return err
	}
	log("fetching " + name + ", once")
	if err := pull(ctx, engine, name); err != nil {
		return withHint(
			fmt.Errorf("image %s is not on this engine and cannot be fetched: %w", name, err),
			"name an image that the engine has in %s; without access to a registry, "+
				".ci/images/build makes all three images", i.variable)
	}
	return nil
}

var errStalled = errors.New("the registry does not answer")

func pull(ctx context.Context, engine client.APIClient, name string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	idle := time.AfterFunc(pullStall, func() { cancel(errStalled) })
	defer idle.Stop()
	progress, err := engine.ImagePull(ctx, name, client.ImagePullOptions{})
	if err == nil {
		defer progress.Close()
		for message, failed := range progress.JSONMessages(ctx) {
			idle.Reset(pullStall)
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

// Labels of our containers and volumes. The host label excludes the directories of other machines
// that use the same engine.
const (
	dirLabel       = "com.example.blotter.dir"
	hostLabel      = "com.example.blotter.host"
	temporaryLabel = "com.example.blotter.temporary" // on a volume that its process should remove
)

func labels(dir string) map[string]string {
	host, _ := os.Hostname() // an empty name serves as a label, too
	return map[string]string{dirLabel: dir, hostLabel: host}
}

// volumeLabels returns the labels of a new volume. A volume keeps its first labels.
func volumeLabels(dir string, temporary bool) map[string]string {
	l := labels(dir)
	if temporary {
		l[temporaryLabel] = "true"
	}
	return l
}

// sweep removes the remains of killed processes of this machine: the containers whose directory no
// process has locked, then their temporary volumes and their networks. It keeps every other volume,
// even if its directory is missing: the directory may have been moved, or its disk may not be
// mounted. The caller has locked own.
func sweep(ctx context.Context, engine client.APIClient, own string) error {
	withLabel := func(label string) client.Filters {
		return make(client.Filters).Add("label", hostLabel+"="+labels("")[hostLabel], label)
	}
	isLeft := func(labels map[string]string) bool {
		return labels[dirLabel] == own || isUnlocked(labels[dirLabel])
	}
	found, err := engine.ContainerList(ctx, client.ContainerListOptions{
		All: true, Filters: withLabel(dirLabel),
	})
	if err != nil {
		return err
	}
	for _, c := range found.Items {
		if isLeft(c.Labels) {
			options := client.ContainerRemoveOptions{Force: true, RemoveVolumes: true}
			if _, err := engine.ContainerRemove(ctx, c.ID, options); err != nil && !isGone(err) {
				return err
			}
		}
	}
	volumes, err := engine.VolumeList(ctx, client.VolumeListOptions{
		Filters: withLabel(temporaryLabel),
	})
	if err != nil {
		return err
	}
	for _, v := range volumes.Items {
		if isLeft(v.Labels) {
			_, err := engine.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{})
			if err != nil && !isGone(err) {
				return err
			}
		}
	}
	networks, err := engine.NetworkList(ctx, client.NetworkListOptions{
		Filters: withLabel(dirLabel),
	})
	if err != nil {
		return err
	}
	for _, n := range networks.Items {
		if isLeft(n.Labels) {
			_, err := engine.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{})
			if err != nil && !isGone(err) {
				return err
			}
		}
	}
	return nil
}

// isGone reports whether another process has removed the object, or is removing it.
func isGone(err error) bool { return errdefs.IsNotFound(err) || errdefs.IsConflict(err) }

// isUnlocked reports whether no process has locked the directory. It is false if that is unknown.
func isUnlocked(dir string) bool {
	pid, err := stack.Holder(dir)
	return err == nil && pid == 0
}

// hinted is an error with one line of advice. Callers ask it for its Hint() string by errors.As.
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
