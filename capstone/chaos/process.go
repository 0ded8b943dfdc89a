package chaos

import (
	"bytes"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
)

// A Process is a writer that can be disturbed. Write takes requests, as JSON, one after the other,
// and Read returns answers.
type Process interface {
	io.ReadWriter
	Pause() error  // SIGSTOP
	Resume() error // SIGCONT
	Kill() error   // SIGKILL; Read ends after the answers so far
	End() error    // no more requests: it closes its store and exits, and End returns its error
}

// Spawn starts a command that calls Serve. The command ends with this process, however that ends.
func Spawn(cmd *exec.Cmd) (Process, error) {
	p := &process{cmd: cmd, ended: make(chan struct{})}
	var err error
	if p.in, err = cmd.StdinPipe(); err != nil {
		return nil, err
	}
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	cmd.Stderr = &p.words
	bind(cmd)
	if err := p.start(); err != nil {
		return nil, fmt.Errorf("start a writer: %w", err)
	}
	return p, nil
}

type process struct {
	cmd   *exec.Cmd
	in    io.WriteCloser
	out   io.ReadCloser
	words tail
	read  sync.Once
	over  chan struct{} // closed when all of out is read
	ended chan struct{} // closed after the process has ended
	err   error         // the error of the ended process
}

// start starts the command on a thread of its own, and keeps the thread: on Linux the child gets a
// signal when the thread that started it ends.
func (p *process) start() error {
	p.over = make(chan struct{})
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		err := p.cmd.Start()
		started <- err
		if err != nil {
			return
		}
		<-p.over // Wait closes the pipe, so the pipe has to be read before
		p.err = p.cmd.Wait()
		close(p.ended)
	}()
	return <-started
}

func (p *process) Write(b []byte) (int, error) { return p.in.Write(b) }

func (p *process) Read(b []byte) (int, error) {
	n, err := p.out.Read(b)
	if err != nil {
		p.read.Do(func() { close(p.over) })
	}
	return n, err
}

func (p *process) Kill() error {
	if err := p.cmd.Process.Kill(); err != nil {
		return err
	}
	<-p.ended
	return nil
}

func (p *process) End() error {
	p.in.Close()
	<-p.ended
	if words := p.words.String(); p.err != nil && words != "" {
		return fmt.Errorf("%w\n%s", p.err, words)
	}
	return p.err
}

// tail keeps the last part of the text written to it.
type tail struct {
	mu   sync.Mutex
	text []byte
}

func (t *tail) Write(b []byte) (int, error) {
	const most = 8 << 10
	t.mu.Lock()
	defer t.mu.Unlock()
	t.text = append(t.text, b...)
	t.text = t.text[max(0, len(t.text)-most):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.TrimSpace(t.text))
}
