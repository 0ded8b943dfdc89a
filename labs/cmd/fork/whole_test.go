package main

import (
	"bytes"
	"cmp"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/tools/txtar"
)

// A fork compiles, its demo ends with the root that its README shows, and it takes a new read model
// and a new kind of event. The full make test of a fork takes as long as that of this repository.
func TestForkIsWhole(t *testing.T) {
	if testing.Short() {
		t.Skip("compiles every package again")
	}
	dir := filepath.Join(t.TempDir(), "acme")
	t.Chdir("../../..")
	gateway, err := filepath.Abs(".tools/bin/versitygw")
	require.NoError(t, err)
	t.Setenv("ACME_S3_GATEWAY", cmp.Or(os.Getenv("BLOTTER_S3_GATEWAY"), gateway))
	t.Setenv("ACME_POSTGRES_BIN", os.Getenv("BLOTTER_POSTGRES_BIN"))
	require.NoError(t, fork(acme, dir, new(bytes.Buffer)))
	require.NoError(t, remake(dir))
	goes(t, dir, "vet", "./...")

	demo := goes(t, dir, "run", "./cmd/acme", "--stack", "embedded", "demo")
	readme, err := os.ReadFile(filepath.Join(dir, "README.md"))
	require.NoError(t, err)
	root := regexp.MustCompile(`verified to checkpoint acme\.example/[0-9]+, root [0-9a-f]{32}`)
	require.Contains(t, demo, root.FindString(string(readme)))

	apply(t, dir, "flow/testdata/counterparties.txtar")
	goes(t, dir, "vet", "./flow/session")
	goes(t, dir, "test", "./projection/counterparties")

	apply(t, dir, "flow/testdata/allocate.txtar")
	goes(t, dir, "test", "./schemas", "-update")
	goes(t, dir, "test", "-short", "./schemas", "./domain/trade", "./codec", "./flow/lines")
	goes(t, dir, "test", "-short", "./flow", "-run", "EveryPlaceKnowsEveryKind")
}

// goes runs a command of go in a folder, and returns its output.
func goes(t *testing.T, dir string, args ...string) string {
	cmd := exec.Command("go", args...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "go %s\n%s", strings.Join(args, " "), out)
	return string(out)
}

// A change adds lines after a line of a file, or in its place.
var change = regexp.MustCompile(`(?m)^(after|instead of): (.*)\n`)

// apply makes the changes of a worked example in a folder. Its head describes the form.
func apply(t *testing.T, dir, example string) {
	archive, err := txtar.ParseFile(filepath.Join(dir, example))
	require.NoError(t, err)
	for _, f := range archive.Files {
		path, edits := filepath.Join(dir, f.Name), string(f.Data)
		found := change.FindAllStringSubmatchIndex(edits, -1)
		if len(found) == 0 {
			require.NoFileExists(t, path)
			require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
			require.NoError(t, os.WriteFile(path, f.Data, 0o644))
			continue
		}
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		text := "\n" + string(content)
		for i, at := range found {
			end := len(edits)
			if i+1 < len(found) {
				end = found[i+1][0]
			}
			line, lines := edits[at[4]:at[5]]+"\n", edits[at[1]:end]
			require.Equal(t, 1, strings.Count(text, "\n"+line), "%s: %s", f.Name, line)
			if edits[at[2]:at[3]] == "after" {
				lines = line + lines
			}
			text = strings.Replace(text, "\n"+line, "\n"+lines, 1)
		}
		require.NoError(t, os.WriteFile(path, []byte(text[1:]), 0o644))
	}
}
