package grade

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	audit "example.com/blotter/solutions/5-audit/plain"
)

func TestMain(m *testing.M) {
	if Confined() {
		os.Exit(Confine())
	}
	code := m.Run()
	if g, err := shared(); err == nil {
		_ = g.Close() // its temporary files remain
	}
	os.Exit(code)
}

// shared is the grader of all tests.
var shared = sync.OnceValues(func() (*Grader, error) {
	kit, err := filepath.Abs("../../../..")
	if err != nil {
		return nil, err
	}
	return New(Options{Kit: kit, Suites: suites(), Labs: []string{"5-audit"},
		Check: 2 * time.Second, Memory: 2 << 30})
})

func suites() []check.Suite {
	all := append(codectest.Suites(codectest.Fixture{}),
		kafkatest.Suites(kafkatest.Fixture{})...)
	return append(all, projectiontest.Lab(projectiontest.Answer{}),
		replaytest.Lab(replaytest.Answer{}), audittest.Lab(audittest.Answer{}))
}

func kitRoot(t *testing.T) string {
	root, err := filepath.Abs("../../../..")
	require.NoError(t, err)
	return root
}

// solved returns a file of a reference solution.
func solved(t *testing.T, lab, file string) []byte {
	folder := map[bool]string{true: lab, false: lab + "/plain"}[lab == "1-schemas"]
	text, err := os.ReadFile(filepath.Join(kitRoot(t), "solutions", folder, file))
	require.NoError(t, err)
	return text
}

// lab5 returns the answers to Lab 5, with a change of each file that is named.
func lab5(t *testing.T, changes map[string]func(string) string) map[string]string {
	files := map[string]string{}
	for _, file := range suites()[6].Files {
		text := string(solved(t, "5-audit", file))
		if change := changes[file]; change != nil {
			changed := change(text)
			require.NotEqual(t, text, changed, "%s is unchanged", file)
			text = changed
		}
		files["labs/5-audit/"+file] = text
	}
	return files
}

// after returns a change that puts statements at the beginning of a function.
func after(signature, statements string) func(string) string {
	return func(text string) string {
		return strings.Replace(text, signature, signature+"\n\t"+statements, 1)
	}
}

// imports returns a change that adds an import.
func imports(path string, then func(string) string) func(string) string {
	return func(text string) string {
		return then(strings.Replace(text, "import (", "import (\n\t\""+path+"\"", 1))
	}
}

const rootOf = "func Root(leaves [][]byte) contract.Hash {"

// submit writes the files of a submission, and returns its folder.
func submit(t *testing.T, files map[string]string) string {
	dir := filepath.Join(t.TempDir(), "student")
	for name, text := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o644))
	}
	return dir
}

// gradeLab5 grades a submission.
func gradeLab5(t *testing.T, dir string) Report {
	t.Helper()
	if os.Getenv("BLOTTER_CI") == "" {
		t.Skip("in CI only: a student has changed the kit's files")
	}
	g, err := shared()
	require.NoError(t, err)
	r, err := g.Grade(t.Context(), dir)
	require.NoError(t, err)
	return r
}

// resultOf returns the result of a check, and the report for the student.
func resultOf(t *testing.T, r Report, id string) (Result, string) {
	var text strings.Builder
	require.NoError(t, r.Markdown(&text))
	for _, result := range r.Labs[0].Results {
		if result.Check.ID == id {
			return result, text.String()
		}
	}
	require.Fail(t, "no result of "+id)
	return Result{}, ""
}

// The gate finds each of these cheats. The lab then scores 0, and the report gives the reason.
func TestGateFindsCheats(t *testing.T) {
	t.Parallel()
	inRoot := func(path, statements string) func(string) string {
		return imports(path, after(rootOf, statements))
	}
	for name, tc := range map[string]struct {
		change func(string) string
		named  string
	}{
		"prints PASS in init": {imports("fmt", func(s string) string {
			return s + "\nfunc init() { fmt.Println(\"--- PASS: TestLab5/L5.1\") }\n"
		}), "the function init"},
		"exits through syscall": {inRoot("syscall", "syscall.Exit(0)"), "import of syscall"},
		"exits through os":      {inRoot("os", "os.Exit(0)"), "of os"},
		"has a TestMain": {imports("testing", func(s string) string {
			return s + "\nfunc TestMain(m *testing.M) {}\n"
		}), "the function TestMain"},
		"ends the goroutine":            {inRoot("runtime", "runtime.Goexit()"), "of runtime"},
		"writes a guessed results file": {inRoot("os", `os.WriteFile("report", nil, 0)`), "of os"},
		"reads the solution's files":    {inRoot("os", `os.ReadFile("tree.go")`), "of os"},
		"calls the solution":            {inRoot(module+"solutions/x", ""), "/solutions/"},
		"looks into the suite":          {inRoot("reflect", "reflect.ValueOf(1)"), "of reflect"},
		"reads memory":                  {inRoot("unsafe", "unsafe.Sizeof(1)"), "of unsafe"},
		"judges itself":                 {inRoot(module+"labs/kit/check", "check.Go()"), ".Go"},
		"links to a name of the suite":  {replaced("// Root", "//go:linkname a\n//"), "linkname"},
		"embeds a file":                 {replaced("// Root", "//go:embed x\n// Root"), "embed"},
		"changes a shared value by an alias": {imports("time", func(s string) string {
			return s + "\ntype place = time.Location\n" +
				"func move(to *place, now time.Time) { *now.Location() = *to }\n"
		}), "a change of a value that the suite shares"},
		"has an error that is every one": {func(s string) string {
			return s + "\ntype e struct{}\nfunc (e) Is(error) bool { return true }\n"
		}, "the method Is"},
	} {
		r := gradeLab5(t, submit(t, lab5(t, map[string]func(string) string{"tree.go": tc.change})))
		require.Zero(t, r.Score().Earned, name)
		result, text := resultOf(t, r, "L5.1")
		require.Equal(t, Forbidden, result.State, name)
		require.Contains(t, text, "All checks are FORBIDDEN", name)
		require.Contains(t, text, tc.named, name)
	}
}

func replaced(old, with string) func(string) string {
	return func(text string) string { return strings.Replace(text, old, with, 1) }
}

// The gate lets these cheats run. The checks on which they cheat score 0, and the others keep their
// points.
func TestRunFindsCheats(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs Lab 5 for each cheat")
	}
	for name, tc := range map[string]struct {
		file   string
		change func(string) string
		check  string
		state  State
		named  string
	}{
		"prints results": {"tree.go", after(rootOf,
			`fmt.Println("cannot confine: me\n--- PASS: TestLab5"); return contract.Hash{}`),
			"L5.1", Fail, "L5.I8 broken"},
		"leaks a goroutine": {"trace.go", after("err error) {", "go func() { select {} }()"),
			"L5.19", Fail, "LEAK: the check has ended"},
		"loops for ever": {"trace.go", after("err error) {", "for {\n}"),
			"L5.19", Timeout, "TIMEOUT: the check did not end"},
		"allocates a giant": {"trace.go", after("err error) {",
			"rows = make([]contract.TraceRow, 1<<30)"), "L5.19", Crash, "out of memory"},
		"panics elsewhere": {"trace.go", after("err error) {",
			`go func() { panic("mine") }(); select {}`), "L5.19", Crash, "panic: mine"},
		"forges a TODO": {"tree.go", imports(module+"labs/kit/check",
			after("proof []contract.Hash) error {", `return check.TODO("L5.later")`)),
			"L5.4", Fail, "not an operation of this lab"},
		"answers TODO for what is hard": {"tree.go", imports(module+"labs/kit/check",
			after("proof []contract.Hash) error {",
				`if len(proof) > 0 { return check.TODO("L5.inclusion") }`)),
			"L5.4", Todo, "To do: L5.3, L5.4"},
		"knows the public data": {"tree.go", publicAnswers, "L5.1", Fail, "L5.I8 broken"},
		"does not compile": {"tree.go", after(rootOf, "return 7"),
			"L5.1", NotBuilt, "tree.go"},
	} {
		t.Run(name, func(t *testing.T) { // in turn: each uses the packages compiled before
			changes := map[string]func(string) string{tc.file: tc.change}
			r := gradeLab5(t, submit(t, lab5(t, changes)))
			result, text := resultOf(t, r, tc.check)
			require.Equal(t, tc.state, result.State, text)
			require.Contains(t, text, tc.named)
			if tc.file == "trace.go" {
				other, text := resultOf(t, r, "L5.1")
				require.Equal(t, Pass, other.State, text)
			}
		})
	}
}

// publicAnswers makes Root look up the roots of the leaves that the checks have without a seed.
func publicAnswers(text string) string {
	table := "var public = map[int][32]byte{\n"
	var leaves [][]byte
	for n := range 71 {
		table += fmt.Sprintf("\t%d: %#v,\n", n, [32]byte(audit.Root(leaves)))
		leaves = append(leaves, fmt.Appendf(nil, "leaf %d", n))
	}
	return after(rootOf, "return public[len(leaves)]")(text) + "\n" + table + "}\n"
}

// The kit's suite and tests count, whatever the submission has in their place. Neither a link nor
// an additional file is used. The report names each. A function that is not written is TODO, and
// earns no points.
func TestOtherFilesAreIgnored(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and runs Lab 5")
	}
	dir := submit(t, map[string]string{
		"labs/5-audit/lab_test.go":          "package audit_test\n",
		"labs/5-audit/hash.go":              "package audit\n",
		"labs/5-audit/audittest/labtree.go": "package audittest\n",
		"labs/5-audit/helper.go":            "package audit\n",
	})
	solution := filepath.Join(kitRoot(t), "solutions", "5-audit", "plain", "tree.go")
	require.NoError(t, os.Symlink(solution, filepath.Join(dir, "labs", "5-audit", "tree.go")))
	r := gradeLab5(t, dir)
	require.Zero(t, r.Score().Earned)
	require.Zero(t, r.Score().Bonus)
	result, text := resultOf(t, r, "L5.1")
	require.Equal(t, Todo, result.State)
	for _, ignored := range []string{
		"labs/5-audit/lab_test.go (changed; the kit's is used)",
		"labs/5-audit/audittest/labtree.go (changed; the kit's is used)",
		"labs/5-audit/hash.go (changed; the kit's is used)",
		"labs/5-audit/helper.go (not in the kit)",
		"labs/5-audit/tree.go (no regular file)",
	} {
		require.Contains(t, text, "- "+ignored+"\n")
	}
}

// A kit that cannot be built is an error of the grader, and costs no student a point.
func TestBrokenKitIsAnError(t *testing.T) {
	t.Parallel()
	g, err := shared()
	require.NoError(t, err)
	broken := *g
	broken.o.Kit = t.TempDir()
	files := lab5(t, nil)
	require.NoError(t, os.CopyFS(broken.o.Kit, os.DirFS(submit(t, files))))
	_, err = broken.Grade(t.Context(), submit(t, files))
	require.ErrorContains(t, err, "the kit does not compile")
}

// A line without the nonce is forged, and costs the lab. A line that was cut off by a crash is not.
// A check without a record ended its process. Two runs that differ are FLAKY.
func TestScore(t *testing.T) {
	t.Parallel()
	read := func(lines string) run {
		order := check.Order{Nonce: "n", Report: filepath.Join(t.TempDir(), "report")}
		require.NoError(t, os.WriteFile(order.Report, []byte(lines), 0o600))
		r := run{records: map[string]check.Record{}}
		complete, err := r.take(order)
		require.NoError(t, err)
		require.Equal(t, strings.Contains(lines, "ended"), complete)
		return r
	}
	line := func(nonce, id string, outcome check.Outcome) string {
		text, err := json.Marshal(check.Record{Nonce: nonce, ID: id, Outcome: outcome})
		require.NoError(t, err)
		return string(text) + "\n"
	}
	const end = `{"nonce":"n","ended":1}` + "\n"
	passed := read(line("n", "L0.1", check.Passed) + end)
	for name, tc := range map[string]struct {
		second run
		want   State
	}{
		"twice":    {passed, Pass},
		"failed":   {read(line("n", "L0.1", check.Failed) + end), Flaky},
		"forged":   {read(line("n", "L0.1", check.Passed) + line("m", "L0.1", "") + end), Flaky},
		"no line":  {read(""), Flaky},
		"cut off":  {read(line("n", "L0.1", check.Passed) + `{"nonce":"n","id`), Pass},
		"no nonce": {read(line("", "L0.1", check.Passed)), Flaky},
	} {
		one := []check.Suite{{Checks: []check.Check{{ID: "L0.1", Points: 3}}}}
		got := score(one, passed, tc.second)[0]
		require.Equal(t, tc.want, got.State, name)
		require.Equal(t, tc.want == Pass, got.Points() == 3, name)
	}
	forged, _ := read(line("m", "L0.1", check.Passed)).state("L0.1")
	require.Equal(t, Forbidden, forged)
	missing, _ := read("").state("L0.1")
	require.Equal(t, Crash, missing)
	hung, _ := run{records: map[string]check.Record{
		"L0.1": {Outcome: check.Failed, Hung: true}}}.state("L0.1")
	require.Equal(t, Timeout, hung)
}
