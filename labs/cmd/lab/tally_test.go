package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

func TestTallyCounts(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := newTally(&out)
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"skip","Package":"a","Test":"TestLater"}
{"Action":"pass","Package":"a","Elapsed":0.5}
{"Action":"output","Package":"b","Test":"TestBad","Output":"the reason\n"}
{"Action":"fail","Package":"b","Test":"TestBad"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"Action":"fail","Package":"c"}
`[1:])))
	require.Equal(t, map[string]int{"pass": 1, "skip": 1, "fail": 2}, tally.count,
		"a package that does not compile counts as one failure")
	require.Contains(t, out.String(), "the reason")
	require.Equal(t, []string{"b TestBad", "c"}, tally.lost)
	require.Contains(t, out.String(), "syntax error")
	require.Contains(t, out.String(), "ok    a ")
	require.NotContains(t, out.String(), "quiet")
}

// A test with subtests is not counted beside them, unless it fails by itself.
func TestTallyCountsSubtestsOnce(t *testing.T) {
	t.Parallel()
	tally := newTally(io.Discard)
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"run","Package":"example.com/a","Test":"TestGood"}
{"Action":"run","Package":"example.com/a","Test":"TestGood/one"}
{"Action":"run","Package":"example.com/a","Test":"TestGood/one/deep"}
{"Action":"pass","Package":"example.com/a","Test":"TestGood/one/deep"}
{"Action":"pass","Package":"example.com/a","Test":"TestGood/one"}
{"Action":"pass","Package":"example.com/a","Test":"TestGood"}
{"Action":"run","Package":"example.com/a","Test":"TestBad"}
{"Action":"run","Package":"example.com/a","Test":"TestBad/one"}
{"Action":"fail","Package":"example.com/a","Test":"TestBad/one"}
{"Action":"fail","Package":"example.com/a","Test":"TestBad"}
{"Action":"run","Package":"example.com/a","Test":"TestAfter"}
{"Action":"run","Package":"example.com/a","Test":"TestAfter/one"}
{"Action":"skip","Package":"example.com/a","Test":"TestAfter/one"}
{"Action":"fail","Package":"example.com/a","Test":"TestAfter"}
{"Action":"fail","Package":"example.com/a"}
`[1:])))
	require.Equal(t, map[string]int{"pass": 1, "skip": 1, "fail": 2}, tally.count)
	require.Equal(t, []string{"example.com/a TestBad/one", "example.com/a TestAfter"}, tally.lost)
}

// If a process ends before its tests do, their output until then is shown, whatever the exit code.
func TestTallyShowsOutputAfterExit(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"exit code 1":      `{"Action":"fail","Package":"a"}`,
		"exit code 0":      `{"Action":"pass","Package":"a"}`,
		"no final message": "",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out bytes.Buffer
			tally := newTally(&out)
			require.NoError(t, tally.read(strings.NewReader(`
{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"TestGood"}
{"Action":"run","Package":"a","Test":"TestHit"}
{"Action":"output","Package":"a","Test":"TestHit","Output":"=== RUN   TestHit\n"}
{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"output","Package":"a","Test":"TestHit","Output":"panic: mine\n"}
`[1:]+end)))
			require.Equal(t, map[string]int{"pass": 1, "fail": 1}, tally.count)
			require.Contains(t, out.String(), "panic: mine\n")
			require.NotContains(t, out.String(), "=== RUN")
			require.NotContains(t, out.String(), "quiet")
			require.NotContains(t, out.String(), "ok ")
		})
	}
}

func TestAllPackagesByDefault(t *testing.T) {
	t.Parallel()
	here, err := os.Getwd()
	require.NoError(t, err)
	for args, want := range map[string]string{
		"":                              "./...",
		"-short":                        "-short ./...",
		"-run TestX":                    "-run TestX ./...",
		"-run TestX -args -seed 2":      "-run TestX ./... -args -seed 2",
		"./labs/...":                    "./labs/...",
		"./capstone -run TestX":         "./capstone -run TestX",
		". -short":                      ". -short",
		"example.com/blotter/... -v":    "example.com/blotter/... -v",
		"-short -args ./not-a-package":  "-short ./... -args ./not-a-package",
		"../blotter/labs/kit -run Test": "../blotter/labs/kit -run Test",
		"-run TestX " + here:            "-run TestX " + here,
	} {
		require.Equal(t, want, strings.Join(withPackages(strings.Fields(args)), " "), args)
	}
}

func TestTimeoutIsExtended(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-short ./...":               "-timeout=45m -short ./...",
		"-timeout 5s ./...":          "-timeout 5s ./...",
		"--test.timeout=5s ./...":    "--test.timeout=5s ./...",
		"./... -args -timeout":       "-timeout=45m ./... -args -timeout",
		"-run timeout ./labs/...":    "-timeout=45m -run timeout ./labs/...",
		"-timeoutless ./labs/kit -v": "-timeout=45m -timeoutless ./labs/kit -v",
	} {
		require.Equal(t, want, strings.Join(withTimeout(strings.Fields(args)), " "), args)
	}
}

// verdictLine is the line of go test -json that carries a check's verdict.
func verdictLine(pkg, id string, points int, outcome string) string {
	return fmt.Sprintf(`{"Action":"attr","Package":"m/%s","Test":"Test/%s","Key":"check",`+
		`"Value":"%s %d %s"}`+"\n", pkg, id, id, points, outcome)
}

var lab2Heard = verdictLine("labs/2-store", "L2.10", 3, "failed") +
	verdictLine("labs/2-store", "L2.9", 2, "failed") +
	output("=== RUN L2.9\n") + output("    run.go:41: L2.I9 broken: the rule\n") +
	output("        expected 4\n") + output("\n") + output("    --- FAIL: L2.9\n") +
	`{"Action":"fail","Package":"m/labs/2-store","Test":"Test/L2.9"}
` +
	verdictLine("labs/2-store", "L2.1", 2, "passed") +
	verdictLine("labs/2-store", "L2.2", 2000, "todo") +
	verdictLine("labs/2-store", "L2.3", 2, "blocked") +
	`{"Action":"attr","Package":"m/labs/2-store","Test":"Test/L2.3","Key":"other","Value":"a b c"}
` +
	verdictLine("solutions/1-schemas", "L1.1", 2, "failed") +
	`{"Action":"pass","Package":"m/labs/kit"}
{"Action":"pass","Package":"m/labs/kit/check"}
`

// output is a line of go test -json with a line of output of L2.9.
func output(line string) string {
	return fmt.Sprintf(`{"Action":"output","Package":"m/labs/2-store","Test":"Test/L2.9",`+
		`"Output":%q}`+"\n", line)
}

// tableOf returns the table for a stream, and the number of checks that did not run.
func tableOf(t *testing.T, partial bool, stream string) (string, int) {
	t.Helper()
	var out strings.Builder
	tally := newTally(io.Discard)
	tally.labs.partial = partial
	require.NoError(t, tally.read(strings.NewReader(strings.TrimSpace(stream))))
	tally.labs.print(&out)
	return out.String(), tally.labs.unheard()
}

// The table has a row for each tested lab. Runs against the solutions do not count, and checks that
// did not run still count in the total of points.
func TestProgressTable(t *testing.T) {
	t.Parallel()
	checks, _ := worth("2-store")
	table, unheard := tableOf(t, false, lab2Heard+
		`{"Action":"fail","Package":"m/labs/3-projections"}`)
	require.Equal(t, fmt.Sprintf(`
lab             done  failing  to do  blocked    points  bonus
2a-store           1        2      1        1      1/29      -  10 did not run
2b-store           0        0      0        0      0/57   0/13  20 did not run
3-projections  its tests did not run: see above
next: mend L2.9:
      L2.I9 broken: the rule
      expected 4
      stuck? make hint CHECK=L2.9
      this check alone: go test -v -run '/L2.9 ' ./labs/2-store
also failing in labs/2-store:
  L2.10  %s
`, titleOf("L2.10")), table)
	require.Equal(t, checks-5+len(checksOf("3-projections")), unheard)
	table, unheard = tableOf(t, true, lab2Heard+
		`{"Action":"pass","Package":"m/labs/3-projections"}`)
	require.NotContains(t, table, "3-projections", "a lab that was not selected")
	require.Zero(t, unheard, "checks that were not selected")
}

// Bonus checks are counted apart. One that fails is not the next step.
func TestBonusIsApart(t *testing.T) {
	t.Parallel()
	s := check.Suite{Name: "9-sample", Part: "9a", Checks: []check.Check{
		{ID: "L9.1", Points: 2}, {ID: "L9.2", Points: 3, Bonus: true},
		{ID: "L9.3", Points: 4, Bonus: true}, {ID: "L9.4", Points: 5},
	}}
	p := newProgress()
	p.heard["9-sample"] = map[string]check.Outcome{
		"L9.1": check.Passed, "L9.2": check.Passed, "L9.3": check.Failed, "L9.4": check.Stopped,
	}
	var out strings.Builder
	p.row(&out, s)
	require.Equal(t, "9a-sample          1        0      0        0       2/7    3/7"+
		"  1 not tried, because others hung\n", out.String())
}

func TestNextStep(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, outcome, want string
	}{
		{"a check fails", "failed", "next: mend L1.7:\n"},
		{"a check did not run", "", "next: find out why L1.7 of labs/1-schemas did not run"},
		{"a check was not tried", "stopped", "checks end that hung: L1.7 was not tried\n"},
		{"a check is to do", "todo", "next: write L1.register in labs/1-schemas for L1.7: "},
		{"a check is blocked", "blocked", "next: find the operation that L1.7 waits for: "},
		{"the lab is done", "passed", "own code: go build -tags lab1 ./capstone/cmd/blotter\n"},
	} {
		var stream strings.Builder
		for _, c := range checksOf("1-schemas") {
			if c.ID != "L1.7" {
				stream.WriteString(verdictLine("labs/1-schemas", c.ID, 1, "passed"))
			}
		}
		if tc.outcome != "" {
			stream.WriteString(verdictLine("labs/1-schemas", "L1.7", 1, tc.outcome))
		}
		table, _ := tableOf(t, false, stream.String())
		require.Contains(t, table, tc.want, tc.name)
	}
}

// A student who has begun one lab is not sent to an earlier one.
func TestBegunLabIsNext(t *testing.T) {
	t.Parallel()
	table, _ := tableOf(t, true, verdictLine("labs/1-schemas", "L1.1", 2, "todo")+lab2Heard)
	require.Contains(t, table, "next: mend L2.9:\n")
	fresh, _ := tableOf(t, true, verdictLine("labs/1-schemas", "L1.1", 2, "todo")+
		verdictLine("labs/2-store", "L2.50", 2, "todo"))
	require.Contains(t, fresh, "next: write L1.encodeSettled ")
}

// No failure is silent: neither that of another lab, nor of a bonus check, nor of the test around
// the checks.
func TestEveryFailureIsShown(t *testing.T) {
	t.Parallel()
	table, _ := tableOf(t, true, verdictLine("labs/1-schemas", "L1.7", 2, "todo")+
		verdictLine("labs/1-schemas", "L1.1", 2, "passed")+lab2Heard+
		verdictLine("labs/3-projections", "L3.21", 3, "failed"))
	require.Contains(t, table, "next: write ")
	require.Contains(t, table, "also failing in labs/2-store:\n  L2.9   ")
	require.Contains(t, table, "bonus failing: L3.21 "+titleOf("L3.21")+
		"\n      stuck? make hint CHECK=L3.21\n      this check alone: go test -v -run '/L3.21 '")

	var out strings.Builder
	require.NoError(t, newTally(&out).read(strings.NewReader(lab2Heard+
		`{"Action":"output","Package":"m/labs/2-store","Test":"Test","Output":"    x.go:9: full\n"}
{"Action":"fail","Package":"m/labs/2-store","Test":"Test"}`)))
	require.Contains(t, out.String(), "x.go:9: full")
}

// Of two verdicts on one check the worse one counts, whichever is last.
func TestWorseVerdictCounts(t *testing.T) {
	t.Parallel()
	table, _ := tableOf(t, true, lab2Heard+verdictLine("labs/2-store", "L2.10", 3, "passed"))
	require.Regexp(t, `2a-store +1 +2 +1 +1 +1/`, table)
}

func TestHints(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, s := range suites() {
		for _, c := range s.Checks {
			require.False(t, ids[c.ID], "two checks are %s", c.ID)
			ids[c.ID] = true
			var out strings.Builder
			require.NoError(t, (&hintCmd{c.ID, true}).Run(&streams{&out, io.Discard}))
			require.Contains(t, out.String(), "hint: ", c.ID)
		}
	}
	withoutL := &hintCmd{Check: "2.53"}
	require.NoError(t, withoutL.Run(&streams{io.Discard, io.Discard}))
	for asked, want := range map[string]string{
		"L9.1":  "labs/1-schemas/README.md",
		"l2.99": "labs/2-store/README.md",
		"":      "make hint CHECK=L1.4",
	} {
		var hinted *hintedError
		require.ErrorAs(t, (&hintCmd{asked, false}).Run(nil), &hinted, asked)
		require.Contains(t, hinted.hint, want)
		require.Equal(t, misuse, hinted.code)
	}
}

// go reports no end of a benchmark that passes.
func TestBenchmarksPass(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := newTally(&out)
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"start","Package":"a"}
{"Action":"run","Package":"a","Test":"BenchmarkAppend"}
{"Action":"output","Package":"a","Test":"BenchmarkAppend","Output":"BenchmarkAppend\t10 ns/op\n"}
{"Action":"pass","Package":"a","Elapsed":1}
`[1:])))
	require.Zero(t, tally.count["fail"], out.String())
	require.Contains(t, out.String(), "10 ns/op")
}

func TestCommandLine(t *testing.T) {
	t.Parallel()
	for args, code := range map[string]int{
		"--help": done, "hint L1.1": done, "hint L9.9": misuse, "": misuse, "walk": misuse,
	} {
		var stdout, stderr strings.Builder
		require.Equal(t, code, run(strings.Fields(args), &stdout, &stderr), args)
		require.Equal(t, code != done, strings.HasPrefix(stderr.String(), "error: "), args)
	}
}

func titleOf(id string) string {
	_, c, _ := findCheck(id)
	return c.Title
}
