package containers

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"github.com/testcontainers/testcontainers-go"
	nodes "github.com/testcontainers/testcontainers-go/network"
)

// A spec describes the container of a component.
type spec struct {
	image    image
	port     string // in the container
	data     string // the directory of its volume
	cmd      []string
	env      func(hostPort string) map[string]string
	files    map[string]string // by path in the container; its user may read them
	secret   string
	identity identity
	caFile   string // of the identity, on this machine
	ping     func(ctx context.Context, i *instance) error

	network   string // in which its name is its component; empty: the engine's default network
	volume    string
	temporary bool // Close removes the volume
}

// instance is a container that was started.
type instance struct {
	spec
	name      Component
	hostPort  string
	container testcontainers.Container
	engine    client.APIClient
}

// startTimeout bounds the time until a component answers, on a busy machine.
const startTimeout = 3 * time.Minute

// pingTimeout bounds one question to a component, which asks again until startTimeout.
const pingTimeout = 10 * time.Second

// volumeName names the volume of a component by directory and secret. A directory that was removed
// and created again has another secret, which would not open the old database. A copy of a
// directory has another path, and must not write the same files.
func volumeName(dir, secret string, name Component) string {
	digest := sha256.Sum256([]byte(dir + "\x00" + secret))
	return fmt.Sprintf("blotter-%x-%s", digest[:8], name)
}

func run(ctx context.Context, engine client.APIClient, dir string, name Component, sp spec,
	log func(string),
) (*instance, error) {
	if err := fetch(ctx, engine, sp.image, log); err != nil {
		return nil, err
	}
	i := &instance{spec: sp, name: name, engine: engine}
	// Another process may take the free port before the engine binds it.
	for attempt := 1; ; attempt++ {
		err := i.create(ctx, dir)
		if err == nil {
			break
		}
		err = errors.Join(err, i.remove(false))
		if attempt == 3 || !isPortTaken(err) {
			return nil, err
		}
	}
	if err := i.waitReady(ctx); err != nil {
		return nil, errors.Join(err, i.remove(false))
	}
	return i, nil
}

func isPortTaken(err error) bool {
	return strings.Contains(err.Error(), "address already in use") ||
		strings.Contains(err.Error(), "port is already allocated")
}

func (i *instance) create(ctx context.Context, dir string) (err error) {
	if i.hostPort, err = freePort(); err != nil {
		return err
	}
	inside := network.MustParsePort(i.port + "/tcp")
	onNetwork := testcontainers.CustomizeRequestOption(
		func(*testcontainers.GenericContainerRequest) error { return nil })
	if i.network != "" {
		onNetwork = nodes.WithNetworkName([]string{string(i.name)}, i.network)
	}
	i.container, err = testcontainers.Run(ctx, i.image.name(), onNetwork,
		testcontainers.WithExposedPorts(inside.String()),
		testcontainers.WithEnv(i.env(i.hostPort)),
		testcontainers.WithCmd(i.cmd...),
		testcontainers.WithLabels(labels(dir)),
		testcontainers.WithAdditionalLifecycleHooks(testcontainers.ContainerLifecycleHooks{
			PostCreates: []testcontainers.ContainerHook{i.copyFiles}, // BEFORE the start
		}),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			loopback := netip.MustParseAddr("127.0.0.1")
			c.PortBindings = network.PortMap{inside: {{HostIP: loopback, HostPort: i.hostPort}}}
			c.Mounts = []mount.Mount{{
				Type: mount.TypeVolume, Source: i.volume, Target: i.data,
				VolumeOptions: &mount.VolumeOptions{Labels: volumeLabels(dir, i.temporary)},
			}}
		}),
	)
	return err
}

func (i *instance) copyFiles(ctx context.Context, c testcontainers.Container) error {
	if len(i.files) == 0 {
		return nil
	}
	content, err := archive(i.files)
	if err != nil {
		return err
	}
	_, err = i.engine.CopyToContainer(ctx, c.GetContainerID(), client.CopyToContainerOptions{
		DestinationPath: "/", Content: content,
	})
	return err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), l.Close()
}

func (i *instance) address() string { return net.JoinHostPort("127.0.0.1", i.hostPort) }

// waitReady waits until the component answers. It fails when the container has ended.
func (i *instance) waitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := i.ping(ctx, i)
		if err == nil {
			return nil
		}
		if state, inspecting := i.container.State(ctx); inspecting == nil && !state.Running {
			return fmt.Errorf("the container ended with status %d; the end of its log:\n%s",
				state.ExitCode, i.logTail(ctx))
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("no answer at %s", i.address()), err, ctx.Err())
		case <-tick.C:
		}
	}
}

// logTail returns the last lines of the container's output.
func (i *instance) logTail(ctx context.Context) string {
	logs, err := i.container.Logs(ctx)
	if err != nil {
		return err.Error()
	}
	defer logs.Close()
	text, err := io.ReadAll(io.LimitReader(logs, 1<<20))
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-10):], "\n")
}

// stopTimeout bounds the time in which a component ends by itself.
const stopTimeout = 20 * time.Second

// remove ends the container in an orderly way and removes it. It accepts an instance without a
// container.
func (i *instance) remove(withVolume bool) error {
	if i.container == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopTimeout)
	defer cancel()
	timeout := stopTimeout
	if withVolume {
		timeout = 0 // its data is not needed
	}
	err := i.container.Terminate(ctx,
		testcontainers.StopContext(ctx), testcontainers.StopTimeout(timeout))
	if err == nil && withVolume {
		_, err = i.engine.VolumeRemove(ctx, i.volume, client.VolumeRemoveOptions{})
	}
	i.container = nil
	return err
}
