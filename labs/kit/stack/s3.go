package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// gateway is versitygw over plain files: buckets with versions and object lock. It does not sync what it writes, so the
// loss of power may take the latest objects; and it serves a file that was changed behind its back as if nothing had
// happened, so whoever reads an object checks its digest.
type gateway struct {
	*child
	s3 S3
}

func startGateway(ctx context.Context, root string, opt EmbeddedOptions) (*gateway, error) {
	path, err := findGateway(opt.S3Gateway)
	if err != nil {
		return nil, err
	}
	dir, err := privateDir(root, "s3")
	if err != nil {
		return nil, err
	}
	args, err := gatewayStorage(dir)
	if err != nil {
		return nil, err
	}
	s3 := S3{Region: "us-east-1", AccessKey: "blotter"}
	if s3.SecretKey, err = secret(filepath.Join(dir, "secret")); err != nil {
		return nil, err
	}
	c, err := startOnPort(ctx, func(port int) (program, func(context.Context) error) {
		s3.Endpoint = "127.0.0.1:" + strconv.Itoa(port)
		return program{
			name: "s3 gateway",
			path: path,
			args: append([]string{"--port", s3.Endpoint, "--region", s3.Region, "--keep-alive", "--quiet", "posix"}, args...),
			// In the environment, since anybody can read a command line.
			env: baseEnv("ROOT_ACCESS_KEY="+s3.AccessKey, "ROOT_SECRET_KEY="+s3.SecretKey),
			dir: dir, log: filepath.Join(dir, "log"), death: syscall.SIGKILL,
		}, func(ctx context.Context) error { return pingS3(ctx, s3) } // with our keys: another's port is not it
	})
	if err != nil {
		return nil, err
	}
	opt.Log("s3 answers at " + s3.Endpoint + ", process " + strconv.Itoa(c.process.Pid))
	return &gateway{child: c, s3: s3}, nil
}

// gatewayStorage is the arguments that name the gateway's directories. Metadata goes into extended attributes, or into a
// directory of its own where the file system has none; that choice, once made, is kept.
func gatewayStorage(dir string) ([]string, error) {
	objects, oerr := privateDir(dir, "objects")
	versions, verr := privateDir(dir, "versions")
	sidecar := filepath.Join(dir, "sidecar")
	if err := errors.Join(oerr, verr); err != nil {
		return nil, err
	}
	args := []string{"--versioning-dir", versions}
	_, err := os.Stat(sidecar)
	if errors.Is(err, fs.ErrNotExist) {
		able, err := hasXattrs(dir)
		if err != nil || able {
			return append(args, objects), err
		}
		err = os.Mkdir(sidecar, 0o700)
		return append(args, "--sidecar", sidecar, objects), err
	}
	return append(args, "--sidecar", sidecar, objects), err
}

// findGateway is what the caller or BLOTTER_S3_GATEWAY names, else the one the tools module built, else PATH.
func findGateway(named string) (string, error) {
	if named == "" {
		named = os.Getenv("BLOTTER_S3_GATEWAY")
	}
	if named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return "", withHint(fmt.Errorf("no S3 gateway: %w", err), "BLOTTER_S3_GATEWAY names the versitygw program")
		}
		return path, nil
	}
	if path, ok := builtGateway(); ok {
		return path, nil
	}
	path, err := exec.LookPath("versitygw")
	if err != nil {
		return "", withHint(fmt.Errorf("no S3 gateway: neither .tools/bin/versitygw here or above, nor versitygw in PATH"),
			"run: make setup")
	}
	return path, nil
}

func builtGateway() (string, bool) {
	dir, err := os.Getwd()
	if err != nil {
		return "", false
	}
	for {
		path, err := exec.LookPath(filepath.Join(dir, ".tools", "bin", "versitygw"))
		if err == nil {
			return path, true
		}
		if dir == filepath.Dir(dir) {
			return "", false
		}
		dir = filepath.Dir(dir)
	}
}

func (g *gateway) failed() error { return g.exited() }

// stop lets requests under way finish, but not for long: the gateway would wait for connections that are merely kept
// open, up to ten seconds. To kill it loses nothing: it has no buffers of its own to write out, an object appears under
// its name by one rename when it is whole, and only then is it acknowledged. A request that is cut off was not.
func (g *gateway) stop() error {
	const grace = 300 * time.Millisecond
	if ended, err := g.signal(syscall.SIGTERM, grace); ended || err != nil {
		return err
	}
	return g.kill(syscall.SIGKILL)
}
