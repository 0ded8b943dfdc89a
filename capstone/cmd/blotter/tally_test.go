package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTallyCountsTestsAndShowsOnlyWhatFailed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := newTally(&out)
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"output","Package":"a","Test":"TestGood","Output":"quiet\n"}
{"Action":"pass","Package":"a","Test":"TestGood"}
{"Action":"skip","Package":"a","Test":"TestLater"}
{"Action":"pass","Package":"a","Elapsed":0.5}
{"Action":"output","Package":"b","Test":"TestBad","Output":"what went wrong\n"}
{"Action":"fail","Package":"b","Test":"TestBad"}
{"Action":"fail","Package":"b"}
{"ImportPath":"c","Action":"build-output","Output":"c.go:1: syntax error\n"}
{"Action":"fail","Package":"c"}
`[1:])))
	require.Equal(t, map[string]int{"pass": 1, "skip": 1, "fail": 2}, tally.count, "a package that does not compile counts as one")
	require.Contains(t, out.String(), "what went wrong")
	require.Contains(t, out.String(), "syntax error")
	require.Contains(t, out.String(), "ok    a ")
	require.NotContains(t, out.String(), "quiet")
}

// A process that ends before its tests takes their ends with it. What was said until then is all that there is to go by, whatever the exit code.
func TestTallyShowsWhatATestSaidWhoseProcessEnded(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]string{
		"with an error":    `{"Action":"fail","Package":"a"}`,
		"as if it were ok": `{"Action":"pass","Package":"a"}`,
		"without a word":   "",
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

func TestAllPackagesAreTestedWhereNoneIsNamed(t *testing.T) {
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

func TestTestsOfALabHaveTimeForEveryCheckToHang(t *testing.T) {
	t.Parallel()
	for args, want := range map[string]string{
		"-short ./...":               "-timeout=30m -short ./...",
		"-timeout 5s ./...":          "-timeout 5s ./...",
		"--test.timeout=5s ./...":    "--test.timeout=5s ./...",
		"./... -args -timeout":       "-timeout=30m ./... -args -timeout",
		"-run timeout ./labs/...":    "-timeout=30m -run timeout ./labs/...",
		"-timeoutless ./labs/kit -v": "-timeout=30m -timeoutless ./labs/kit -v",
	} {
		require.Equal(t, want, strings.Join(withTimeout(strings.Fields(args)), " "), args)
	}
}

const lab2Heard = `
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.10","Key":"check","Value":"L2.10 3 failed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.9","Key":"check","Value":"L2.9 2 failed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.1","Key":"check","Value":"L2.1 2 passed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.2","Key":"check","Value":"L2.2 2000 todo"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.3","Key":"check","Value":"L2.3 2 blocked"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.3","Key":"other","Value":"a b c"}
{"Action":"attr","Package":"m/solutions/1-schemas","Test":"TestLab1/L1.1","Key":"check","Value":"L1.1 2 failed"}
{"Action":"pass","Package":"m/labs/kit"}
{"Action":"pass","Package":"m/labs/kit/check"}`

// tableOf is the table that comes of a stream, and how many checks should have been in it and were not.
func tableOf(t *testing.T, some bool, stream string) (string, int) {
	t.Helper()
	var out strings.Builder
	tally := newTally(io.Discard)
	tally.labs.some = some
	require.NoError(t, tally.read(strings.NewReader(strings.TrimSpace(stream))))
	tally.labs.print(&out)
	return out.String(), tally.labs.unheard()
}

// A table is printed for the labs that are there. What runs against the solutions is no progress of a learner's. What a lab is worth is not for
// its tests to say: those that are silent count as well.
func TestProgressOfTheLabs(t *testing.T) {
	t.Parallel()
	checks, points := worth("2-store")
	table, unheard := tableOf(t, false, lab2Heard+`
{"Action":"fail","Package":"m/labs/3-projections"}`)
	require.Equal(t, fmt.Sprintf(`
lab             done  failing  to do  blocked    points
2-store            1        2      1        1     2/%d  %d did not run
3-projections  its tests did not run: see above
next: mend L2.9: a batch of which only a part is recorded is ErrPartial and writes nothing (make hint CHECK=L2.9)
`, points, checks-5), table)
	require.Equal(t, checks-5+len(checksOf("3-projections")), unheard)
	table, unheard = tableOf(t, true, lab2Heard+`
{"Action":"pass","Package":"m/labs/3-projections"}`)
	require.NotContains(t, table, "3-projections", "a lab that was not asked for")
	require.Zero(t, unheard, "checks that were not asked for")
}

func TestWhatIsNextInALab(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		what, said, want string
	}{
		{"what fails", "failed", "next: mend L1.7: "},
		{"what did not run", "", "next: find out why L1.7 of labs/1-schemas did not run"},
		{"what is to do", "todo", "next: write L1.decode in labs/1-schemas for L1.7: "},
		{"what waits for nothing that is to do", "blocked", "next: find what L1.7 waits for: "},
		{"when a lab is done", "passed", "next: build the system on what you wrote: go build -tags lab1 ./capstone/cmd/blotter\n"},
	} {
		var stream strings.Builder
		heard := func(id, outcome string) {
			fmt.Fprintf(&stream, `{"Action":"attr","Package":"m/labs/1-schemas","Key":"check","Value":"%s 1 %s"}`+"\n", id, outcome)
		}
		for _, c := range checksOf("1-schemas") {
			if c.ID != "L1.7" {
				heard(c.ID, "passed")
			}
		}
		if tc.said != "" {
			heard("L1.7", tc.said)
		}
		table, _ := tableOf(t, false, stream.String())
		require.Contains(t, table, tc.want, tc.what)
	}
}

// Whoever does one lab is not sent to one before it that is not begun.
func TestWhatIsBegunIsNext(t *testing.T) {
	t.Parallel()
	table, _ := tableOf(t, true, `{"Action":"attr","Package":"m/labs/1-schemas","Test":"TestLab1/L1.1","Key":"check","Value":"L1.1 2 todo"}`+lab2Heard)
	require.Contains(t, table, "next: mend L2.9: ")
	fresh, _ := tableOf(t, true, `{"Action":"attr","Package":"m/labs/1-schemas","Test":"TestLab1/L1.1","Key":"check","Value":"L1.1 2 todo"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.50","Key":"check","Value":"L2.50 2 todo"}`)
	require.Contains(t, fresh, "next: write L1.register ")
}

// One word behind the other about the same check: the worse one counts, whichever is last.
func TestAVerdictIsNotTakenBack(t *testing.T) {
	t.Parallel()
	table, _ := tableOf(t, true, lab2Heard+`
{"Action":"attr","Package":"m/labs/2-store","Test":"TestMine","Key":"check","Value":"L2.10 3 passed"}`)
	require.Regexp(t, `2-store +1 +2 +1 +1 +2/`, table)
}

func TestHints(t *testing.T) {
	t.Parallel()
	ids := map[string]bool{}
	for _, s := range suites() {
		for _, c := range s.Checks {
			require.False(t, ids[c.ID], "two checks are %s", c.ID)
			ids[c.ID] = true
			var out strings.Builder
			require.NoError(t, (&hintCmd{c.ID}).Run(&app{stdout: &out}))
			require.Contains(t, out.String(), "hint: ", c.ID)
		}
	}
	require.NoError(t, (&hintCmd{"2.53"}).Run(&app{stdout: io.Discard}), "without its L")
	for asked, want := range map[string]string{"L9.1": "labs/1-schemas/README.md", "l2.99": "labs/2-store/README.md", "": "make hint CHECK=L1.4"} {
		var usage *usageError
		require.ErrorAs(t, (&hintCmd{asked}).Run(&app{}), &usage, asked)
		require.Contains(t, usage.hint, want)
	}
}
