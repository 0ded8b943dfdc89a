package main

import (
	"bytes"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTallyCountsTestsAndShowsOnlyWhatFailed(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tally := tally{out: &out, output: map[string][]string{}, count: map[string]int{}, failed: map[string]bool{}, labs: labProgress{}}
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

// A table is printed for the labs that are there. What runs against the solutions is no progress of a learner's.
func TestProgressOfTheLabs(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	tally := tally{out: io.Discard, output: map[string][]string{}, count: map[string]int{}, failed: map[string]bool{}, labs: labProgress{}}
	require.NoError(t, tally.read(strings.NewReader(`
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.10","Key":"check","Value":"L2.10 3 failed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.9","Key":"check","Value":"L2.9 2 failed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.1","Key":"check","Value":"L2.1 2 passed"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.2","Key":"check","Value":"L2.2 2 todo"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.3","Key":"check","Value":"L2.3 2 blocked"}
{"Action":"attr","Package":"m/labs/2-store","Test":"TestLab2/L2.3","Key":"other","Value":"a b c"}
{"Action":"attr","Package":"m/solutions/1-schemas","Test":"TestLab1/L1.1","Key":"check","Value":"L1.1 2 failed"}
{"Action":"fail","Package":"m/labs/3-projections"}
{"Action":"pass","Package":"m/labs/kit"}
{"Action":"pass","Package":"m/labs/kit/check"}`)))
	tally.labs.print(&out)
	require.Equal(t, `
lab             done  failing  to do  blocked    points
2-store            1        2      1        1      2/11
3-projections  its tests did not run: see above
next: mend L2.9: a batch of which only a part is recorded is ErrPartial and writes nothing (make hint CHECK=L2.9)
`, out.String())
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
	var usage *usageError
	require.ErrorAs(t, (&hintCmd{"L9.1"}).Run(&app{}), &usage)
}
