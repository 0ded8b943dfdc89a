package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// postgres is a server of the machine's own binaries, listening on loopback alone. It has no Unix socket: the path of one
// may be 107 bytes long at most, and a data directory may lie deeper.
type postgres struct {
	*child
	dsn string
}

// The files of the component, in one directory that belongs to whom the server runs as:
//
//	password   of the only role, blotter, which is superuser
//	data       the cluster; data.new until initdb has finished
//	log        what the server and initdb wrote
type postgresFiles struct{ dir, password, data, fresh, log string }

func startPostgres(ctx context.Context, root string, opt EmbeddedOptions) (*postgres, error) {
	bin, err := findPostgres(opt.PostgresBin)
	if err != nil {
		return nil, err
	}
	as, err := lesserAccount()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "postgres")
	if err := as.reach(dir); err != nil {
		return nil, err
	}
	files := postgresFiles{dir, filepath.Join(dir, "password"), filepath.Join(dir, "data"),
		filepath.Join(dir, "data.new"), filepath.Join(dir, "log")}
	password, err := files.prepare(as)
	if err != nil {
		return nil, err
	}
	if err := files.initialise(bin, as, opt.Log); err != nil {
		return nil, err
	}
	forgetStalePID(files.data)
	return files.serve(ctx, bin, as, password, opt.Log)
}

func (f postgresFiles) prepare(as *account) (password string, err error) {
	if _, err := privateDir(f.dir); err != nil {
		return "", err
	}
	password, err = secret(f.password)
	if err != nil {
		return "", err
	}
	return password, as.own(f.dir, f.password)
}

// initialise makes the cluster unless there is one.
func (f postgresFiles) initialise(bin string, as *account, log func(string)) error {
	if _, err := os.Stat(f.data); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash before the rename leaves data.new, which nobody has used: begin again.
	if err := os.RemoveAll(f.fresh); err != nil {
		return err
	}
	log("postgres: making a new cluster")
	c, err := program{
		name: "initdb",
		path: filepath.Join(bin, "initdb"),
		args: []string{"-D", f.fresh, "-U", "blotter", "--pwfile", f.password, "--auth=scram-sha-256",
			"--encoding=UTF8", "--locale=C"},
		env: baseEnv(), dir: f.dir, log: f.log, as: as, death: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	<-c.done
	if c.err != nil {
		return c.exited()
	}
	if err := os.Rename(f.fresh, f.data); err != nil {
		return err
	}
	// BEFORE the first row: a cluster in use must never again be called data.new.
	return syncDir(f.dir)
}

func (f postgresFiles) serve(ctx context.Context, bin string, as *account, password string, log func(string)) (*postgres, error) {
	var dsn string
	c, err := startOnPort(ctx, func(port int) (program, func(context.Context) error) {
		dsn = postgresDSN(port, password)
		return program{
			name: "postgres",
			path: filepath.Join(bin, "postgres"),
			args: []string{"-D", f.data, "-p", strconv.Itoa(port), "-c", "listen_addresses=127.0.0.1",
				"-c", "unix_socket_directories=", "-c", "fsync=on", "-c", "timezone=UTC", "-c", "log_timezone=UTC"},
			env: baseEnv(), dir: f.dir, log: f.log, as: as,
			// Not SIGKILL: on SIGQUIT the server takes its own children along, and the next start recovers.
			death:  syscall.SIGQUIT,
			asides: []string{"not yet accepting connections", "Consistent recovery state", "is starting up", "is in recovery mode"},
		}, func(ctx context.Context) error { return pingPostgres(ctx, dsn) }
	})
	if err != nil {
		return nil, err
	}
	log("postgres answers at 127.0.0.1, process " + strconv.Itoa(c.process.Pid))
	return &postgres{child: c, dsn: dsn}, nil
}

func postgresDSN(port int, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword("blotter", password),
		Host: "127.0.0.1:" + strconv.Itoa(port), Path: "/postgres", RawQuery: "sslmode=disable",
	}
	return u.String()
}

func (p *postgres) failed() error { return p.exited() }

// stop is the server's fast shutdown: sessions are ended, a checkpoint is written. The next start has nothing to recover.
func (p *postgres) stop() error {
	return p.end(syscall.SIGINT, syscall.SIGQUIT, 20*time.Second)
}

// forgetStalePID removes the pid file of a server that is gone when its process id has since gone to a program that has
// nothing to do with it, which happens where process ids are few, as in containers. We hold the directory's lock, so no
// server of ours runs; the rest Postgres finds out itself.
func forgetStalePID(data string) {
	path := filepath.Join(data, "postmaster.pid")
	if pid := readPID(path); pid != 0 && belongsToOther(pid, data) {
		os.Remove(path)
	}
}

func noPostgres(looked []string) error {
	return withHint(fmt.Errorf("no Postgres server binaries (postgres and initdb) in PATH or in %v", looked),
		"install the system's postgresql package, or set BLOTTER_POSTGRES_BIN to the directory that holds them")
}
