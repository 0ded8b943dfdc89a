package stack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// program is one process to run on behalf of the stack.
type program struct {
	name  string // for messages
	path  string
	args  []string
	env   []string // the whole environment
	dir   string   // working directory
	log   string   // file that takes its output, appended to
	as    *account // nil: as ourselves
	death syscall.Signal

	asides []string // in lines of its output that only say that it is not ready yet
}

// child is a running program. It ends when this process ends, even by SIGKILL: see bind in child_linux.go and
// child_unix.go for how.
type child struct {
	program
	process *os.Process
	logFrom int64         // where this run's output begins
	done    chan struct{} // closed when it has ended
	err     error         // how it ended; read after done
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

// run starts the command and waits for it on a thread of its own. Linux sends the parent-death signal when the *thread*
// that forked ends, so that thread must live as long as the child: the goroutine keeps it and never gives it back.
func (c *child) run(cmd *exec.Cmd) error {
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		farewell, err := bind(cmd, c.as, c.death)
		if err != nil {
			started <- err
			return
		}
		c.process = cmd.Process
		started <- nil
		c.err = cmd.Wait()
		farewell()
		close(c.done)
	}()
	return <-started
}

// exited is nil while the program runs.
func (c *child) exited() error {
	select {
	case <-c.done:
		return &ExitedError{Component: c.name, Err: c.how(), LogTail: c.tail()}
	default:
		return nil
	}
}

// how it ended. Where the disk is full its last words are lost, so whether it is, we find out ourselves.
func (c *child) how() error {
	how := c.err
	if how == nil {
		how = errors.New("exit status 0")
	}
	if err := tryWriting(c.log + ".room"); err != nil {
		return fmt.Errorf("%w, and its log cannot be written: %w", how, err)
	}
	return how
}

// tryWriting fails where a server could not write a page of its own either.
func tryWriting(path string) error {
	const page = 8 << 10
	err := os.WriteFile(path, make([]byte, page), 0o600)
	return errors.Join(err, os.RemoveAll(path))
}

// tail is the last lines of this run's output, without those that answer our own asking whether it is ready.
func (c *child) tail() string {
	const most = 16 << 10
	f, err := os.Open(c.log)
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	from := max(c.logFrom, end-most)
	b, err := io.ReadAll(io.NewSectionReader(f, from, end-from))
	if err != nil {
		return ""
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if !c.answersProbe(line) {
			lines = append(lines, line)
		}
	}
	const last = 12
	return strings.TrimSpace(strings.Join(lines[max(0, len(lines)-last):], ""))
}

func (p program) answersProbe(line string) bool {
	return slices.ContainsFunc(p.asides, func(aside string) bool { return strings.Contains(line, aside) })
}

// ready waits until the program answers the probe. It gives up when the program ends or the context does.
func (c *child) ready(ctx context.Context, probe func(context.Context) error) error {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	var last error
	for {
		if last = probe(ctx); last == nil {
			return nil
		}
		select {
		case <-c.done:
			return c.exited()
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w (last: %v)", c.name, context.Cause(ctx), last)
		case <-tick.C:
		}
	}
}

func (c *child) ended() <-chan struct{} { return c.done }

// end asks the program to stop and waits; when it takes longer than patience, it is told to by the stronger signal.
func (c *child) end(ask, insist syscall.Signal, patience time.Duration) error {
	if ended, err := c.signal(ask, patience); ended || err != nil {
		return err
	}
	if err := c.kill(insist); err != nil {
		return err
	}
	return fmt.Errorf("%s did not stop within %s and was told to by %v", c.name, patience, insist)
}

// signal sends a signal and waits that long for the program to end.
func (c *child) signal(sig syscall.Signal, patience time.Duration) (ended bool, err error) {
	if err := c.process.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return false, err
	}
	timer := time.NewTimer(patience)
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

// startOnPort runs a server on a free loopback port until it answers. Between choosing the port and listening on it
// another process may take it, and a predecessor may still be ending: both pass, so both are tried again.
func startOnPort(ctx context.Context, on func(port int) (program, func(context.Context) error)) (*child, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, startTimeout, errors.New("it took too long to start"))
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		c, err := tryPort(ctx, on)
		var exited *ExitedError
		if err == nil || !errors.As(err, &exited) || !passing(exited.LogTail) {
			return c, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-tick.C:
		}
	}
}

// startTimeout bounds a start: crash recovery of a large database included.
const startTimeout = 60 * time.Second

func tryPort(ctx context.Context, on func(port int) (program, func(context.Context) error)) (*child, error) {
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	p, probe := on(port)
	c, err := p.start()
	if err != nil {
		return nil, err
	}
	if err := c.ready(ctx, probe); err != nil {
		c.process.Kill() // it never served anyone
		<-c.done
		return nil, err
	}
	return c, nil
}

// passing tells a failure to start that goes away by itself.
func passing(log string) bool {
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

// baseEnv is the environment of every child: nothing of the user's settings reaches it, so a PGPORT or an AWS profile
// in a shell changes nothing.
func baseEnv(more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "TZ=UTC"}, more...)
}

// privateDir makes a directory that only its owner may look into.
func privateDir(elem ...string) (string, error) {
	dir := filepath.Join(elem...)
	return dir, os.MkdirAll(dir, 0o700)
}
