package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

type testCmd struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"What go test takes, after --; ./... without packages."`
}

// Run is go test, with its output cut down to a line per package and the whole of what failed. A table shows how far the labs are, and what
// to do next. The last line counts: N passed, N failed, N skipped.
func (t *testCmd) Run(ctx context.Context, a *app) error {
	args := t.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, withPackages(args)...)...)
	env, err := a.testEnv(ctx)
	if err != nil {
		return err
	}
	cmd.Env, cmd.Stderr = env, a.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot run go test: %w", err)
	}
	tally := tally{out: a.stdout, output: map[string][]string{}, count: map[string]int{}, failed: map[string]bool{}, labs: labProgress{}}
	readErr := tally.read(out)
	runErr := cmd.Wait()
	tally.labs.print(a.stdout)
	fmt.Fprintf(a.stdout, "%d passed, %d failed, %d skipped\n", tally.count["pass"], tally.count["fail"], tally.count["skip"])
	if tally.count["fail"] > 0 || runErr != nil {
		return errors.Join(readErr, &failure{"tests failed", "the output of each is above"})
	}
	return readErr
}

// withPackages adds all packages where args name none. What follows -args is for the tests.
func withPackages(args []string) []string {
	ours := slices.Index(args, "-args")
	if ours < 0 {
		ours = len(args)
	}
	if slices.ContainsFunc(args[:ours], isPackage) {
		return args
	}
	return slices.Insert(slices.Clone(args), ours, "./...")
}

// isPackage says whether an argument names packages: by a folder, or by a path within the module. Anything else is a flag or what is given
// to one, since which flags take an argument only go knows.
func isPackage(arg string) bool {
	const module = "example.com/blotter"
	first, _, _ := strings.Cut(arg, "/")
	return first == "." || first == ".." || filepath.IsAbs(arg) || arg == module || strings.HasPrefix(arg, module+"/")
}

// A tally counts the tests in a stream of go test -json (see: go doc test2json).
type tally struct {
	out    io.Writer
	output map[string][]string // of a package and test, until it is known to have passed
	count  map[string]int      // tests by how they ended
	labs   labProgress
	failed map[string]bool // packages of which a test failed
}

type testEvent struct {
	Action, Package, ImportPath, Test, Output string
	Key, Value                                string // of an attribute
	Elapsed                                   float64
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e testEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(t.out, lines.Text()) // what is not JSON is go's own complaint
			continue
		}
		t.take(e)
	}
	return lines.Err()
}

func (t *tally) take(e testEvent) {
	t.labs.take(e)
	key := e.Package + " " + e.Test
	switch e.Action {
	case "output":
		t.output[key] = append(t.output[key], e.Output)
		if strings.HasPrefix(e.Test, "Benchmark") && !strings.HasPrefix(e.Output, "=") {
			fmt.Fprint(t.out, e.Output) // a figure is what a benchmark is run for
		}
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		t.end(e, key)
	}
}

func (t *tally) end(e testEvent, key string) {
	defer delete(t.output, key)
	if e.Action == "fail" {
		fmt.Fprint(t.out, strings.Join(t.output[key], ""))
	}
	switch {
	case e.Test != "":
		t.count[e.Action]++
		t.failed[e.Package] = t.failed[e.Package] || e.Action == "fail"
	case e.Action == "fail" && !t.failed[e.Package]:
		t.count["fail"]++ // it does not compile, or failed outside of its tests: that counts as one
	case e.Action == "pass":
		fmt.Fprintf(t.out, "ok    %-50s %6.1fs\n", e.Package, e.Elapsed)
	}
}
