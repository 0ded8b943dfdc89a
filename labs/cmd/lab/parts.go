package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"example.com/blotter/labs/kit/check"
)

// labNames has the folder of each part of the capstone, in the order of their build tags lab1 to
// lab5.
var labNames = []string{"1-schemas", "2-store", "3-projections", "4-replay", "5-audit"}

// A mix says which parts of the capstone are the student's: bit i is the part of lab i+1. The other
// parts are the reference's.
type mix uint8

const allMine = mix(1<<5 - 1)

func (m mix) has(part int) bool { return m>>part&1 == 1 }

func (m mix) without(part int) mix { return m &^ (1 << part) }

// String has the form of --parts.
func (m mix) String() string {
	var parts []string
	for i := range labNames {
		whose := "reference"
		if m.has(i) {
			whose = "mine"
		}
		parts = append(parts, fmt.Sprintf("%d=%s", i+1, whose))
	}
	return strings.Join(parts, ",")
}

func (m mix) tags() string {
	var tags []string
	for i := range labNames {
		if m.has(i) {
			tags = append(tags, fmt.Sprint("lab", i+1))
		}
	}
	return strings.Join(tags, ",")
}

// parseMix is the inverse of String. A part that is not named is the reference's.
func parseMix(text string) (m mix, err error) {
	seen := mix(0)
	for _, part := range strings.Split(text, ",") {
		number, whose, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(number)
		if err != nil || n < 1 || n > len(labNames) || seen.has(n-1) ||
			whose != "mine" && whose != "reference" {
			text := fmt.Sprintf("%q is no part of the capstone, or is named twice", part)
			return 0, &hintedError{misuse, text, "write --parts 1=mine,2=reference, or auto"}
		}
		seen |= 1 << (n - 1)
		if whose == "mine" {
			m |= 1 << (n - 1)
		}
	}
	return m, nil
}

// A capstone builds and runs the demo of mixes, each once. A mix is one set of build tags; all
// share the build cache, so that a further mix costs little more than its link.
type capstone struct {
	root    string   // of the module
	env     []string // of go and of the demo
	dir     string   // for the programs
	outcome map[mix]outcome
}

// An outcome is what a demo printed. A demo that failed has an error.
type outcome struct {
	summary    string // all that does not depend on the auditor
	state      string // the digest of the state
	checkpoint string
	root       string // of the checkpoint's tree
	err        string // of the demo
}

func newCapstone(root string, env []string) (*capstone, error) {
	dir, err := os.MkdirTemp("", "lab-demo-")
	if err == nil {
		err = os.Chmod(dir, 0o711) // root runs Postgres as another user, who enters it
	}
	return &capstone{root, env, dir, map[mix]outcome{}}, err
}

func (c *capstone) close() error { return os.RemoveAll(c.dir) }

// compiles returns what the compiler says against a lab, or nothing.
func (c *capstone) compiles(ctx context.Context, part int) string {
	cmd := c.command(ctx, "go", "build", "./labs/"+labNames[part])
	out, err := cmd.CombinedOutput()
	if err == nil {
		return ""
	}
	return strings.TrimSpace(string(out))
}

func (c *capstone) command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = c.root, c.env
	return cmd
}

// build builds the program with the parts of a mix, and returns its path.
func (c *capstone) build(ctx context.Context, m mix) (string, error) {
	program := filepath.Join(c.dir, "blotter")
	args := []string{"build", "-tags", m.tags(), "-o", program, "./capstone/cmd/blotter"}
	build := c.command(ctx, "go", args...)
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build the capstone with %s: %w\n%s", m, err, out)
	}
	return program, nil
}

// run builds a mix and runs its demo, unless it did so before.
func (c *capstone) run(ctx context.Context, m mix) (outcome, error) {
	if o, known := c.outcome[m]; known {
		return o, nil
	}
	program, err := c.build(ctx, m)
	if err != nil {
		return outcome{}, err
	}
	limited, cancel := context.WithTimeout(ctx, demoLimit)
	defer cancel()
	demo := c.command(limited, program, "--stack", "embedded", "demo")
	demo.Cancel = func() error { return demo.Process.Signal(os.Interrupt) } // it stops its stack
	demo.WaitDelay = 10 * time.Second
	var stderr bytes.Buffer
	demo.Stderr = &stderr
	stdout, err := demo.Output()
	if ctx.Err() != nil {
		return outcome{}, ctx.Err()
	}
	o := readOutcome(string(stdout))
	switch {
	case limited.Err() != nil:
		o.err = fmt.Sprintf("the demo did not end within %s", demoLimit)
	case err != nil:
		_, o.err, _ = strings.Cut(stderr.String(), "error: ")
		o.err = strings.TrimSpace(o.err)
		if o.err == "" {
			o.err = err.Error()
		}
	}
	c.outcome[m] = o
	return o, nil
}

// demoLimit is the time of a demo. The reference takes ten seconds; with a wrong part a demo may
// wait for ever.
const demoLimit = 3 * time.Minute

var (
	stateLine = regexp.MustCompile(`(?m)^state .*digest (sha256:\w{64})$`)
	auditLine = regexp.MustCompile(`(?m)^audit .*checkpoint (\S+), root (\w{64})\n.*\n`)
)

func readOutcome(stdout string) (o outcome) {
	if m := stateLine.FindStringSubmatch(stdout); m != nil {
		o.state = m[1]
	}
	if m := auditLine.FindStringSubmatch(stdout); m != nil {
		o.checkpoint, o.root = m[1], m[2]
	}
	o.summary = auditLine.ReplaceAllString(stdout, "")
	return o
}

// wrong describes the first fault in the outcome of a mix; it is empty if there is none. The state,
// the positions, the profit and loss and the replay are those of the reference. The root is that of
// the guide of Lab 5 if its auditor is the student's, whose batches differ from the reference's.
func (c *capstone) wrong(ctx context.Context, m mix) (string, error) {
	want, err := c.run(ctx, 0)
	if err != nil {
		return "", err
	}
	if want.err != "" {
		return "", fmt.Errorf("the demo of the reference fails: %s", want.err)
	}
	got, err := c.run(ctx, m)
	if err != nil {
		return "", err
	}
	root := want.root
	if m.has(4) {
		if root, err = c.guideRoot(); err != nil {
			return "", err
		}
	}
	switch {
	case got.err != "":
		return got.err, nil
	case got.state != want.state:
		const format = "its state has the digest %s, the reference's %s"
		return fmt.Sprintf(format, got.state, want.state), nil
	case got.summary != want.summary:
		difference := firstDifference(want.summary, got.summary)
		return "its summary differs from the reference's:\n" + difference, nil
	case got.root == "" || !strings.HasPrefix(got.root, root):
		return fmt.Sprintf("its checkpoint has the root %s, which begins with %.12s for a right "+
			"auditor", got.root, root), nil
	}
	return "", nil
}

// guideRoot returns the beginning of the root that the guide of Lab 5 shows.
func (c *capstone) guideRoot() (string, error) {
	text, err := os.ReadFile(filepath.Join(c.root, "labs", "5-audit", "README.md"))
	m := regexp.MustCompile(`(?m)^audit .*root (\w{12})$`).FindSubmatch(text)
	if err != nil || m == nil {
		return "", errors.Join(err, errors.New("the guide of lab 5 shows no root"))
	}
	return string(m[1]), nil
}

func firstDifference(want, got string) string {
	expected, lines := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(expected), len(lines)) {
		if expected[i] != lines[i] {
			return "  expected  " + expected[i] + "\n  actual    " + lines[i]
		}
	}
	return fmt.Sprintf("  expected  %d lines\n  actual    %d lines", len(expected), len(lines))
}

// culprits returns the parts of a wrong mix that are at fault: those without which the demo is
// right; if there is no single one, those that are wrong beside the reference's parts alone.
func (c *capstone) culprits(ctx context.Context, m mix) (parts []int, err error) {
	for _, only := range []bool{false, true} {
		for i := range labNames {
			if !m.has(i) {
				continue
			}
			with := m.without(i)
			if only {
				with = 1 << i
			}
			found, err := c.wrong(ctx, with)
			if err != nil {
				return nil, err
			}
			if (found != "") == only {
				parts = append(parts, i)
			}
		}
		if len(parts) > 0 {
			return parts, nil
		}
	}
	return parts, nil
}

// passing returns the parts whose labs pass, by one run of their tests.
func (c *capstone) passing(ctx context.Context, notes io.Writer) (m mix, err error) {
	args := []string{"test", "-json", "-timeout=30m"}
	for _, name := range labNames {
		args = append(args, "./labs/"+name)
	}
	cmd := c.command(ctx, "go", args...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("cannot run go test: %w", err)
	}
	tally := newTally(io.Discard)
	if err := tally.read(out); err != nil {
		return 0, errors.Join(err, cmd.Wait())
	}
	_ = cmd.Wait() // the verdicts say more than the exit code
	return tally.labs.passing(notes), ctx.Err()
}

// passing returns the parts whose labs pass every required check. A note says of each other part
// why it is the reference's.
func (p progress) passing(notes io.Writer) (m mix) {
	for i, name := range labNames {
		missing := slices.DeleteFunc(checksOf(name), func(k check.Check) bool {
			return k.Bonus || p.heard[name][k.ID] == check.Passed
		})
		if len(missing) == 0 {
			m |= 1 << i
		} else if len(p.heard[name]) > 0 {
			fmt.Fprintf(notes, "part %d is the reference's: %s does not pass, such as %s\n",
				i+1, name, missing[0].ID)
		} else {
			fmt.Fprintf(notes, "part %d is the reference's: the tests of %s did not run\n",
				i+1, name)
		}
	}
	return m
}
