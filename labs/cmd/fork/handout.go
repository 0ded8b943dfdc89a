package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// handedOut are the files and folders of the template for students.
var handedOut = []string{
	"labs", "schemas", ".tools", ".gitattributes", ".gitignore", "LICENSE", "go.mod", "go.sum",
}

// notHandedOut has tools for instructors. The tests outside the labs need the solutions or the
// capstone.
var notHandedOut = regexp.MustCompile(`^labs/(cmd/(fork|determinism)|INSTRUCTOR\.md|` +
	`cmd/lab/(grade/)?testdata)(/|$)|^(schemas|labs/(kit|cmd))/(.*/)?[^/]*_test\.go$`)

const handoutReadme = `# The labs

Read [labs/README.md](labs/README.md). ` + "`make test`" + ` runs every check,
` + "`make lab1`" + ` those of Lab 1, and ` + "`make hint CHECK=L1.4`" + ` explains a check.
`

const handoutMakefile = `.PHONY: setup test lab1 lab2 lab3 lab4 lab5 hint

setup:
	@./.tools/setup

test: setup
	@go run ./labs/cmd/lab test -- -short ./...

lab1 lab2 lab3 lab4 lab5: setup
	@go run ./labs/cmd/lab test ./labs/$(@:lab%=%)-*

hint:
	@go run ./labs/cmd/lab hint $(CHECK) $(if $(MORE),--more)
`

// handout writes a template repository to dir: the labs, and no solution. It checks that no text of
// a solution is in it BEFORE it writes a file, and afterwards that everything compiles.
func handout(dir string, stdout io.Writer) error {
	files, err := tracked()
	if err != nil {
		return err
	}
	written, to := map[string][]byte{}, map[string]string{}
	for _, file := range files {
		first, _, _ := strings.Cut(file, "/")
		if !slices.Contains(handedOut, first) || notHandedOut.MatchString(file) {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		// The command judges schemas by the student's own Lab 1.
		written[file] = bytes.ReplaceAll(text, []byte(oldModule+"/solutions/1-schemas"),
			[]byte(oldModule+"/labs/1-schemas"))
		to[file] = file
	}
	bodies, err := solutionBodies(files)
	if err != nil {
		return err
	}
	if err := holdsNone(written, bodies); err != nil {
		return err
	}
	if err := write(dir, to, written); err != nil {
		return err
	}
	for name, text := range map[string]string{
		"README.md": handoutReadme, "Makefile": handoutMakefile,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	vet := exec.Command("go", "vet", "./...")
	vet.Dir = dir
	if out, err := vet.CombinedOutput(); err != nil {
		return fmt.Errorf("the template does not compile: %w: %s", err, out)
	}
	fmt.Fprintf(stdout, "%s: %d files; it compiles, and has none of the %d functions of the "+
		"solutions\n", dir, len(written)+2, len(bodies))
	return nil
}

// given finds the files of solutions that the labs provide.
var given = regexp.MustCompile(`(?m)^// Code generated from (solutions/\S+\.go) by make generate;`)

// solutionBodies returns the body of each function of the solutions, by its place. It leaves out
// bodies that stand in code which the labs provide, and those of less than 100 characters.
func solutionBodies(files []string) (map[string]string, error) {
	provided := map[string]bool{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		if from := given.FindSubmatch(text); from != nil && strings.HasPrefix(file, "labs/") {
			provided[string(from[1])] = true
		}
	}
	bodies, known := map[string]string{}, map[string]bool{}
	for _, file := range files {
		if !strings.HasPrefix(file, "solutions/") || path.Ext(file) != ".go" ||
			strings.HasSuffix(file, "_test.go") {
			continue
		}
		of, err := bodiesOf(file)
		if err != nil {
			return nil, err
		}
		for place, body := range of {
			if provided[file] {
				known[body] = true
			} else if len(body) >= 100 {
				bodies[place] = body
			}
		}
	}
	maps.DeleteFunc(bodies, func(_, body string) bool { return known[body] })
	return bodies, nil
}

// bodiesOf returns the body of each function of a Go file, by its place.
func bodiesOf(file string) (map[string]string, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, file, text, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	bodies := map[string]string{}
	for _, d := range tree.Decls {
		if f, ok := d.(*ast.FuncDecl); ok && f.Body != nil {
			from, to := set.Position(f.Body.Lbrace).Offset, set.Position(f.Body.Rbrace).Offset
			bodies[set.Position(f.Pos()).String()] = squeezed(text[from+1 : to])
		}
	}
	return bodies, nil
}

func squeezed(text []byte) string { return strings.Join(strings.Fields(string(text)), " ") }

// holdsNone refuses a file that has the body of a function of a solution.
func holdsNone(files map[string][]byte, bodies map[string]string) error {
	var found []string
	for file, text := range files {
		if bytes.Contains(text, []byte(`"`+oldModule+"/solutions/")) {
			found = append(found, file+" imports a solution")
		}
		all := squeezed(text)
		for place, body := range bodies {
			if strings.Contains(all, body) {
				found = append(found, fmt.Sprintf("%s has the function of %s", file, place))
			}
		}
	}
	if slices.Sort(found); len(found) > 0 {
		return fmt.Errorf("the template would hold solutions:\n  %s", strings.Join(found, "\n  "))
	}
	return nil
}
