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

// gateway is versitygw over plain files: buckets with versions and object lock. It does not sync
// its files: a power failure may lose the latest objects. It also serves a backing file that was
// changed on disk without noticing; readers must check the digest of each object.
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
	storage, err := gatewayStorage(dir)
	if err != nil {
		return nil, err
	}
	s3 := S3{Region: "us-east-1", AccessKey: "blotter"}
	if s3.SecretKey, err = secret(filepath.Join(dir, "secret")); err != nil {
		return nil, err
	}
	c, err := startServer(ctx, func(port int) (program, func(context.Context) error) {
		s3.Endpoint = "127.0.0.1:" + strconv.Itoa(port)
		return program{
			name: "s3 gateway",
			path: path,
			args: append([]string{"--port", s3.Endpoint, "--region", s3.Region,
				"--keep-alive", "--quiet", "posix"}, storage...),
			// The keys are in the environment, because every user can read a command line.
			env: baseEnv("ROOT_ACCESS_KEY="+s3.AccessKey, "ROOT_SECRET_KEY="+s3.SecretKey),
			dir: dir, log: filepath.Join(dir, "log"), deathSignal: syscall.SIGKILL,
			// The probe signs with our keys: it fails on the port of another server.
		}, func(ctx context.Context) error { return pingS3(ctx, s3) }
	})
	if err != nil {
		return nil, err
	}
	opt.Log("s3 answers at " + s3.Endpoint + ", process " + strconv.Itoa(c.process.Pid))
	return &gateway{child: c, s3: s3}, nil
}

// gatewayStorage returns the arguments that name the gateway's directories. Metadata goes into
// extended attributes. On a file system without them it goes into a directory of its own; once
// made, that choice is kept.
func gatewayStorage(dir string) ([]string, error) {
	objects, objectsErr := privateDir(dir, "objects")
	versions, versionsErr := privateDir(dir, "versions")
	if err := errors.Join(objectsErr, versionsErr); err != nil {
		return nil, err
	}
	args := []string{"--versioning-dir", versions, "--dir-perms", "0700", "--file-perms", "0600"}
	sidecar := filepath.Join(dir, "sidecar")
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

// gatewayVersion is the tested release of versitygw: that of .tools/go.mod.
const gatewayVersion = "v1.8.0"

// findGateway returns the given program, or that of BLOTTER_S3_GATEWAY, or the one that was
// installed beside this program, or the one that the tools module built, or the one in PATH.
func findGateway(program string) (string, error) {
	if program == "" {
		program = os.Getenv("BLOTTER_S3_GATEWAY")
	}
	if program != "" {
		path, err := exec.LookPath(program)
		if err != nil {
			return "", withHint(fmt.Errorf("no S3 gateway: %w", err),
				"set BLOTTER_S3_GATEWAY to the path of the versitygw program")
		}
		return path, nil
	}
	beside := programDir()
	if path, err := exec.LookPath(filepath.Join(beside, "versitygw")); err == nil {
		return path, nil
	}
	working, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for _, dir := range []string{working, beside} {
		if path, ok := builtTool(dir, "versitygw"); ok {
			return path, nil
		}
	}
	if path, err := exec.LookPath("versitygw"); err == nil {
		return path, nil
	}
	return "", withHint(fmt.Errorf("no S3 gateway: no versitygw in %s or in PATH, "+
		"and no .tools/bin/versitygw in the working directory or its parents", beside),
		"run make install in a clone of blotter; or install the gateway in PATH: "+
			"go install github.com/versity/versitygw/cmd/versitygw@"+gatewayVersion)
}

// programDir returns the directory of the running program, without links.
func programDir() string {
	path, err := os.Executable()
	if err != nil {
		return "" // then the gateway is looked for in the working directory
	}
	if linked, err := filepath.EvalSymlinks(path); err == nil {
		path = linked
	}
	return filepath.Dir(path)
}

// builtTool looks for a program that .tools/setup built, in dir and its parents.
func builtTool(dir, name string) (string, bool) {
	for {
		path, err := exec.LookPath(filepath.Join(dir, ".tools", "bin", name))
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

// stop gives requests a short time to finish. The gateway itself would wait up to ten seconds for
// idle connections. Killing it loses no data: it has no buffers of its own, a complete object gets
// its name by one rename, and only then the gateway acknowledges it. A request that is cut off was
// not acknowledged.
func (g *gateway) stop() error {
	const grace = 300 * time.Millisecond
	if ended, err := g.signal(syscall.SIGTERM, grace); ended || err != nil {
		return err
	}
	return g.kill(syscall.SIGKILL)
}
