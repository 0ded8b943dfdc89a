// Package grade scores the submissions of students. A submission is the kit's own files, and from
// the student only the files that a lab lets one edit (check.Suite.Files).
//
// For each lab of a submission:
//
//  1. The gate looks at the syntax and the types of the student's files. A construct that could
//     reach the suite, the results or the machine makes the lab FORBIDDEN.
//  2. The lab and its suite are built as one program. A lab that does not compile is NOTBUILT.
//  3. The program runs twice, in a process with limits, each time with another secret seed. It
//     writes its verdicts to a file that it learns from its standard input (check.Order), BEFORE it
//     calls the student's code. Each line repeats a nonce. Standard output and the exit code mean
//     nothing. A check that is missing in the file runs again, alone: then it is CRASH or TIMEOUT.
//  4. Each check has one state. Only PASS earns its points.
//
// In-process grading is no sandbox: the student's code and the suite share one memory. The gate
// keeps honest people honest; labs/INSTRUCTOR.md says how to grade a hostile class.
package grade

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"example.com/blotter/labs/kit/check"
)

// Options configure a Grader.
type Options struct {
	Kit    string        // the root of the pristine kit, which has go.mod
	Suites []check.Suite // of all labs, each with its Files
	Labs   []string      // the labs to grade, such as 5-audit; empty means all
	// Check, Run and Build limit the time of one check, of one run of a lab, and of its build. Zero
	// means the default: 30 seconds, 4 minutes, 5 minutes.
	Check, Run, Build time.Duration
	Memory            uint64 // of one process, in bytes; zero means 3 GiB
}

// A Grader grades submissions. It is safe for use by many goroutines.
type Grader struct {
	o        Options
	dir      string // work files
	gateway  string // the S3 gateway, where every user may run it
	confined confinement
}

// New returns a Grader, which uses a temporary folder until it is closed. It finds out which limits
// the machine permits.
func New(o Options) (*Grader, error) {
	o.Check, o.Run = cmp.Or(o.Check, 30*time.Second), cmp.Or(o.Run, 4*time.Minute)
	o.Build, o.Memory = cmp.Or(o.Build, 5*time.Minute), cmp.Or(o.Memory, 3<<30)
	dir, err := os.MkdirTemp("", "grade-")
	if err != nil {
		return nil, err
	}
	g := &Grader{o: o, dir: dir, gateway: filepath.Join(dir, "bin", "versitygw")}
	if err := g.prepare(); err != nil {
		return nil, errors.Join(err, g.Close())
	}
	return g, nil
}

func (g *Grader) prepare() error {
	if err := os.Chmod(g.dir, 0o711); err != nil { // another user may run the programs in it
		return err
	}
	if err := os.Mkdir(filepath.Dir(g.gateway), 0o755); err != nil {
		return err
	}
	from := cmp.Or(os.Getenv("BLOTTER_S3_GATEWAY"),
		filepath.Join(g.o.Kit, ".tools", "bin", "versitygw"))
	if err := copyProgram(from, g.gateway); err != nil {
		return fmt.Errorf("find the S3 gateway (run make setup in the kit): %w", err)
	}
	var err error
	g.confined, err = findConfinement(g)
	return err
}

// Close removes the work files.
func (g *Grader) Close() error { return os.RemoveAll(g.dir) }

// Limits describes the limits that hold on this machine, and those that do not.
func (g *Grader) Limits() []string {
	return append([]string{fmt.Sprintf("time: %s a check, %s a run, %s a build",
		g.o.Check, g.o.Run, g.o.Build)}, g.confined.describe()...)
}

// Grade grades the submission in a folder. An error is never the student's fault.
func (g *Grader) Grade(ctx context.Context, dir string) (Report, error) {
	began := time.Now()
	takes := map[string]bool{}
	for _, s := range g.o.Suites {
		for _, file := range s.Files {
			takes["labs/"+s.Name+"/"+file] = true
		}
	}
	s, err := read(dir, os.DirFS(g.o.Kit), func(path string) bool { return takes[path] })
	if err != nil {
		return Report{}, err
	}
	report := Report{Student: s.student, Ignored: s.ignored, Limits: g.Limits(), Started: began}
	for _, name := range g.labs() {
		lab, err := g.lab(ctx, s, name)
		if err != nil {
			return Report{}, fmt.Errorf("grade %s of %s: %w", name, s.student, err)
		}
		report.Labs = append(report.Labs, lab)
	}
	report.Duration = time.Since(began)
	return report, nil
}

func (g *Grader) labs() (names []string) {
	for _, s := range g.o.Suites {
		chosen := len(g.o.Labs) == 0 || slices.Contains(g.o.Labs, s.Name)
		if chosen && !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
		}
	}
	return names
}

func (g *Grader) lab(ctx context.Context, s submission, name string) (Lab, error) {
	var suites []check.Suite
	var found []string
	var unreadable error
	for _, suite := range g.o.Suites {
		if suite.Name != name {
			continue
		}
		suites = append(suites, suite)
		for _, file := range suite.Files {
			path := "labs/" + name + "/" + file
			original, err := os.ReadFile(filepath.Join(g.o.Kit, filepath.FromSlash(path)))
			if err != nil {
				return Lab{}, err
			}
			if text, has := s.files[path]; has {
				forbidden, err := gate(file, text, original)
				found, unreadable = append(found, forbidden...), errors.Join(unreadable, err)
			}
		}
	}
	if len(found) > 0 {
		return Lab{name, all(suites, Forbidden), strings.Join(found, "\n")}, nil
	}
	if unreadable != nil { // the gate has not seen the file, even if the compiler takes it
		return Lab{name, all(suites, NotBuilt), unreadable.Error()}, nil
	}
	forbidden, untyped, err := g.typeGate(ctx, s, name)
	if err != nil {
		return Lab{}, err
	}
	if len(forbidden) > 0 {
		return Lab{name, all(suites, Forbidden), strings.Join(forbidden, "\n")}, nil
	}
	dir, err := os.MkdirTemp(g.dir, "lab-")
	if err != nil {
		return Lab{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o711); err != nil {
		return Lab{}, err
	}
	program := filepath.Join(dir, "lab.test")
	complaint, err := g.build(ctx, s, name, program)
	if err == nil && complaint != "" {
		var own string // a kit that does not compile is not the student's fault
		if own, err = g.build(ctx, submission{}, name, program); own != "" {
			err = fmt.Errorf("the kit does not compile: %s", own)
		}
	}
	if complaint == "" && untyped != nil { // as above: the gate has not seen the types
		complaint = untyped.Error()
	}
	if err != nil || complaint != "" {
		return Lab{name, all(suites, NotBuilt), complaint}, err
	}
	first, err := g.run(ctx, program, suites)
	if err != nil {
		return Lab{}, err
	}
	second := first
	if first.begun() {
		second, err = g.run(ctx, program, suites)
	}
	return Lab{Name: name, Results: score(suites, first, second)}, err
}

// build builds the test program of a lab, in which the student's files take the place of the kit's.
// It returns what the compiler says against them.
func (g *Grader) build(ctx context.Context, s submission, lab, program string) (string, error) {
	dir := filepath.Dir(program)
	replace := map[string]string{}
	for path, text := range s.files {
		if filepath.Dir(path) != "labs/"+lab {
			continue
		}
		file := filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(file, text, 0o600); err != nil {
			return "", err
		}
		replace[filepath.Join(g.o.Kit, filepath.FromSlash(path))] = file
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	file := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(file, overlay, 0o600); err != nil {
		return "", err
	}
	limited, cancel := context.WithTimeout(ctx, g.o.Build)
	defer cancel()
	cmd := exec.CommandContext(limited, "go", "test", "-c", "-vet=off", "-buildvcs=false",
		"-overlay", file, "-o", program, "./labs/"+lab)
	cmd.Dir, cmd.WaitDelay = g.o.Kit, 5*time.Second
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOPROXY=off", "GOTOOLCHAIN=local")
	out, err := cmd.CombinedOutput()
	switch {
	case err == nil:
		return "", os.Chmod(program, 0o755)
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		return fmt.Sprintf("the build took longer than %s", g.o.Build), nil
	case exitCode(err) < 0:
		return "", err
	}
	return strings.ReplaceAll(string(out), dir+"/", ""), nil
}

func exitCode(err error) int {
	if exited := new(exec.ExitError); errors.As(err, &exited) {
		return exited.ExitCode()
	}
	return -1
}

// run runs the checks of a lab, and then alone each check that has no verdict.
func (g *Grader) run(ctx context.Context, program string, suites []check.Suite) (run, error) {
	r := run{map[string]check.Record{}, map[string]State{}, map[string]string{}, false}
	seed := make([]byte, 8)
	_, _ = rand.Read(seed) // never fails
	order := check.Order{Seed: binary.BigEndian.Uint64(seed), Limit: g.o.Check}
	deadline := time.Now().Add(g.o.Run)
	complete, err := g.process(ctx, program, "", order, deadline, &r)
	if complete || err != nil {
		return r, err
	}
	for _, s := range suites {
		for _, c := range s.Checks {
			record, found := r.records[c.ID]
			if found && record.Outcome != check.Stopped {
				continue
			}
			r.ended[c.ID] = Timeout
			r.text[c.ID] = fmt.Sprintf("the lab took longer than %s", g.o.Run)
			if time.Now().After(deadline) {
				continue
			}
			if _, err := g.process(ctx, program, c.ID, order, deadline, &r); err != nil {
				return r, err
			}
		}
	}
	return r, nil
}

// process runs one check, or all if id is empty, adds the records to r, and reports whether every
// check has a verdict.
func (g *Grader) process(ctx context.Context, program, id string, order check.Order,
	deadline time.Time, r *run) (complete bool, err error) {
	home, err := os.MkdirTemp(filepath.Dir(program), "run-")
	if err != nil {
		return false, err
	}
	defer os.RemoveAll(home)
	order.Nonce, order.Report = rand.Text(), home+".report"
	if err := os.WriteFile(order.Report, nil, 0o600); err != nil {
		return false, err
	}
	defer os.Remove(order.Report)
	stdin, err := json.Marshal(order)
	if err != nil {
		return false, err
	}
	limited, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	pattern := "^TestLab[1-5]$"
	if id != "" {
		pattern += "/^" + regexp.QuoteMeta(id) + " "
	}
	cmd, err := g.confined.command(limited, home, order.Report, program, "-test.run="+pattern,
		"-test.timeout=0")
	if err != nil {
		return false, err
	}
	output := &tail{}
	cmd.Dir, cmd.Stdin, cmd.Stdout, cmd.Stderr = home, bytes.NewReader(stdin), output, output
	cmd.Env = append(cmd.Env, g.environment(home)...)
	cmd.WaitDelay = 5 * time.Second
	if err := cmd.Start(); err != nil {
		return false, err
	}
	// No other exit code means anything. A student's program cannot choose its own: see mayImport.
	unconfined := exitCode(cmd.Wait()) == confineFailed
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case unconfined:
		return false, fmt.Errorf("start a process with limits: %s", output)
	case id != "" && limited.Err() == nil:
		r.ended[id], r.text[id] = Crash, "the process ended during this check:\n"+output.String()
	}
	return r.take(order)
}

// environment is that of a run: nothing of the grader's, except for the places of programs.
func (g *Grader) environment(home string) []string {
	env := []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "TMPDIR=" + home, "LC_ALL=C",
		"BLOTTER_S3_GATEWAY=" + g.gateway, check.Graded + "=1"}
	for _, name := range []string{"BLOTTER_POSTGRES_BIN", "SystemRoot"} {
		if value := os.Getenv(name); value != "" {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// take reads a report, and reports whether it is complete and every check was tried.
func (r *run) take(order check.Order) (complete bool, err error) {
	text, err := os.ReadFile(order.Report)
	if err != nil {
		return false, err
	}
	stopped := false
	for line := range bytes.Lines(text) {
		var record check.Record
		if json.Unmarshal(line, &record) != nil || record.Nonce != order.Nonce {
			r.forged = r.forged || bytes.HasSuffix(line, []byte("\n")) // else it was cut off
			continue
		}
		if record.ID == "" {
			complete = true
			continue
		}
		r.records[record.ID] = record
		stopped = stopped || record.Outcome == check.Stopped
	}
	return complete && !stopped, nil
}

// A tail keeps the beginning and the end of what a process prints.
type tail struct{ first, last []byte }

const kept = 2000 // bytes of each

func (t *tail) Write(p []byte) (int, error) {
	n := min(len(p), kept-len(t.first))
	t.first = append(t.first, p[:n]...)
	t.last = append(t.last, p[n:]...)
	t.last = t.last[max(0, len(t.last)-kept):]
	return len(p), nil
}

func (t *tail) String() string {
	if len(t.last) < kept {
		return string(t.first) + string(t.last)
	}
	return string(t.first) + "\n…\n" + string(t.last)
}

func copyProgram(from, to string) error {
	source, err := os.Open(from)
	if err != nil {
		return err
	}
	defer source.Close()
	target, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(target, source)
	return errors.Join(err, target.Close())
}
