// Shortened prints the tests that do less under -short or under the race detector, as a pattern of
// go test -run, and then their packages. Such a test reads testing.Short or racing, itself or
// through functions of its package's tests.
package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"log"
	"maps"
	"path/filepath"
	"slices"
	"strings"
)

// A names is a set of identifiers.
type names map[string]bool

func main() {
	folders, err := functions(".")
	if err != nil {
		log.Fatal(err)
	}
	tests, packages := names{}, []string{}
	for _, folder := range slices.Sorted(maps.Keys(folders)) {
		found := shortened(folders[folder])
		if len(found) > 0 {
			packages = append(packages, "./"+folder)
		}
		maps.Copy(tests, found)
	}
	if len(tests) == 0 {
		log.Fatal("no test is shortened")
	}
	fmt.Println(strings.Join(slices.Sorted(maps.Keys(tests)), "|"))
	fmt.Println(strings.Join(packages, " "))
}

// functions returns the identifiers in each function of the test files below a root, by folder.
func functions(root string) (map[string]map[string]names, error) {
	folders := map[string]map[string]names{}
	return folders, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if d.IsDir() && (d.Name() == "testdata" || len(d.Name()) > 1 && d.Name()[0] == '.') {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
		if err != nil {
			return err
		}
		folder := filepath.ToSlash(filepath.Dir(path))
		if folders[folder] == nil {
			folders[folder] = map[string]names{}
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok {
				add(folders[folder], f)
			}
		}
		return nil
	})
}

// add adds a function with its identifiers. Methods of one name are one function.
func add(functions map[string]names, f *ast.FuncDecl) {
	if functions[f.Name.Name] == nil {
		functions[f.Name.Name] = names{}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok && id.Name != f.Name.Name {
			functions[f.Name.Name][id.Name] = true
		}
		return true
	})
}

// shortened returns the tests among functions that reach testing.Short or racing.
func shortened(functions map[string]names) names {
	reach := names{"Short": true, "racing": true}
	for before := 0; before < len(reach); {
		before = len(reach)
		for f, ids := range functions {
			for id := range ids {
				if reach[id] {
					reach[f] = true
				}
			}
		}
	}
	maps.DeleteFunc(reach, func(f string, _ bool) bool { return !strings.HasPrefix(f, "Test") })
	return reach
}
