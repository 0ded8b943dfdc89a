package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
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

// A fresh clone is green and names the first exercise.
func TestLab1Fresh(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	checks, points := worth("1-schemas")
	out, err := testLab(t, "1-schemas", nil)
	require.NoError(t, err)
	require.Regexp(t, fmt.Sprintf(`1-schemas +0 +0 +4 +%d +0/%d +`, checks-4, points), out)
	require.Contains(t, out, "next: write L1.register in labs/1-schemas for L1.1: ")
	require.Contains(t, out, "labs/1-schemas/README.md")
	counts := fmt.Sprintf("1 passed, 0 failed, %d skipped\n", checks)
	require.True(t, strings.HasSuffix(out, counts), out)
}

// A wrong answer is red, and the next step names the first failing check.
func TestLab1Wrong(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	checks, points := worth("1-schemas")
	out, err := testLab(t, "1-schemas", map[string]change{"compatible.go": func(s string) string {
		s = strings.ReplaceAll(s, `return check.TODO("L1.compatible")`, "return nil")
		return strings.ReplaceAll(s, `"example.com/blotter/labs/kit/check"`, "")
	}})
	requireFailed(t, err, out)
	require.Regexp(t, fmt.Sprintf(`1-schemas +0 +3 +1 +%d +0/%d +`, checks-4, points), out)
	require.Contains(t, out, "L1.I7 broken: ")
	require.Contains(t, out, "next: mend L1.18:\n")
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

// The exercises of Lab 2 build on each other. A student who writes them in their order never meets
// a check that fails because of a later exercise.
func TestLab2InOrder(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	solved := map[string]change{}
	for _, step := range []struct{ files, table, next string }{
		{"", `0 +0 +6 +\d+ +0/\d+`, "write L2.decide in labs/2-store for L2.50: "},
		{"decide takeover transact", `5 +0 +`, "write L2.heads in labs/2-store for L2.57: "},
		{"heads append", `\d+ +0 +`, "write L2.end in labs/2-store for L2.15: "},
		{"end frontier offload", `\d+ +0 +0 +0 `, ""},
	} {
		for _, name := range strings.Fields(step.files) {
			text, err := os.ReadFile(filepath.Join("../../../solutions/2-store/plain", name+".go"))
			require.NoError(t, err)
			solved[name+".go"] = func(string) string { return string(text) }
		}
		out, err := testLab(t, "2-store", solved)
		require.NoError(t, err, out)
		require.Regexp(t, "2-store +"+step.table, out, step.files)
		require.Contains(t, out, step.next, step.files)
	}
}

// An answer that ends a check, a goroutine or the process early earns no points, is red, and hides
// no output.
func TestCheatsAreFound(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("each cheat builds and runs the tests of a lab")
	}
	cheats, err := os.ReadFile(filepath.Join("testdata", "cheats", "lab_test.go"))
	require.NoError(t, err)
	for cheat, want := range map[string][]string{
		"goexit": {`1-schemas +\d+ +[1-9]\d* +0 +0 +\d+/\d+ `,
			`EXIT: the implementation ended the goroutine`, `next: mend L1\.1:`},
		"panic-elsewhere": {`panic: mine\n`, `1-schemas .*did not run`, `next: `},
		"log-fatal":       {`no more\n`, `1-schemas .*did not run`, `next: `},
		"exit":            {`the process ended before its tests`, `1-schemas .* did not run`},
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
