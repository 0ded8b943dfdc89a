package main

import (
	"bytes"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// The template compiles, its labs are to do, and it holds no solution.
func TestHandout(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles the labs again")
	}
	dir := filepath.Join(t.TempDir(), "labs")
	t.Chdir("../../..")
	var out bytes.Buffer
	require.NoError(t, handout(dir, &out))
	require.Regexp(t, "it compiles, and has none of the [1-9][0-9]{2,} functions", out.String())
	for _, folder := range []string{"solutions", "capstone", "labs/cmd/fork"} {
		require.NoDirExists(t, filepath.Join(dir, folder))
	}
	require.FileExists(t, filepath.Join(dir, "labs/1-schemas/README.md"))
	goes(t, dir, "test", "-short", "./labs/1-schemas", "./labs/5-audit")
}

// A solution in any file is found, whatever its spaces.
func TestHandoutFindsSolutions(t *testing.T) {
	t.Parallel()
	bodies := map[string]string{"solutions/x.go:1:1": "return a + b"}
	require.NoError(t, holdsNone(map[string][]byte{"labs/x.go": []byte("return a - b")}, bodies))
	require.ErrorContains(t, holdsNone(
		map[string][]byte{"labs/x.md": []byte("so:\n\treturn a +\n\t\tb\n")}, bodies),
		"labs/x.md has the function of solutions/x.go:1:1")
	require.ErrorContains(t, holdsNone(
		map[string][]byte{"labs/x.go": []byte(`"example.com/blotter/solutions/2-store"`)}, bodies),
		"labs/x.go imports a solution")
}
