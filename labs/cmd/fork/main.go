// Command fork writes a product without the course into a new folder: another module, another name,
// and the folders that a product would have. layout.go has their table.
//
//	make fork MODULE=example.org/acme/trades NAME=acme
package main

import (
	"cmp"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run returns 0 if the fork is complete, 1 if it could not be written, and 2 after wrong usage.
func run(args []string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("fork", flag.ContinueOnError)
	flags.SetOutput(stderr)
	var n names
	flags.StringVar(&n.module, "module", "", "module path, such as example.org/acme/trades")
	flags.StringVar(&n.name, "name", "", "name of its program: lower-case letters and digits")
	flags.StringVar(&n.prefix, "prefix", "", "prefix of its environment variables, such as ACME")
	dir := flags.String("dir", "", "new folder of the fork; beside this clone by default")
	template := flags.Bool("handout", false, "write a template for students, without solutions")
	if flags.Parse(args) != nil {
		return 2
	}
	if *template {
		if err := handout(cmp.Or(*dir, filepath.Join("..", "labs")), stdout); err != nil {
			fmt.Fprintf(stderr, "error: %v\n", err)
			return 1
		}
		return 0
	}
	if err := n.check(); err != nil {
		fmt.Fprintf(stderr, "error: %v\n"+
			"hint: make fork MODULE=example.org/acme/trades NAME=acme\n", err)
		return 2
	}
	if *dir == "" {
		*dir = filepath.Join("..", n.name)
	}
	if err := fork(n, *dir, stdout); err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return 1
	}
	if err := remake(*dir); err != nil {
		fmt.Fprintf(stderr, "error: %v\n", err)
		return 1
	}
	fmt.Fprintf(stdout, "next: cd %s && make demo && make test\n", *dir)
	return 0
}

// remake writes the golden files again that have the name of the program under a signature.
func remake(dir string) error {
	test := exec.Command("go", "test", "./flow/extract", "-run", "^TestGoldenBundle$", "-update")
	test.Dir = dir
	if out, err := test.CombinedOutput(); err != nil {
		return fmt.Errorf("cannot make golden files again: %w: %s", err, out)
	}
	return nil
}

// fork writes the files that git knows to dir. It rewrites all of them BEFORE it writes the first,
// so an error in a text leaves no half of a fork.
func fork(n names, dir string, stdout io.Writer) error {
	files, err := tracked()
	if err != nil {
		return err
	}
	to, err := places(files, n.name)
	if err != nil {
		return err
	}
	w := rewriter{names: n, to: to}
	written := map[string][]byte{}
	for _, path := range files {
		if to[path] == drop {
			continue
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if written[path], err = w.rewrite(path, text); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	if len(w.left) > 0 {
		return fmt.Errorf("the course has left traces:\n  %s", strings.Join(w.left, "\n  "))
	}
	if err := write(dir, to, written); err != nil {
		return err
	}
	fmt.Fprintf(stdout, "%s: %d files of module %s; %d files of the course are left out\n",
		dir, len(written), n.module, len(files)-len(written))
	w.printKept(stdout)
	return nil
}

// tracked returns the files that git knows, from the root of the clone.
func tracked() ([]string, error) {
	out, err := exec.Command("git", "ls-files", "-z").Output()
	if err != nil {
		return nil, fmt.Errorf("cannot list the files of this clone: git ls-files: %w", err)
	}
	return slices.DeleteFunc(strings.Split(string(out), "\x00"), func(path string) bool {
		return path == ""
	}), nil
}

// write creates dir and its files, with the modes that they have here. git then knows them, because
// make lint asks it for the files.
func write(dir string, to map[string]string, files map[string][]byte) error {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) > 0 {
		return fmt.Errorf("%s is not empty: name a new folder with DIR=", dir)
	}
	for path, text := range files {
		at := filepath.Join(dir, filepath.FromSlash(to[path]))
		if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		if err := os.WriteFile(at, text, info.Mode().Perm()); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"init", "--quiet"}, {"add", "--all"}} {
		git := exec.Command("git", append([]string{"-C", dir}, args...)...)
		if out, err := git.CombinedOutput(); err != nil {
			return fmt.Errorf("git %s: %w: %s", args[0], err, out)
		}
	}
	return nil
}
