package kit_test

import (
	"cmp"
	"go/ast"
	"go/parser"
	"go/printer"
	"go/token"
	"os"
	"path/filepath"
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

// A part is a lab, or a part of one: its files in the lab, and the same files in the solution.
type part struct {
	suite         check.Suite
	lab, solution string
	files         []string
}

func parts() []part {
	schemas := codectest.Suites(codectest.Fixture{})
	stores := kafkatest.Suites(kafkatest.Fixture{})
	return []part{
		{schemas[0], "1-schemas", "1-schemas",
			[]string{"settled.go", "codec.go", "upcast.go"}},
		{schemas[1], "1-schemas", "1-schemas",
			[]string{"compatible.go", "producer.go", "consumer.go"}},
		{projectiontest.Lab(projectiontest.Answer{}), "3-projections", "3-projections/plain",
			[]string{"fold.go", "apply.go", "refold.go", "rebuild.go"}},
		{replaytest.Lab(replaytest.Answer{}), "4-replay", "4-replay/plain",
			[]string{"compare.go", "replay.go", "archive.go", "chain.go", "asof.go"}},
		{audittest.Lab(audittest.Answer{}), "5-audit", "5-audit/plain",
			[]string{"tree.go", "seal.go", "verify.go", "witness.go", "trace.go"}},
		{stores[0], "2-store", "2-store/plain",
			[]string{"decide.go", "transact.go", "takeover.go", "heads.go", "end.go"}},
		{stores[1], "2-store", "2-store/plain",
			[]string{"append.go", "frontier.go", "offload.go"}},
	}
}

// TestLabBudgets prints the size of each lab's work and fails over the budget. The work is the
// functions of the solution that the lab does not provide in the same form. The words of a guide
// are counted up to its table of checks.
func TestLabBudgets(t *testing.T) {
	t.Parallel()
	t.Logf("%-13s %9s %5s %8s %5s", "part", "functions", "lines", "required", "words")
	for _, p := range parts() {
		functions, lines := p.work(t)
		words := guideWords(t, p.suite.Guide)
		required := 0
		for _, c := range p.suite.Checks {
			if !c.Bonus {
				required++
			}
		}
		name := cmp.Or(p.suite.Part, p.suite.Name)
		t.Logf("%-13s %9d %5d %8d %5d", name, functions, lines, required, words)
		require.LessOrEqual(t, functions, maxFunctions, "functions of %s", name)
		require.LessOrEqual(t, lines, maxLines, "lines of %s", name)
		require.LessOrEqual(t, words, maxWords, "words of %s", p.suite.Guide)
		require.GreaterOrEqual(t, required, minRequired, "required checks of %s", name)
		require.LessOrEqual(t, required, maxRequired, "required checks of %s", name)
	}
}

// work returns the number of functions that a student writes, and their lines without comments.
func (p part) work(t *testing.T) (functions, lines int) {
	for _, file := range p.files {
		given := functionsOf(t, filepath.Join("..", p.lab, file))
		for name, text := range functionsOf(t, filepath.Join("../../solutions", p.solution, file)) {
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
