package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// No way of ending a check, a goroutine or the process earns a mark, is green, or hides what was said.
func TestCheatsAreFound(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("each builds and runs the tests of a lab")
	}
	cheats, err := os.ReadFile(filepath.Join("testdata", "cheats", "lab_test.go"))
	require.NoError(t, err)
	for how, want := range map[string][]string{
		"leaves":              {`1-schemas +\d+ +[1-9]\d* +0 +0 +\d+/\d+\n`, `EXIT: the implementation ended the goroutine`, `next: mend L1\.1: `},
		"panics-aside":        {`panic: mine\n`, `1-schemas .*did not run`, `next: `},
		"gives-up":            {`no more\n`, `1-schemas .*did not run`, `next: `},
		"exits":               {`its process ended before its tests had`, `1-schemas .* did not run`},
		"ends-first":          {`1-schemas +its tests did not run`},
		"speaks-to-nobody":    {`1-schemas +its tests did not run`},
		"calls-it-unfinished": {`returned TODO for L1\.later, which is not an operation of this lab`, `next: mend `},
		"borrows-a-name":      {`Decode says that L1\.upcast is still to do, of trade\.settled version 2, which is today's`, `next: mend `},
	} {
		t.Run(how, func(t *testing.T) { // one after the other: what the first has compiled serves the next
			given := map[string]func(string) string{"lab_test.go": func(string) string { return string(cheats) }}
			out, err := testLab(t, "1-schemas", given, "-args", how)
			var failed *failure
			require.ErrorAs(t, err, &failed, out)
			for _, pattern := range want {
				require.Regexp(t, pattern, out)
			}
		})
	}
}
