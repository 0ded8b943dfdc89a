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

	"github.com/jackc/pgx/v5"
)

// postgres is a server of the machine's own programs, which listens only on loopback. It has no
// Unix socket: the path of a socket has at most 107 bytes, and a data directory may have a longer
// path.
type postgres struct {
	*child
	at Postgres
}

// postgresFiles names the files of the component. They lie in one directory, which belongs to the
// account that the server runs as:
//
//	password     of blotter, a superuser, who migrates
//	application  the password of application, who owns nothing
//	data         the cluster; data.new until initdb has finished
//	log          the output of the server and of initdb
type postgresFiles struct{ dir, password, application, data, newData, log string }

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
	files := postgresFiles{dir, filepath.Join(dir, "password"),
		filepath.Join(dir, "application"), filepath.Join(dir, "data"),
		filepath.Join(dir, "data.new"), filepath.Join(dir, "log")}
	if err := files.initialise(bin, as, opt.Log); err != nil {
		return nil, err
	}
	password, err := secret(files.password)
	if err != nil {
		return nil, err
	}
	removeStalePID(files.data)
	server, err := files.serve(ctx, bin, as, password, opt.Log)
	if err != nil {
		return nil, err
	}
	if server.at.DSN, err = files.addApplication(ctx, server.at.MigrationDSN); err != nil {
		return nil, errors.Join(err, server.stop())
	}
	return server, nil
}

// addApplication makes sure that the application's role exists, with our password. It returns the
// connection string of the role.
func (f postgresFiles) addApplication(ctx context.Context, owner string) (string, error) {
	password, err := secret(f.application)
	if err != nil {
		return "", err
	}
	return AddLogin(ctx, owner, "application", password)
}

// AddLogin creates a role that can sign in with the password, unless it exists. The owner, who may
// create roles, connects by a URL. AddLogin returns the URL of the role, which has no privileges.
func AddLogin(ctx context.Context, owner, role, password string) (string, error) {
	u, err := url.Parse(owner)
	if err != nil {
		return "", errors.New("the connection string is no URL") // err contains the password
	}
	conn, err := pgx.Connect(ctx, owner)
	if err != nil {
		return "", err
	}
	defer conn.Close(ctx)
	name := pgx.Identifier{role}.Sanitize()
	for _, statement := range []string{
		"DO $$ BEGIN CREATE ROLE " + name + " LOGIN PASSWORD " + literal(password) +
			"; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
		"REVOKE CREATE ON SCHEMA public FROM PUBLIC", // as from version 15 on
	} {
		if _, err := conn.Exec(ctx, statement); err != nil {
			return "", fmt.Errorf("create the role %s: %w", role, err)
		}
	}
	u.User = url.UserPassword(role, password)
	return u.String(), nil
}

// initialise creates the cluster if there is none.
func (f postgresFiles) initialise(bin string, as *account, log func(string)) error {
	if _, err := privateDir(f.dir); err != nil {
		return err
	}
	if err := as.own(f.dir); err != nil {
		return err
	}
	if _, err := os.Stat(f.data); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// A crash before the rename leaves data.new, which no server has used: start again.
	if err := os.RemoveAll(f.newData); err != nil {
		return err
	}
	create := f.create
	if templates != "" {
		create = f.createFast
	}
	if err := create(bin, as, log); err != nil {
		return err
	}
	if err := os.Rename(f.newData, f.data); err != nil {
		return err
	}
	// BEFORE the first row is written: a crash must not undo the renaming of a cluster in use.
	return syncDir(f.dir)
}

// initdbArgs are the settings of a cluster.
var initdbArgs = []string{"-U", "blotter", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C"}

// create makes the password and the new cluster.
func (f postgresFiles) create(bin string, as *account, log func(string)) error {
	if _, err := secret(f.password); err != nil {
		return err
	}
	if err := as.own(f.password); err != nil {
		return err
	}
	log("postgres: creating a cluster")
	c, err := program{
		name: "initdb",
		path: filepath.Join(bin, "initdb"),
		args: append([]string{"-D", f.newData, "--pwfile", f.password}, initdbArgs...),
		env:  baseEnv(), dir: f.dir, log: f.log, account: as, deathSignal: syscall.SIGKILL,
	}.start()
	if err != nil {
		return err
	}
	<-c.done
	if c.err != nil {
		return c.exited()
	}
	return nil
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
				"-c", "fsync=" + fsync(), "-c", "timezone=UTC", "-c", "log_timezone=UTC"},
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
	return &postgres{child: c, at: Postgres{MigrationDSN: dsn}}, nil
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

// literal quotes a text for SQL: a password is no parameter of CREATE ROLE.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }

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
