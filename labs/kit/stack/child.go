package stack

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

// program describes a child process of the stack.
type program struct {
	name        string // for messages
	path        string
	args        []string
	env         []string // the whole environment
	dir         string   // working directory
	log         string   // file to which its output is appended
	account     *account // nil: our own
	deathSignal syscall.Signal

	// startupNoise lists texts of output lines that only answer our own readiness probe.
	startupNoise []string
}

// child is a running program. It ends when this process ends, even by SIGKILL: see startBound.
type child struct {
	program
	process *os.Process
	logFrom int64         // where the output of this run begins
	done    chan struct{} // closed when the process has ended
	err     error         // the result of Wait; read it after done
}

func (p program) start() (*child, error) {
	out, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	from, err := out.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(p.path, p.args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = p.env, p.dir, out, out
	c := &child{program: p, logFrom: from, done: make(chan struct{})}
	if err := c.run(cmd); err != nil {
		return nil, fmt.Errorf("start %s: %w", p.path, err)
	}
	return c, nil
}

// run starts the command and waits for it on a thread of its own. Linux sends the parent-death
// signal when the forking *thread* ends; therefore the goroutine locks its thread for as long as
// the child lives.
func (c *child) run(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		ended, err := startBound(cmd, c.account, c.deathSignal)
		if err != nil {
			started <- err
			return
		}
		c.process = cmd.Process
		started <- nil
		c.err = cmd.Wait()
		ended()
		close(c.done)
	}()
	return <-started
}

// ExitedError says that the process of a component ended although the stack had not stopped it.
type ExitedError struct {
	Component string
	Err       error  // the exit status
	LogTail   string // the last lines of its output
}

func (e *ExitedError) Error() string {
	s := fmt.Sprintf("%s ended unexpectedly: %v", e.Component, e.Err)
	if e.LogTail != "" {
		s += "; the end of its log:\n" + e.LogTail
	}
	return s
}

func (e *ExitedError) Unwrap() error { return e.Err }

// Hint returns advice if the cause is a full disk, or a user that the system does not know.
func (e *ExitedError) Hint() string {
	log := strings.ToLower(e.LogTail)
	if errors.Is(e.Err, syscall.ENOSPC) || strings.Contains(log, "no space left on device") {
		return "the disk is full: make room, and run the command again; acknowledged data is kept"
	}
	if strings.Contains(log, "could not look up effective user id") { // so says initdb
		return fmt.Sprintf("postgres runs only as a user that the system knows: "+
			"add one, as with useradd --uid %d NAME, or run as another user", os.Geteuid())
	}
	return ""
}

// exited returns nil while the program runs.
func (c *child) exited() error {
	select {
	case <-c.done:
		return &ExitedError{Component: c.name, Err: c.exitStatus(), LogTail: c.logTail()}
	default:
		return nil
	}
}

// exitStatus adds a full disk to the cause. A program cannot log that its disk is full, therefore
// exitStatus tries the disk itself.
func (c *child) exitStatus() error {
	status := c.err
	if status == nil {
		status = errors.New("exit status 0")
	}
	if err := tryWriting(c.log + ".room"); err != nil {
		return fmt.Errorf("%w, and its log cannot be written: %w", status, err)
	}
	return status
}

// tryWriting fails where a server could not write one page of its files.
func tryWriting(path string) error {
	const page = 8 << 10
	err := os.WriteFile(path, make([]byte, page), 0o600)
	return errors.Join(err, os.RemoveAll(path))
}

// logTail returns the last lines of this run's output, without the startup noise.
func (c *child) logTail() string {
	const maxBytes, maxLines = 16 << 10, 12
	f, err := os.Open(c.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(c.logFrom, end-maxBytes)
	b, err := io.ReadAll(io.NewSectionReader(f, from, end-from))
	if err != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if !c.isStartupNoise(line) {
			lines = append(lines, line)
		}
	}
	return strings.TrimSpace(strings.Join(lines[max(0, len(lines)-maxLines):], ""))
}

func (p program) isStartupNoise(line string) bool {
	return slices.ContainsFunc(p.startupNoise, func(text string) bool {
		return strings.Contains(line, text)
	})
}

// waitReady waits until the probe succeeds. It fails when the program ends or the context is done.
func (c *child) waitReady(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		err := probe(ctx)
		if err == nil || isPermanent(err) {
			return err
		}
		select {
		case <-c.done:
			return c.exited()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w (last: %v)", c.name, context.Cause(ctx), err)
		case <-tick.C:
		}
	}
}

func (c *child) ended() <-chan struct{} { return c.done }

// end sends the first signal and waits for the program to end. After the timeout it sends the
// second signal.
func (c *child) end(first, second syscall.Signal, timeout time.Duration) error {
	if ended, err := c.signal(first, timeout); ended || err != nil {
		return err
	}
	if err := c.kill(second); err != nil {
		return err
	}
	return fmt.Errorf("%s did not stop within %s and was ended by %v", c.name, timeout, second)
}

// signal sends a signal and reports whether the program ended within the timeout.
func (c *child) signal(sig syscall.Signal, timeout time.Duration) (ended bool, err error) {
	if err := c.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case <-c.done:
		return true, nil
	case <-timer.C:
		return false, nil
	}
}

// kill sends a signal that the program cannot ignore, and waits for its end.
func (c *child) kill(sig syscall.Signal) error {
	if err := c.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-c.done
	return nil
}

// A serverPlan describes a server on a port, and the probe that tells whether it answers.
type serverPlan func(port int) (program, func(context.Context) error)

// startServer runs a server on a free loopback port and waits until it answers. Another process may
// take the port before the server listens on it, and a previous server may still be shutting down.
// Both conditions pass, therefore startServer retries.
func startServer(ctx context.Context, plan serverPlan) (*child, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("start timed out"))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := tryPort(ctx, plan)
		var exited *ExitedError
		if err == nil || !errors.As(err, &exited) || !isTransient(exited.LogTail) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// startTimeout bounds a start, which includes the crash recovery of a large database.
const startTimeout = 60 * time.Second

func tryPort(ctx context.Context, plan serverPlan) (*child, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, probe := plan(port)
	c, err := p.start()
	if err != nil {
		return nil, err
	}
	if err := c.waitReady(ctx, probe); err != nil {
		c.process.Kill() // it has served no client
		<-c.done
		return nil, err
	}
	return c, nil
}

// isPermanent reports whether a probe cannot succeed when it is tried again: the address makes no
// sense, the server refuses the secret, or it has another certificate.
func isPermanent(err error) bool {
	var malformed *pgconn.ParseConfigError
	var certificate *tls.CertificateVerificationError
	var refused *pgconn.PgError
	return errors.As(err, &malformed) || errors.As(err, &certificate) ||
		errors.As(err, &refused) && strings.HasPrefix(refused.Code, "28") // PostgreSQL, appendix A
}

// isTransient reports whether a failed start can succeed when it is tried again.
func isTransient(log string) bool {
	log = strings.ToLower(log)
	return strings.Contains(log, "address already in use") ||
		strings.Contains(log, "postmaster.pid") ||
		strings.Contains(log, "still in use")
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	return l.Addr().(*net.TCPAddr).Port, l.Close()
}

// baseEnv returns the environment of a child. It excludes the user's settings: a PGPORT or an AWS
// profile in a shell has no effect.
func baseEnv(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}, more...)
}
