package e2e_test

import (
	"bytes"
	"cmp"
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
	seed   = flag.Uint64("seed", 1, "seed of the points at which processes are killed")
	rounds = flag.Int("rounds", 1, "number of rounds, each with the next seed")
)

// built is the folder of the program, which is built once for all tests.
var built struct {
	sync.Once
	dir string
	err error
}

func TestMain(m *testing.M) {
	stacktest.UseTemplates()
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
		if built.dir, built.err = os.MkdirTemp("", "blotter-e2e-"); built.err != nil {
			return
		}
		args := append([]string{"build", "-o", filepath.Join(built.dir, "blotter")},
			stacktest.BuildFlags()...)
		build := exec.Command("go", append(args, "example.com/blotter/capstone/cmd/blotter")...)
		if out, err := build.CombinedOutput(); err != nil {
			built.err = fmt.Errorf("%w:\n%s", err, out)
		}
	})
	require.NoError(t, built.err, "building the program")
	return filepath.Join(built.dir, "blotter")
}

// A folder is a data folder, on which the program is run.
type folder struct {
	t     testing.TB
	data  string
	store string // of the log that begins here
	parts int    // partitions of that log
}

// embeddedOnly skips a test on another stack: the program starts stacks of its own.
func embeddedOnly(t *testing.T) {
	t.Helper()
	if stack := cmp.Or(os.Getenv("STACK"), "embedded"); stack != "embedded" {
		t.Skip("it shows nothing of " + stack)
	}
}

func newFolder(t testing.TB, store string) *folder {
	t.Helper()
	return &folder{t: t, data: stacktest.Dir(t), store: store, parts: 3}
}

// A result is the output of a process and its exit code.
type result struct {
	code           int // -1 if it was killed
	stdout, stderr string
}

// complaint returns the text of the line on standard error that begins with "error:".
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
	done           chan struct{} // closed after the process has ended and both buffers are complete
	err            error
}

func (f *folder) command(args ...string) *exec.Cmd {
	f.t.Helper()
	flags := []string{
		"--data", f.data, "--stack", "embedded", "--store", f.store,
		"--partitions", fmt.Sprint(f.parts),
	}
	return exec.Command(program(f.t), append(flags, args...)...)
}

func (f *folder) start(args ...string) *process {
	f.t.Helper()
	p := &process{cmd: f.command(args...), done: make(chan struct{})}
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	require.NoError(f.t, p.cmd.Start())
	go func() {
		defer close(p.done)
		p.err = p.cmd.Wait()
	}()
	return p
}

// killAfter kills the process (SIGKILL) after delay, unless it has ended by then. It reports
// whether the process was killed.
func (p *process) killAfter(delay time.Duration) (result, bool) {
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-p.done:
	case <-timer.C:
		p.cmd.Process.Kill() // fails if the process has just ended
	}
	r := p.wait()
	return r, r.code < 0
}

func (p *process) wait() result {
	<-p.done
	return result{p.cmd.ProcessState.ExitCode(), p.stdout.String(), p.stderr.String()}
}

// run runs the program to its end, within a minute.
func (f *folder) run(args ...string) result {
	f.t.Helper()
	r, killed := f.start(args...).killAfter(time.Minute)
	require.False(f.t, killed, "blotter %s did not end within a minute\n%s", args, r.stderr)
	return r
}

// ok runs a command that must succeed.
func (f *folder) ok(args ...string) result {
	f.t.Helper()
	return f.succeeded(f.run(args...), args...)
}

// imported imports a file to its end.
func (f *folder) imported(args ...string) result {
	f.t.Helper()
	return f.ok(append([]string{"import", "--quiet"}, args...)...)
}

// succeeded requires that a command did its work. An import with refused lines did, because
// refusals are outcomes.
func (f *folder) succeeded(r result, args ...string) result {
	f.t.Helper()
	if r.code != 0 && args[0] == "import" {
		require.Contains(f.t, r.complaint(), "lines were not accepted: 0 bad",
			"blotter %s\n%s", args, r.stderr)
		return r
	}
	require.Zero(f.t, r.code, "blotter %s\n%s", args, r.stderr)
	return r
}

// digest returns the state digest at the end of the log.
func (f *folder) digest() string {
	f.t.Helper()
	var out struct{ Answer struct{ Digest string } }
	r := f.ok("--json", "snapshot")
	require.NoError(f.t, json.Unmarshal([]byte(r.stdout), &out), r.stdout)
	require.Len(f.t, out.Answer.Digest, 64)
	return out.Answer.Digest
}

// lines writes the lines from from to to of the sample book, counted from 0, into a file of the
// test.
func lines(t testing.TB, from, to int) string {
	t.Helper()
	book, err := os.ReadFile("../books/sample.jsonl")
	require.NoError(t, err)
	all := bytes.SplitAfter(book, []byte("\n"))
	path := filepath.Join(t.TempDir(), fmt.Sprintf("%d-%d.jsonl", from, to))
	require.NoError(t, os.WriteFile(path, bytes.Join(all[from:to], nil), 0o600))
	return path
}
