package stack

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// postgres is a server of the machine's own programs, which listens only on loopback. It has no
// Unix socket: the path of a socket has at most 107 bytes, and a data directory may have a longer
// path.
type postgres struct {
	*child
	dsn string
}

// postgresFiles names the files of the component. They lie in one directory, which belongs to the
// account that the server runs as:
//
//	password   of blotter, the only role, a superuser
//	data       the cluster; data.new until initdb has finished
//	log        the output of the server and of initdb
type postgresFiles struct{ dir, password, data, newData, log string }

func startPostgres(ctx context.Context, root string, opt EmbeddedOptions) (*postgres, error) {
	bin, err := findPostgres(opt.PostgresBin)
	if err != nil {
		return nil, err
	}
	as, err := unprivileged()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(root, "postgres")
	if err := as.checkReach(dir); err != nil {
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
	removeStalePID(files.data)
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

// initialise creates the cluster if there is none.
func (f postgresFiles) initialise(bin string, as *account, log func(string)) error {
	if _, err := os.Stat(f.data); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash before the rename leaves data.new, which no server has used: start again.
	if err := os.RemoveAll(f.newData); err != nil {
		return err
	}
	log("postgres: creating a cluster")
	c, err := program{
		name: "initdb",
		path: filepath.Join(bin, "initdb"),
		args: []string{"-D", f.newData, "-U", "blotter", "--pwfile", f.password,
			"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"},
		env: baseEnv(), dir: f.dir, log: f.log, account: as, deathSignal: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	<-c.done
	if c.err != nil {
		return c.exited()
	}
	if err := os.Rename(f.newData, f.data); err != nil {
		return err
	}
	// BEFORE the first row: a crash must not give a cluster in use the name data.new again.
	return syncDir(f.dir)
}

func (f postgresFiles) serve(ctx context.Context, bin string, as *account, password string,
	log func(string),
) (*postgres, error) {
	var dsn string
	c, err := startServer(ctx, func(port int) (program, func(context.Context) error) {
		dsn = postgresDSN(port, password)
		return program{
			name: "postgres",
			path: filepath.Join(bin, "postgres"),
			args: []string{"-D", f.data, "-p", strconv.Itoa(port),
				"-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=",
				"-c", "fsync=on", "-c", "timezone=UTC", "-c", "log_timezone=UTC"},
			env: baseEnv(), dir: f.dir, log: f.log, account: as,
			// Not SIGKILL: on SIGQUIT the server ends its own children, and the next start
			// recovers.
			deathSignal: syscall.SIGQUIT,
			startupNoise: []string{"not yet accepting connections", "Consistent recovery state",
				"is starting up", "is in recovery mode"},
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

// stop sends the signal of the server's fast shutdown: it ends sessions and writes a checkpoint.
// The next start has nothing to recover.
func (p *postgres) stop() error {
	return p.end(syscall.SIGINT, syscall.SIGQUIT, 20*time.Second)
}

// forgetUsersPostgres removes the variables of libpq from the environment of this process. They
// describe a server of the user, and a client would merge them into our connection string: a
// service, options, another way to sign in. A stack that the environment describes (External) keeps
// them: there they belong to the user's own connection string.
func forgetUsersPostgres() {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "PG") {
			os.Unsetenv(name)
		}
	}
}

// removeStalePID removes the pid file of a server that has ended, if another program has its
// process id now. Process ids repeat soon where there are few, as in containers. No server of ours
// runs, since we hold the directory's lock. Postgres itself detects all other stale pid files.
func removeStalePID(data string) {
	path := filepath.Join(data, "postmaster.pid")
	if pid := readPID(path); pid != 0 && worksElsewhere(pid, data) {
		os.Remove(path)
	}
}

// postgresHomes are the directories of the usual packages, most of which are not in PATH.
// .tools/setup looks in the same places.
var postgresHomes = []string{
	"/usr/lib/postgresql/*/bin",         // Debian, Ubuntu
	"/usr/pgsql-*/bin",                  // the project's packages for Fedora and RHEL
	"/usr/libexec/postgresql*",          // Alpine
	"/opt/homebrew/opt/postgresql*/bin", // Homebrew on ARM
	"/usr/local/opt/postgresql*/bin",    // Homebrew on Intel
	"/opt/local/lib/postgresql*/bin",    // MacPorts
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

// findPostgres returns the directory of the server's programs: the given one, or that of
// BLOTTER_POSTGRES_BIN, or the one in PATH, or the highest version in postgresHomes.
func findPostgres(dir string) (string, error) {
	if dir == "" {
		dir = os.Getenv("BLOTTER_POSTGRES_BIN")
	}
	if dir != "" {
		if !hasPostgres(dir) {
			return "", withHint(fmt.Errorf("no postgres and initdb in %s", dir),
				"set BLOTTER_POSTGRES_BIN to the directory that holds both")
		}
		return dir, nil
	}
	if dir, ok := postgresInPath(); ok {
		return dir, nil
	}
	found := installedPostgres()
	if len(found) == 0 {
		return "", withHint(
			fmt.Errorf("no postgres and initdb programs in PATH or in %v", postgresHomes),
			"install the system's postgresql package, "+
				"or set BLOTTER_POSTGRES_BIN to the directory that holds them")
	}
	return found[0], nil
}

// postgresInPath follows links: the server finds its own files relative to its real path.
func postgresInPath() (string, bool) {
	p, err := exec.LookPath("postgres")
	if err != nil {
		return "", false
	}
	if p, err = filepath.EvalSymlinks(p); err != nil {
		return "", false
	}
	return filepath.Dir(p), hasPostgres(filepath.Dir(p))
}

func installedPostgres() []string {
	var found []string
	for _, pattern := range postgresHomes {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			panic(err) // postgresHomes holds a malformed pattern
		}
		found = append(found, dirs...)
	}
	found = slices.DeleteFunc(found, func(dir string) bool { return !hasPostgres(dir) })
	slices.SortStableFunc(found, func(a, b string) int {
		return postgresMajor(b) - postgresMajor(a)
	})
	return found
}

// postgresMajor returns the number in a path such as /usr/lib/postgresql/15/bin, or 0.
func postgresMajor(dir string) int {
	notDigit := func(r rune) bool { return r < '0' || r > '9' }
	numbers := strings.FieldsFunc(dir, notDigit)
	if len(numbers) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(numbers[0])
	return n
}

func hasPostgres(dir string) bool {
	for _, name := range []string{"postgres", "initdb"} {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}
