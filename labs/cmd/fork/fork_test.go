package main

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var acme = names{module: "example.org/acme/trades", name: "acme"}

// A fork has no trace of the course, and says "blotter" only in the places that it prints.
func TestForkLeavesNoTrace(t *testing.T) {
	if testing.Short() {
		t.Skip("rewrites every file of the repository")
	}
	dir := filepath.Join(t.TempDir(), "acme")
	t.Chdir("../../..")
	var out bytes.Buffer
	require.NoError(t, fork(acme, dir, &out))
	for _, k := range kept {
		require.Contains(t, out.String(), k.reason)
	}
	files := 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, ".git/") {
			return err
		}
		files++
		require.NotRegexp(t, `(?i)blotter|capstone|\blabs?\b`, path)
		text, err := os.ReadFile(filepath.Join(dir, path))
		left := strings.ToLower(anyKept.ReplaceAllString(string(text), ""))
		for _, word := range []string{
			"blotter", "capstone", "solutions/", "unfinished stubs", "fork: omit", "fork: keep",
			"fork> ",
		} {
			require.False(t, strings.Contains(left, word), "%q in %s", word, path)
		}
		return err
	})
	require.NoError(t, err)
	require.Greater(t, files, 700)
	require.NoDirExists(t, filepath.Join(dir, "labs"))
	require.NoDirExists(t, filepath.Join(dir, "solutions"))

	require.ErrorContains(t, fork(acme, dir, &out), "is not empty")
}

// A file without a place, and a rule without a file, are errors.
func TestEveryFileHasAPlace(t *testing.T) {
	t.Parallel()
	_, err := places([]string{"labs/6-new/doc.go"}, "acme")
	require.ErrorContains(t, err, "labs/6-new/doc.go has no place in a fork")
	_, err = places([]string{"README.md"}, "acme")
	require.ErrorContains(t, err, "where no file is")
}

func TestRewriteText(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ file, given, want string }{
		"a path from the root": {"capstone/README.md",
			"in `labs/kit/trade/doc.go`.", "in `domain/trade/doc.go`."},
		"a link to a folder above": {"capstone/lines/README.md",
			"[t](../../labs/kit/trade/points.go)", "[t](../../domain/trade/points.go)"},
		"a path from a deeper folder": {"capstone/cmd/blotter/x.txt",
			`"../../../README.md"`, `"../../README.md"`},
		"the root":     {"capstone/cmd/blotter/x.txt", `Dir: "../../.."`, `Dir: "../.."`},
		"two dots":     {"capstone/cmd/blotter/x.txt", `Cut(s, "..")`, `Cut(s, "..")`},
		"all packages": {"Makefile", "go vet ./capstone/...", "go vet ./flow/..."},
		"a name": {"README.md",
			"Blotter: ./blotter, BLOTTER_DATA", "Acme: ./acme, ACME_DATA"},
		"a label": {"compose.yaml", "com.example.blotter.dir", "org.example.acme.dir"},
		"a schema's id": {"schemas/README.md",
			"https://example.com/blotter/x.json", "https://example.org/acme/trades/x.json"},
		"a hash tag":      {"README.md", "blotter/state/v4", "blotter/state/v4"},
		"a test's origin": {"README.md", "example.com/blotter/test", "example.com/blotter/test"},
		"lines of the course": {"Makefile",
			"a\n# fork: omit\nlabs/x\n# fork: keep\n#fork> b\nc\n", "a\nb\nc\n"},
		"a guide": {"labs/2-store/storetest/fixture.go",
			"package storetest\n\nconst guide = \"labs/2-store/2b.md\"\n",
			"package storetest\n\nconst guide = \"contract/store.go\"\n"},
		"an import, and its local name": {"capstone/flow.go",
			"package capstone\n\nimport codec \"example.com/blotter/solutions/1-schemas\"\n",
			"package flow\n\nimport \"example.org/acme/trades/codec\"\n"},
	} {
		to, _, err := place(c.file, "acme")
		require.NoError(t, err)
		w := rewriter{names: acme, to: map[string]string{c.file: to}}
		got, err := w.rewrite(c.file, []byte(c.given))
		require.NoError(t, err, name)
		require.Equal(t, c.want, string(got), name)
		require.Empty(t, w.left, name)
	}
}

func TestRewriteRefuses(t *testing.T) {
	t.Parallel()
	w := rewriter{names: acme, to: map[string]string{"capstone/flow.go": "flow/flow.go"}}
	_, err := w.rewrite("capstone/flow.go",
		[]byte("package capstone\n\nimport _ \"example.com/blotter/labs/2-store\"\n"))
	require.ErrorContains(t, err, "imports labs/2-store, which belongs to the course")
	_, err = w.rewrite("README.md", []byte("# fork: omit\n"))
	require.ErrorContains(t, err, `no "fork: keep"`)
	_, err = w.rewrite("README.md", []byte("see labs/2-store/store.go of this course\n"))
	require.NoError(t, err)
	require.Len(t, w.left, 1)
	_, err = w.rewrite("capstone/flow.go",
		[]byte("package capstone\n\nvar root = filepath.Join(\"..\", \"..\")\n"))
	require.NoError(t, err)
	require.Len(t, w.left, 2, "a path in pieces cannot follow its file")
	require.Error(t, names{"example.org/x", "Acme", ""}.check())
	require.Error(t, names{"example.org/x", "type", ""}.check())
	require.Error(t, names{"../x", "acme", ""}.check())
	require.NoError(t, acme.check())
}

// The prefix of environment variables is a choice of the fork. A word in capitals that is no
// variable follows the name.
func TestPrefixIsAChoice(t *testing.T) {
	t.Parallel()
	chosen := acme
	chosen.prefix = "DESK_2"
	require.NoError(t, chosen.check())
	const text = "BLOTTER_DATA, ${BLOTTER_KAFKA_IMAGE:-x}, the prefix BLOTTER_, BLOTTERPWR"
	require.Equal(t, "DESK_2_DATA, ${DESK_2_KAFKA_IMAGE:-x}, the prefix DESK_2_, ACMEPWR",
		chosen.replacer().Replace(text))
	require.Equal(t, "ACME_DATA, ${ACME_KAFKA_IMAGE:-x}, the prefix ACME_, ACMEPWR",
		acme.replacer().Replace(text))
	for _, prefix := range []string{"desk", "DESK_", "_DESK", "A__B", "2A", "A-B", "A B",
		"MYBLOTTER"} {
		chosen.prefix = prefix
		require.ErrorContains(t, chosen.check(), "PREFIX", prefix)
	}
}
