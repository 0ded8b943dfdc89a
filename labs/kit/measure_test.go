package kit_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Limits of the code's form, as .github/CONTRIBUTING.md states them.
const (
	maxColumns  = 100
	maxTestName = 40
	maxClauses  = 1.0 // in 1,000 words of comment
	tabWidth    = 4
)

// A measure is the form of one package's Go files, tests included.
type measure struct {
	functions []int // lines of each
	widest    int   // columns
	wide      []string
	longest   int // lines of the longest file
	words     int // of comment
	clauses   []string
	testNames []string // that are too long
}

// TestCodeForm prints the form of each package and fails over the limits. MEASURE=folder limits it
// to the packages below a folder.
func TestCodeForm(t *testing.T) {
	t.Parallel()
	packages := map[string]*measure{}
	for _, file := range tracked(t, "*.go") {
		if !strings.HasPrefix(file, strings.Trim(os.Getenv("MEASURE"), "./")) {
			continue
		}
		m := packages[path.Dir(file)]
		if m == nil {
			m = &measure{}
			packages[path.Dir(file)] = m
		}
		m.take(t, file)
	}
	var total measure
	t.Logf("%-34s %6s %4s %4s %6s %7s %7s",
		"package", "median", "p90", "max", "widest", "longest", "clauses")
	for _, name := range slices.Sorted(maps.Keys(packages)) {
		m := packages[name]
		slices.Sort(m.functions)
		t.Logf("%-34s %6d %4d %4d %6d %7d %7d", name, quantile(m.functions, 50),
			quantile(m.functions, 90), quantile(m.functions, 100),
			m.widest, m.longest, len(m.clauses))
		total.functions = append(total.functions, m.functions...)
		total.words += m.words
		total.wide = append(total.wide, m.wide...)
		total.clauses = append(total.clauses, m.clauses...)
		total.testNames = append(total.testNames, m.testNames...)
	}
	slices.Sort(total.functions)
	rate := 1000 * float64(len(total.clauses)) / float64(max(total.words, 1))
	t.Logf("all: median %d, p90 %d lines a function; "+
		"%d words of comment, %.2f nominal clauses in 1,000",
		quantile(total.functions, 50), quantile(total.functions, 90), total.words, rate)
	require.Empty(t, total.wide, "lines of more than %d columns", maxColumns)
	require.Empty(t, total.testNames, "test names of more than %d characters", maxTestName)
	require.LessOrEqual(t, rate, maxClauses, "write a noun in place of these clauses:\n%s",
		strings.Join(total.clauses, "\n"))
}

// take adds one file. A tab counts as tabWidth columns.
func (m *measure) take(t *testing.T, file string) {
	text, err := os.ReadFile(filepath.Join("../..", file))
	require.NoError(t, err)
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, text, parser.ParseComments)
	require.NoError(t, err)
	line := func(p token.Pos) int { return set.Position(p).Line }
	lines := strings.Split(string(text), "\n")
	m.longest = max(m.longest, len(lines)-1)
	for i, line := range lines {
		columns := len([]rune(strings.ReplaceAll(line, "\t", strings.Repeat(" ", tabWidth))))
		m.widest = max(m.widest, columns)
		if columns > maxColumns {
			m.wide = append(m.wide, fmt.Sprintf("%s:%d", file, i+1))
		}
	}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			m.functions = append(m.functions, line(f.End())-line(f.Pos())+1)
			if strings.HasPrefix(f.Name.Name, "Test") && len(f.Name.Name) > maxTestName {
				m.testNames = append(m.testNames, file+": "+f.Name.Name)
			}
		}
	}
	for _, group := range parsed.Comments {
		comment := group.Text()
		m.words += len(strings.Fields(comment))
		for _, clause := range nominalClauses(comment) {
			m.clauses = append(m.clauses, fmt.Sprintf("%s:%d: %s", file, line(group.Pos()), clause))
		}
	}
}

var (
	pronoun = regexp.MustCompile(`(?i)(\S+\s+)?\b(what|whatever|whoever|who)\b(\s+\S+){0,4}`)
	// opens ends a word after which "who" stands for a person that no noun names.
	opens = regexp.MustCompile(`(?i)^(|.*[.,;:(]|and|or|but|for|of|by|to|from|with|as|is|are|was|` +
		`says?|tells?|asks?|knows?|see|sees|than|not|that|if|on|only|about|at|between)$`)
)

// nominalClauses finds "what" and "who" where a clause stands in the place of a noun. "who" after a
// noun is an ordinary relative clause.
func nominalClauses(comment string) []string {
	var found []string
	for _, m := range pronoun.FindAllStringSubmatch(comment, -1) {
		before, word := strings.TrimSpace(m[1]), strings.ToLower(m[2])
		if word == "who" && !opens.MatchString(before) {
			continue
		}
		found = append(found, strings.Join(strings.Fields(m[0]), " "))
	}
	return found
}

// quantile returns the value at n percent of sorted values, or 0 if there are no values.
func quantile(sorted []int, n int) int {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[(len(sorted)-1)*n/100]
}

// tracked lists the files of the repository that match a pattern, by their paths from its root.
func tracked(t *testing.T, pattern string) []string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "git", "ls-files", "--cached", "--others",
		"--exclude-standard", pattern)
	cmd.Dir = "../.."
	out, err := cmd.Output()
	require.NoError(t, err)
	files := strings.Fields(string(out))
	slices.SortFunc(files, cmp.Compare)
	return slices.DeleteFunc(files, func(f string) bool {
		_, err := os.Stat(filepath.Join("../..", f))
		return err != nil // deleted, and not committed yet
	})
}
