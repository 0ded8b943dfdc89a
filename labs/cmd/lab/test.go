package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack"
	"example.com/blotter/labs/kit/stack/containers"
	codec "example.com/blotter/solutions/1-schemas"
)

type testCmd struct {
	Args []string `arg:"" optional:"" passthrough:"" help:"Arguments of go test, after --."`
}

// Run calls go test and condenses its output: one line for each package that passes, and the whole
// output of each test that fails. A table then shows the progress of the labs and the next step.
// The last line counts the tests and subtests that have no subtests of their own: N passed, N
// failed, N skipped.
func (t *testCmd) Run(ctx context.Context, to *streams) (err error) {
	args := t.Args
	if len(args) > 0 && args[0] == "--" {
		args = args[1:]
	}
	env, stop, err := testEnv(ctx, os.Getenv("STACK"), to)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stop()) }()
	args = append([]string{"test", "-json"}, withTimeout(withPackages(args))...)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Env, cmd.Stderr = env, to.stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("cannot run go test: %w", err)
	}
	tally := newTally(to.stdout)
	tally.labs.partial = hasFlag(args, "run", "skip", "list")
	readErr := tally.read(out)
	return errors.Join(readErr, tally.verdict(cmd.Wait()))
}

// testEnv returns the environment of the tests, and a function that stops the stack started for
// them. All test processes share one set of containers: they find it as an external stack.
func testEnv(ctx context.Context, kind string, to *streams) ([]string, func() error, error) {
	none := func() error { return nil }
	if kind != "containers" {
		return os.Environ(), none, nil
	}
	dir, err := os.MkdirTemp("", "blotter-test-")
	if err != nil {
		return nil, none, err
	}
	fmt.Fprintln(to.stderr, "stack: containers")
	s := containers.New(containers.Options{
		Dir: filepath.Join(dir, "containers"), Temporary: true, Compatible: compatible,
		Log: func(line string) { fmt.Fprintln(to.stderr, line) },
	})
	stop := func() error { return errors.Join(s.Close(), os.RemoveAll(dir)) }
	env, err := stack.Environment(ctx, s)
	if err != nil {
		return nil, none, errors.Join(err, stop())
	}
	env = append(env, "STACK=external", "BLOTTER_CONTAINERS=1")
	return append(os.Environ(), env...), stop, nil
}

// compatible judges schemas for the registry by the reference solution of lab 1.
func compatible(mode, next string, published ...string) error {
	return codec.Compatible(contract.Mode(mode), next, published...)
}

// verdict prints the table, the failures and the count, and returns an error unless everything
// passed.
func (t *tally) verdict(runErr error) error {
	t.labs.print(t.out)
	for _, name := range t.lost {
		fmt.Fprintf(t.out, "failed: %s\n", name)
	}
	fmt.Fprintf(t.out, "%d passed, %d failed, %d skipped\n",
		t.count["pass"], t.count["fail"], t.count["skip"])
	if t.count["fail"] > 0 || runErr != nil {
		return &hintedError{failed, "tests failed", "the output of each failed test is above"}
	}
	if n := t.labs.unheard(); n > 0 {
		return &hintedError{failed, fmt.Sprintf("%d checks of the labs did not run", n),
			"look for code that ends or skips the tests: a TestMain, syscall.Exit, an init"}
	}
	return nil
}

// withTimeout extends the time limit of go test from ten to thirty minutes, unless args set it. In
// a lab every check may hang, and each must get its turn.
func withTimeout(args []string) []string {
	if hasFlag(args, "timeout") {
		return args
	}
	return slices.Insert(slices.Clone(args), 0, "-timeout=45m")
}

// hasFlag reports whether args set one of the flags, in any spelling.
func hasFlag(args []string, names ...string) bool {
	return slices.ContainsFunc(args[:ownArgs(args)], func(arg string) bool {
		name, _, _ := strings.Cut(strings.TrimLeft(arg, "-"), "=")
		name = strings.TrimPrefix(name, "test.")
		return strings.HasPrefix(arg, "-") && slices.Contains(names, name)
	})
}

// ownArgs returns the number of arguments before -args; the arguments after it are for the tests.
func ownArgs(args []string) int {
	if i := slices.Index(args, "-args"); i >= 0 {
		return i
	}
	return len(args)
}

// withPackages adds ./... if args name no package.
func withPackages(args []string) []string {
	own := ownArgs(args)
	if slices.ContainsFunc(args[:own], isPackage) {
		return args
	}
	return slices.Insert(slices.Clone(args), own, "./...")
}

// isPackage reports whether an argument names packages: by a folder, or by a path within the
// module. Only go knows which flags take a value, so everything else counts as a flag or its value.
func isPackage(arg string) bool {
	const module = "example.com/blotter"
	first, _, _ := strings.Cut(arg, "/")
	return first == "." || first == ".." || filepath.IsAbs(arg) || arg == module ||
		strings.HasPrefix(arg, module+"/")
}
