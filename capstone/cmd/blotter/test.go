package main

import (
	"context"
	"errors"
	"fmt"
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
	cmd := exec.CommandContext(ctx, "go", append([]string{"test", "-json"}, withTimeout(withPackages(args))...)...)
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
	tally := newTally(a.stdout)
	tally.labs.some = hasFlag(args, "run", "skip", "list")
	readErr := tally.read(out)
	return errors.Join(readErr, tally.verdict(cmd.Wait()))
}

// verdict prints the table and the count, and says what all of it comes to.
func (t *tally) verdict(runErr error) error {
	t.labs.print(t.out)
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n", t.count["pass"], t.count["fail"], t.count["skip"])
	if t.count["fail"] > 0 || runErr != nil {
		return &failure{"tests failed", "the output of each is above"}
	}
	if n := t.labs.unheard(); n > 0 {
		return &failure{plural(int64(n), "check") + " of the labs did not run", "something ends the tests early, or leaves them out: a TestMain, a call of syscall.Exit, an init"}
	}
	return nil
}

// withTimeout gives the tests of a lab the time to end even where every check hangs, unless args say otherwise: go test itself would stop them all
// after ten minutes, and those that wait for their turn would never be heard of.
func withTimeout(args []string) []string {
	if hasFlag(args, "timeout") {
		return args
	}
	return slices.Insert(slices.Clone(args), 0, "-timeout=30m")
}

// hasFlag says whether one of the flags is set, in any way of writing it.
func hasFlag(args []string, names ...string) bool {
	return slices.ContainsFunc(args[:testsOwn(args)], func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		return strings.HasPrefix(arg, "-") && slices.Contains(names, strings.TrimPrefix(name, "test."))
	})
}

// testsOwn is where in args that begins which is for the tests themselves.
func testsOwn(args []string) int {
	if ours := slices.Index(args, "-args"); ours >= 0 {
		return ours
	}
	return len(args)
}

// withPackages adds all packages where args name none. What follows -args is for the tests.
func withPackages(args []string) []string {
	ours := testsOwn(args)
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
