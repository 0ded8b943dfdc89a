package extract_test

import (
	"flag"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/trade"
)

var update = flag.Bool("update", false, "rewrite the golden bundle")

const golden = "testdata/bundle"

// goldenLog returns a log from a time when no schema had a second version: a trade, a settlement
// below zero, and a refusal with a text that a spreadsheet would run.
func goldenLog(t *testing.T) *sealedLog {
	d := newLog(t)
	d.early = true
	d.record("trade/T-1", oil("CRUDE", "70"))
	d.record("trade/T-2", oil("CRUDE", "10"))
	d.record("trade/T-1", trade.Settle{Quantity: barrels("30"), Price: trade.Dec("-37.63")})
	d.record("refused/T-1", trade.CommandRefused{
		CommandID: "=cmd()", Rule: "too-much", Detail: "50 bbl of 40",
	})
	d.seal()
	return d
}

// The format must not change: a bundle that was handed out years ago must verify, and its query
// must give the same bytes again. The test is not parallel: an update ends BEFORE another test
// reads the bundle.
func TestGoldenBundle(t *testing.T) {
	d, ask := goldenLog(t), ask(trades("T-1"))
	dir := filepath.Join(t.TempDir(), "bundle")
	_, err := extract.Make(t.Context(), dir, ask, d.options)
	require.NoError(t, err)
	if *update {
		replaceGolden(t, dir)
	}
	want, got := load(t, golden), load(t, dir)
	require.ElementsMatch(t, slices.Collect(maps.Keys(want)), slices.Collect(maps.Keys(got)))
	for path := range want {
		require.Equal(t, string(want[path].Data), string(got[path].Data),
			"%s: the format changed, so one query gives two bundles", path)
	}
	_, err = extract.Verify(os.DirFS(golden), d.options.Verifier)
	require.NoError(t, err)
	signed, err := os.ReadFile(extract.RequestFile(golden))
	require.NoError(t, err)
	_, err = extract.OpenRequest(signed, d.options.Verifier)
	require.NoError(t, err)
}

// replaceGolden copies a complete bundle over the golden one. Nothing is removed BEFORE that.
func replaceGolden(t *testing.T, dir string) {
	signed, err := os.ReadFile(extract.RequestFile(dir))
	require.NoError(t, err)
	require.NoError(t, os.RemoveAll(golden))
	require.NoError(t, os.CopyFS(golden, os.DirFS(dir)))
	require.NoError(t, os.WriteFile(extract.RequestFile(golden), signed, 0o644))
	quoteManifest(t)
}

// quoteManifest writes the lines of the golden manifest.note to the worked example of the package
// doc. A signature is cut there.
func quoteManifest(t *testing.T) {
	const mark, shown = "//\tmanifest.note > ", 47
	note, err := os.ReadFile(filepath.Join(golden, "manifest.note"))
	require.NoError(t, err)
	lines := slices.DeleteFunc(strings.Split(string(note), "\n"),
		func(line string) bool { return line == "" })
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	var doc strings.Builder
	for line := range strings.Lines(string(source)) {
		if strings.HasPrefix(line, mark) {
			line = mark + lines[0] + "\n"
			if cut := []rune(lines[0]); cut[0] == '—' {
				line = mark + string(cut[:shown]) + "…\n"
			}
			lines = lines[1:]
		}
		doc.WriteString(line)
	}
	require.NoError(t, os.WriteFile("doc.go", []byte(doc.String()), 0o644))
}

// The worked example of the package doc has lines of the golden bundle.
func TestWorkedExampleIsTheGoldenBundle(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("doc.go")
	require.NoError(t, err)
	bundle, shown := load(t, golden), 0
	for text := range strings.Lines(string(source)) {
		path, example, ok := strings.Cut(strings.TrimSpace(strings.TrimPrefix(text, "//\t")), " > ")
		if !ok {
			continue
		}
		shown++
		for _, piece := range strings.Split(example, "…") {
			require.Contains(t, string(bundle[path].Data), piece)
		}
	}
	require.Greater(t, shown, 5)
}
