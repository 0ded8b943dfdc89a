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
)

// A plan is how a part is run.
type plan struct {
	image  image
	port   string // in the container
	data   string // the directory of its volume
	cmd    []string
	env    func(hostPort string) map[string]string
	secret string
	ping   func(ctx context.Context, p *part) error

	volume    string
	temporary bool // the volume is not to outlive the stack
}

// part is a container that was started.
type part struct {
	plan
	name      Part
	hostPort  string
	container testcontainers.Container
	engine    client.APIClient
}

// startTimeout is how long a part may take until it answers, on a machine that is busy.
const startTimeout = 90 * time.Second

// volumeOf is where a part of a directory keeps its data. Directory and secret name it together: what was begun anew at the path of one that
// was removed has another secret, and would not get into the old database; a copy has another path, and must not write the same files.
func volumeOf(dir, secret string, name Part) string {
	of := sha256.Sum256([]byte(dir + "\x00" + secret))
	return fmt.Sprintf("blotter-%x-%s", of[:8], name)
}

func run(ctx context.Context, engine client.APIClient, dir string, name Part, pl plan, say func(string)) (*part, error) {
	if err := fetch(ctx, engine, pl.image, say); err != nil {
		return nil, err
	}
	p := &part{plan: pl, name: name, engine: engine}
	// A port that was free may be taken by the time the engine binds it.
	for attempt := 1; ; attempt++ {
		err := p.create(ctx, dir)
		if err == nil {
			break
		}
		err = errors.Join(err, p.remove(false))
		if attempt == 3 || !strings.Contains(err.Error(), "address already in use") && !strings.Contains(err.Error(), "port is already allocated") {
			return nil, err
		}
	}
	if err := p.answers(ctx); err != nil {
		return nil, errors.Join(err, p.remove(false))
	}
	return p, nil
}

func (p *part) create(ctx context.Context, dir string) (err error) {
	if p.hostPort, err = freePort(); err != nil {
		return err
	}
	inside := network.MustParsePort(p.port + "/tcp")
	p.container, err = testcontainers.Run(ctx, p.image.name(),
		testcontainers.WithExposedPorts(inside.String()),
		testcontainers.WithEnv(p.env(p.hostPort)),
		testcontainers.WithCmd(p.cmd...),
		testcontainers.WithLabels(labels(dir)),
		testcontainers.WithHostConfigModifier(func(c *container.HostConfig) {
			c.PortBindings = network.PortMap{inside: {{HostIP: netip.MustParseAddr("127.0.0.1"), HostPort: p.hostPort}}}
			c.Mounts = []mount.Mount{{
				Type: mount.TypeVolume, Source: p.volume, Target: p.data,
				VolumeOptions: &mount.VolumeOptions{Labels: volumeLabels(dir, p.temporary)},
			}}
		}),
	)
	return err
}

func freePort() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return strconv.Itoa(l.Addr().(*net.TCPAddr).Port), l.Close()
}

func (p *part) address() string { return net.JoinHostPort("127.0.0.1", p.hostPort) }

// answers waits until the part does, or its container has ended.
func (p *part) answers(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		err := p.ping(ctx, p)
		if err == nil {
			return nil
		}
		if state, inspecting := p.container.State(ctx); inspecting == nil && !state.Running {
			return fmt.Errorf("the container ended with status %d; it last wrote:\n%s", state.ExitCode, p.lastWords(ctx))
		}
		select {
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("no answer at %s", p.address()), err, ctx.Err())
		case <-tick.C:
		}
	}
}

// lastWords is the end of what the container wrote.
func (p *part) lastWords(ctx context.Context) string {
	logs, err := p.container.Logs(ctx)
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

// stopTimeout is how long a part may take to end by itself.
const stopTimeout = 20 * time.Second

// remove ends the container in an orderly way. It is safe on one that was not made.
func (p *part) remove(withVolume bool) error {
	if p.container == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*stopTimeout)
	defer cancel()
	timeout := stopTimeout
	if withVolume {
		timeout = 0 // nothing is to last
	}
	err := p.container.Terminate(ctx, testcontainers.StopContext(ctx), testcontainers.StopTimeout(timeout))
	if err == nil && withVolume {
		_, err = p.engine.VolumeRemove(ctx, p.volume, client.VolumeRemoveOptions{})
	}
	p.container = nil
	return err
}
