package proof_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/stack/stacktest"
)

var (
	seed   = flag.Uint64("seed", 1, "of the points at which processes are killed")
	rounds = flag.Int("rounds", 1, "how often to go through all of it, each time with the next seed")
)

// built is where the program was built, once for all tests.
var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if built.dir != "" {
		if err := os.RemoveAll(built.dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = max(code, 1)
		}
	}
	os.Exit(code)
}

func program(t testing.TB) string {
	t.Helper()
	built.Do(func() {
		if built.dir, built.err = os.MkdirTemp("", "blotter-proof-"); built.err != nil {
			return
		}
		build := exec.Command("go", "build", "-o", filepath.Join(built.dir, "blotter"), "example.com/blotter/capstone/cmd/blotter")
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w:\n%s", err, out)
		}
	})
	require.NoError(t, built.err, "building the program")
	return filepath.Join(built.dir, "blotter")
}

// A desk is a data folder, and the program to be run on it.
type desk struct {
	t     testing.TB
	data  string
	store string // of the log that is to begin here
	parts int    // its partitions
}

func newDesk(t testing.TB, store string) *desk {
	t.Helper()
	return &desk{t: t, data: stacktest.Dir(t), store: store, parts: 3}
}

// A result is what a process said, and how it ended.
type result struct {
	code           int // -1 if it was killed
	stdout, stderr string
}

// complaint is the line of standard error that says what is wrong.
func (r result) complaint() string {
	for line := range strings.Lines(r.stderr) {
		if text, ok := strings.CutPrefix(line, "error: "); ok {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

// A process is one run of the program.
type process struct {
	cmd            *exec.Cmd
	stdout, stderr bytes.Buffer
	done           chan struct{} // closed once it has ended and both buffers are whole
	err            error
}

func (d *desk) command(args ...string) *exec.Cmd {
	d.t.Helper()
	return exec.Command(program(d.t), append([]string{"--data", d.data, "--stack", "embedded", "--store", d.store, "--partitions", fmt.Sprint(d.parts)}, args...)...)
}

func (d *desk) start(args ...string) *process {
	d.t.Helper()
	p := &process{cmd: d.command(args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(d.t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p
}

// killAfter ends the process by SIGKILL once the time is over, unless it has ended by then; it says whether it was killed.
func (p *process) killAfter(delay time.Duration) (result, bool) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.cmd.Process.Kill() // or it has just ended
	}
	r := p.wait()
	return r, r.code < 0
}

func (p *process) wait() result {
	<-p.done
	return result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// run runs the program to its end, within a minute.
func (d *desk) run(args ...string) result {
	d.t.Helper()
	r, killed := d.start(args...).killAfter(time.Minute)
	require.False(d.t, killed, "blotter %s did not end within a minute\n%s", args, r.stderr)
	return r
}

// ok runs a command that must succeed.
func (d *desk) ok(args ...string) result {
	d.t.Helper()
	return d.done(d.run(args...), args...)
}

// imported imports a file to its end.
func (d *desk) imported(args ...string) result {
	d.t.Helper()
	args = append([]string{"import", "--quiet"}, args...)
	return d.done(d.run(args...), args...)
}

// done holds that a command did what it was to do. An import in which lines were refused did: refusals are outcomes too.
func (d *desk) done(r result, args ...string) result {
	d.t.Helper()
	if r.code != 0 && args[0] == "import" {
		require.Contains(d.t, r.complaint(), "lines were not accepted: 0 bad", "blotter %s\n%s", args, r.stderr)
		return r
	}
	require.Zero(d.t, r.code, "blotter %s\n%s", args, r.stderr)
	return r
}

// digest is that of the state at the end of the log.
func (d *desk) digest() string {
	d.t.Helper()
	var out struct{ Answer struct{ Digest string } }
	r := d.ok("--json", "snapshot")
	require.NoError(d.t, json.Unmarshal([]byte(r.stdout), &out), r.stdout)
	require.Len(d.t, out.Answer.Digest, 64)
	return out.Answer.Digest
}

// lines writes some lines of the sample book, counted from 0, into a file of the test's own.
func lines(t testing.TB, from, to int) string {
	t.Helper()
	book, err := os.ReadFile("../books/sample.jsonl")
	require.NoError(t, err)
	all := bytes.SplitAfter(book, []byte("\n"))
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%d-%d.jsonl", from, to))
	require.NoError(t, os.WriteFile(path, bytes.Join(all[from:to], nil), 0o600))
	return path
}
