package main

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A change edits the text of a file.
type change = func(text string) string

// testLab runs lab test on a lab whose files are changed. args go to go test, after the package.
func testLab(t *testing.T, name string, changes map[string]change, args ...string) (string, error) {
	t.Helper()
	lab, err := filepath.Abs(filepath.Join("../..", name))
	require.NoError(t, err)
	dir, overlay := t.TempDir(), map[string]map[string]string{"Replace": {}}
	for name, edit := range changes {
		text, err := os.ReadFile(filepath.Join(lab, name))
		require.NoError(t, err)
		changed := edit(string(text))
		require.NotEqual(t, string(text), changed, "%s is unchanged", name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o644))
		overlay["Replace"][filepath.Join(lab, name)] = filepath.Join(dir, name)
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	var out strings.Builder
	cmd := &testCmd{Args: append([]string{"-overlay=" + file, lab}, args...)}
	err = cmd.Run(t.Context(), &streams{&out, io.Discard})
	return out.String(), err
}

// worth returns the number of a lab's checks and their points.
func worth(lab string) (checks, points int) {
	for _, c := range checksOf(lab) {
		checks, points = checks+1, points+c.Points
	}
	return checks, points
}

// onlyInCI skips a test about labs as they are shipped: a student has changed them.
func onlyInCI(t *testing.T) {
	t.Helper()
	if os.Getenv("BLOTTER_CI") == "" {
		t.Skip("in CI only: a student has changed the lab")
	}
}

// A fresh clone is green and names the first exercise. Each part has a row.
func TestLab1Fresh(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	checks, _ := worth("1-schemas")
	out, err := testLab(t, "1-schemas", nil)
	require.NoError(t, err)
	require.Regexp(t, `1a-schemas +0 +0 +8 +11 +0/41 +0/5\n`, out)
	require.Regexp(t, `1b-schemas +0 +0 +5 +13 +0/44 +-\n`, out)
	require.Contains(t, out, "next: write L1.encodeSettled in labs/1-schemas for L1.1: ")
	require.Contains(t, out, "labs/1-schemas/README.md")
	counts := fmt.Sprintf("0 passed, 0 failed, %d skipped\n", checks)
	require.True(t, strings.HasSuffix(out, counts), out)
}

// A wrong answer is red, and the next step names the first failing check.
func TestLab1Wrong(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	out, err := testLab(t, "1-schemas", map[string]change{"compatible.go": func(s string) string {
		return strings.ReplaceAll(s, `return check.TODO("L1.compatible")`, "return nil")
	}})
	requireFailed(t, err, out)
	require.Regexp(t, `1b-schemas +0 +3 +2 +13 +0/\d+ `, out)
	require.Contains(t, out, "L1.I7 broken: ")
	require.Contains(t, out, "next: mend L1.24:\n")
	require.Contains(t, out, "also failing in labs/1-schemas:\n  L1.25  ")
	require.Equal(t, 1, strings.Count(out, "L1.I7 broken"), "only the next failure is in full")
}

// Code that does not compile is reported as such.
func TestLab1Broken(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	out, err := testLab(t, "1-schemas", map[string]change{
		"producer.go": func(s string) string { return s + "\nfunc" },
	})
	requireFailed(t, err, out)
	require.Contains(t, out, "1-schemas      its tests did not run: see above\n")
}

func requireFailed(t *testing.T, err error, out string) {
	t.Helper()
	var hinted *hintedError
	require.ErrorAs(t, err, &hinted, out)
	require.Equal(t, failed, hinted.code)
}

// Each exercise of Lab 1 turns checks green by itself. A student who writes them in their order
// never meets a check that fails because of a later exercise.
func TestLab1InOrder(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	unsolved := strings.Fields("EncodeSettled DecodeSettled New encode decode lookUp next " +
		"splitCurve Readable sameMeaning Compatible Publish Run handleRecord park Avro")
	for _, step := range []struct{ writes, a, b string }{
		{"EncodeSettled", `3 +0 `, `0 +0 `},
		{"DecodeSettled", `6 +0 `, `0 +0 `},
		{"New", `8 +0 `, `0 +0 `},
		{"encode", `11 +0 `, `0 +0 `},
		{"decode", `15 +0 `, `0 +0 `},
		{"lookUp", `17 +0 `, `0 +0 `},
		{"next splitCurve", `19 +0 +0 +0 +41/41 +5/5`, `0 +0 `},
		{"Readable sameMeaning", `19 +0 `, `2 +0 `},
		{"Compatible", `19 +0 `, `5 +0 `},
		{"Publish", `19 +0 `, `7 +0 `},
		{"Run handleRecord", `19 +0 `, `1[13] +0 `},
		{"park", `19 +0 `, `16 +0 `},
		{"Avro", `19 +0 `, `18 +0 +0 +0 +44/44`},
	} {
		unsolved = slices.DeleteFunc(unsolved, func(name string) bool {
			return slices.Contains(strings.Fields(step.writes), name)
		})
		changes := map[string]change{}
		for _, file := range filesOf("1-schemas") {
			changes[file] = partlySolved(t, "1-schemas/"+file, unsolved)
		}
		out, err := testLab(t, "1-schemas", changes)
		require.NoError(t, err, "%s\n%s", step.writes, out)
		require.Regexp(t, "1a-schemas +"+step.a, out, step.writes)
		require.Regexp(t, "1b-schemas +"+step.b, out, step.writes)
	}
}

// partlySolved returns a change of a lab's file into the solution's, in which the functions of the
// unsolved names are still the lab's.
func partlySolved(t *testing.T, file string, unsolved []string) change {
	solution, err := os.ReadFile("../../../solutions/" + file)
	require.NoError(t, err)
	return func(lab string) string {
		set := token.NewFileSet()
		stubs, err := parser.ParseFile(set, "lab.go", lab, 0)
		require.NoError(t, err)
		mixed, err := parser.ParseFile(set, "solution.go", solution, 0)
		require.NoError(t, err)
		for _, d := range stubs.Decls {
			stub, ok := d.(*ast.FuncDecl)
			if !ok || !slices.Contains(unsolved, stub.Name.Name) {
				continue
			}
			for i, d := range mixed.Decls {
				solved, ok := d.(*ast.FuncDecl)
				if ok && solved.Name.Name == stub.Name.Name && receiver(solved) == receiver(stub) {
					mixed.Decls[i] = stub
				}
			}
		}
		useImports(mixed, stubs)
		var out strings.Builder
		require.NoError(t, printer.Fprint(&out, token.NewFileSet(), mixed))
		return out.String()
	}
}

func receiver(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return ""
	}
	typ := f.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	return typ.(*ast.Ident).Name
}

// useImports gives a file those of its own imports and of the other file's that it uses.
func useImports(f, other *ast.File) {
	used := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok {
				used[x.Name] = true
			}
		}
		return true
	})
	all := &ast.GenDecl{Tok: token.IMPORT, Lparen: 1, Rparen: 2}
	for _, spec := range slices.Concat(f.Imports, other.Imports) {
		folder := strings.TrimSuffix(strings.Trim(spec.Path.Value, `"`), "/v2")
		if name := path.Base(folder); used[name] {
			all.Specs = append(all.Specs, &ast.ImportSpec{
				Path: &ast.BasicLit{Kind: token.STRING, Value: spec.Path.Value},
			})
			used[name] = false
		}
	}
	f.Decls = slices.DeleteFunc(f.Decls, func(d ast.Decl) bool {
		g, ok := d.(*ast.GenDecl)
		return ok && g.Tok == token.IMPORT
	})
	if len(all.Specs) > 0 {
		f.Decls = slices.Insert(f.Decls, 0, ast.Decl(all))
	}
}

// Each exercise of Lab 2 turns checks green by itself. A student who writes them in their order
// never meets a check that fails because of a later exercise.
func TestLab2InOrder(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	unsolved := strings.Fields("Decide transact takeOver repairHeads End append resolve frontier " +
		"offload fetch")
	for _, step := range []struct{ writes, a, b string }{
		{"", `0 +0 +13 +2 +0/29 +-`, `0 +0 +1 +19 +0/57 +0/13`},
		{"Decide", `5 +0 `, `0 +0 `},
		{"transact", `9 +0 `, `0 +0 `},
		{"takeOver", `13 +0 `, `0 +0 `},
		{"repairHeads", `14 +0 `, `0 +0 `},
		{"End", `15 +0 +0 +0 +29/29 `, `0 +0 `},
		{"append", `15 +0 `, `8 +0 `},
		{"resolve", `15 +0 `, `15 +0 `},
		{"frontier", `15 +0 `, `16 +0 `},
		{"offload", `15 +0 `, `17 +0 `},
		{"fetch", `15 +0 `, `20 +0 +0 +0 +57/57 +13/13`},
	} {
		unsolved = slices.DeleteFunc(unsolved, func(name string) bool {
			return slices.Contains(strings.Fields(step.writes), name)
		})
		changes := map[string]change{}
		for _, file := range filesOf("2-store") {
			changes[file] = partlySolved(t, "2-store/plain/"+file, unsolved)
		}
		out, err := testLab(t, "2-store", changes)
		require.NoError(t, err, "%s\n%s", step.writes, out)
		require.Regexp(t, "2a-store +"+step.a, out, step.writes)
		require.Regexp(t, "2b-store +"+step.b, out, step.writes)
	}
}

// An answer that ends a check, a goroutine or the process early earns no points, is red, and hides
// no output. A process may end before its first verdict, or after it.
func TestCheatsAreFound(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("each cheat builds and runs the tests of a lab")
	}
	cheats, err := os.ReadFile(filepath.Join("testdata", "cheats", "lab_test.go"))
	require.NoError(t, err)
	for cheat, want := range map[string][]string{
		"goexit": {`1a-schemas +\d+ +[1-9]\d* +0 +0 +\d+/\d+ `,
			`EXIT: the implementation ended the goroutine`, `next: mend L1\.7:`},
		"panic-elsewhere": {`panic: mine\n`, `1a?-schemas .*did not run`, `next: `},
		"log-fatal":       {`no more\n`, `1a?-schemas .*did not run`, `next: `},
		"exit":            {`the process ended before its tests`, `1a?-schemas .*did not run`},
		"exit-first":      {`1-schemas +its tests did not run`},
		"mute":            {`1-schemas +its tests did not run`},
		"unknown-todo": {`returned TODO for L1\.later, which is not an operation of this lab`,
			`next: mend `},
	} {
		t.Run(cheat, func(t *testing.T) { // in turn: each uses the packages compiled before
			changes := map[string]change{
				"lab_test.go": func(string) string { return string(cheats) },
			}
			out, err := testLab(t, "1-schemas", changes, "-args", cheat)
			requireFailed(t, err, out)
			for _, pattern := range want {
				require.Regexp(t, pattern, out)
			}
		})
	}
}
