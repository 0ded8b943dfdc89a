package kit_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
)

// The budget of a lab, or of a part of one (labs/INSTRUCTOR.md).
const (
	maxFunctions = 8
	maxLines     = 250
	maxWords     = 2500
	minRequired  = 12
	maxRequired  = 20
)

// labSuites returns the labs, or the parts of each.
func labSuites() []check.Suite {
	all := append(codectest.Suites(codectest.Fixture{}),
		kafkatest.Suites(kafkatest.Fixture{})...)
	return append(all, projectiontest.Lab(projectiontest.Answer{}),
		replaytest.Lab(replaytest.Answer{}), audittest.Lab(audittest.Answer{}))
}

// Each suite lists the files that a student edits. The lab's doc.go names them, too, in the same
// order, and they are the files that make generate does not copy.
func TestFilesToEdit(t *testing.T) {
	t.Parallel()
	named, edited := map[string]string{}, map[string][]string{}
	for _, s := range labSuites() {
		doc, err := os.ReadFile(filepath.Join("..", s.Name, "doc.go"))
		require.NoError(t, err)
		named[s.Name], edited[s.Name] = string(doc), append(edited[s.Name], s.Files...)
	}
	for lab, files := range edited {
		require.Equal(t, files, goFile.FindAllString(named[lab], len(files)), "%s/doc.go", lab)
		all, err := filepath.Glob(filepath.Join("..", lab, "*.go"))
		require.NoError(t, err)
		for _, path := range all {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			name := filepath.Base(path)
			given := strings.HasPrefix(string(text), "// Code generated from ") ||
				name == "doc.go" || strings.HasSuffix(name, "_test.go")
			require.NotEqual(t, given, slices.Contains(files, name), path)
		}
	}
}

var goFile = regexp.MustCompile(`\w+\.go\b`)

// TestLabBudgets prints the size of each lab's work and fails over the budget. The work is the
// functions of the solution that the lab does not provide in the same form. The words of a guide
// are counted up to its table of checks.
func TestLabBudgets(t *testing.T) {
	t.Parallel()
	t.Logf("%-13s %9s %5s %8s %5s", "part", "functions", "lines", "required", "words")
	for _, s := range labSuites() {
		functions, lines := work(t, s)
		words := guideWords(t, s.Guide)
		required := 0
		for _, c := range s.Checks {
			if !c.Bonus {
				required++
			}
		}
		name := cmp.Or(s.Part, s.Name)
		t.Logf("%-13s %9d %5d %8d %5d", name, functions, lines, required, words)
		require.LessOrEqual(t, functions, maxFunctions, "functions of %s", name)
		require.LessOrEqual(t, lines, maxLines, "lines of %s", name)
		require.LessOrEqual(t, words, maxWords, "words of %s", s.Guide)
		require.GreaterOrEqual(t, required, minRequired, "required checks of %s", name)
		require.LessOrEqual(t, required, maxRequired, "required checks of %s", name)
	}
}

// work returns the number of functions that a student writes, and their lines without comments.
func work(t *testing.T, s check.Suite) (functions, lines int) {
	for _, file := range s.Files {
		given := functionsOf(t, filepath.Join("..", s.Name, file))
		solution := filepath.Join("../../solutions", solutionOf(s.Name), file)
		for name, text := range functionsOf(t, solution) {
			if given[name] != text {
				functions++
				lines += strings.Count(text, "\n") + 1
			}
		}
	}
	return functions, lines
}

// functionsOf returns the text of each function of a file, without comments, by receiver and name.
func functionsOf(t *testing.T, file string) map[string]string {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, nil, 0)
	require.NoError(t, err)
	texts := map[string]string{}
	for _, declared := range parsed.Decls {
		f, ok := declared.(*ast.FuncDecl)
		if !ok {
			continue
		}
		var name, text strings.Builder
		if f.Recv != nil {
			require.NoError(t, printer.Fprint(&name, set, f.Recv.List[0].Type))
		}
		name.WriteString("." + f.Name.Name)
		require.NoError(t, printer.Fprint(&text, set, f))
		texts[name.String()] = text.String()
	}
	return texts
}

// guideWords returns the number of words of a guide before its table of checks.
func guideWords(t *testing.T, guide string) int {
	text, err := os.ReadFile(filepath.Join("../..", guide))
	require.NoError(t, err)
	before, _, found := strings.Cut(string(text), "\n## The checks\n")
	require.True(t, found, "%s has no table of checks", guide)
	return len(strings.Fields(before))
}
