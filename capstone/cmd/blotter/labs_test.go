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

// testLab runs blotter test on a lab, with files of it replaced as given. What follows is for go test behind the package.
func testLab(t *testing.T, name string, replaced map[string]func(string) string, args ...string) (string, error) {
	t.Helper()
	lab, err := filepath.Abs(filepath.Join("../../../labs", name))
	require.NoError(t, err)
	dir, overlay := t.TempDir(), map[string]map[string]string{"Replace": {}}
	for name, change := range replaced {
		text, err := os.ReadFile(filepath.Join(lab, name))
		require.NoError(t, err)
		changed := change(string(text))
		require.NotEqual(t, string(text), changed, "nothing was replaced in %s", name)
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(changed), 0o644))
		overlay["Replace"][filepath.Join(lab, name)] = filepath.Join(dir, name)
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o644))
	var out strings.Builder
	cmd := &testCmd{Args: append([]string{"-overlay=" + file, lab}, args...)}
	err = cmd.Run(t.Context(), newApp(&cli{Stack: "embedded"}, &out, io.Discard))
	return out.String(), err
}

// worth is how many checks a lab has, and points.
func worth(lab string) (checks, points int) {
	for _, c := range checksOf(lab) {
		checks, points = checks+1, points+c.Points
	}
	return checks, points
}

// What a student meets: a fresh clone is green and says what to do, a wrong answer is red, and one that does not compile is no end of the
// world. It is about the lab as it is given, so it runs where the kit itself is tested.
func TestLab1FromAFreshClone(t *testing.T) {
	t.Parallel()
	if os.Getenv("BLOTTER_CI") == "" {
		t.Skip("in CI only: whoever does the lab has changed it")
	}
	checks, points := worth("1-schemas")
	t.Run("fresh", func(t *testing.T) {
		t.Parallel()
		out, err := testLab(t, "1-schemas", nil)
		require.NoError(t, err)
		require.Regexp(t, fmt.Sprintf(`1-schemas +0 +0 +4 +%d +0/%d\n`, checks-4, points), out)
		require.Contains(t, out, "next: write L1.register in labs/1-schemas for L1.1: ")
		require.Contains(t, out, "labs/1-schemas/README.md")
		require.True(t, strings.HasSuffix(out, fmt.Sprintf("1 passed, 0 failed, %d skipped\n", checks)), out)
	})
	t.Run("wrong", func(t *testing.T) {
		t.Parallel()
		out, err := testLab(t, "1-schemas", map[string]func(string) string{"compatible.go": func(s string) string {
			return strings.ReplaceAll(strings.ReplaceAll(s, `return check.TODO("L1.compatible")`, "return nil"), `"example.com/blotter/labs/kit/check"`, "")
		}})
		var failed *failure
		require.ErrorAs(t, err, &failed)
		require.Regexp(t, fmt.Sprintf(`1-schemas +0 +3 +1 +%d +0/%d\n`, checks-4, points), out)
		require.Contains(t, out, "L1.I7 broken: backward means that new readers read old data, forward that old readers read new data, full both\n")
		require.Contains(t, out, "next: mend L1.18: ")
	})
	t.Run("broken", func(t *testing.T) {
		t.Parallel()
		out, err := testLab(t, "1-schemas", map[string]func(string) string{"producer.go": func(s string) string { return s + "\nfunc" }})
		require.Error(t, err)
		require.Contains(t, out, "1-schemas      its tests did not run: see above\n")
	})
}

// The same of Lab 2. It has exercises that build on each other, so a student who writes them in their order never meets a check that fails for
// what is still to do.
func TestLab2FromAFreshClone(t *testing.T) {
	t.Parallel()
	if os.Getenv("BLOTTER_CI") == "" {
		t.Skip("in CI only: whoever does the lab has changed it")
	}
	solved := map[string]func(string) string{}
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
