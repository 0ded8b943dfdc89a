package kit_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the generated files")

const header = "// Code generated from %s by make generate; DO NOT EDIT.\n"

// generated matches the header. The path is that of a solution's file, from the repository's root.
var generated = regexp.MustCompile(`^// Code generated from (solutions/\S+\.go) by make generate;`)

// TestGeneratedFiles compares the code that a lab provides with the solution's file that it is
// copied from. The header of each copy names its source, and there is no other list. To provide one
// more file, create it in the lab with the header only, and run make generate.
func TestGeneratedFiles(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("../[0-9]-*/*.go")
	require.NoError(t, err)
	copies := 0
	for _, file := range files {
		got, err := os.ReadFile(file)
		require.NoError(t, err)
		match := generated.FindSubmatch(got)
		if match == nil {
			continue
		}
		copies++
		source := string(match[1])
		text, err := os.ReadFile(filepath.Join("../..", source))
		require.NoError(t, err, "%s is generated from a file that cannot be read", file)
		want := fmt.Sprintf(header, source) + "\n" + string(text)
		if *update {
			require.NoError(t, os.WriteFile(file, []byte(want), 0o644))
			continue
		}
		if want != string(got) { // both in full would hide the sentence
			t.Errorf("labs/%s differs from %s; run: make generate",
				filepath.ToSlash(file[3:]), source)
		}
	}
	require.NotZero(t, copies, "no file of a lab has the header")
}
