package extract_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/fstest"

	"github.com/chromedp/chromedp"
	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/browsertest"
	"example.com/blotter/capstone/extract"
	audit "example.com/blotter/solutions/5-audit"
)

// A checkedPage is what a reader sees: the verdict, the number of events, and the red rows.
type checkedPage struct {
	Verdict string
	Rows    int
	Events  []string // the first cells of the red rows
	Files   []string
}

// seen is an expression of the browser, which gives a checkedPage once all rows are checked.
const seen = `(() => {
	const red = id => [...document.querySelectorAll("#" + id + " tr.bad")]
		.map(r => r.cells[0].textContent);
	return {Verdict: document.getElementById("verdict").textContent,
		Rows: document.querySelectorAll("#events tbody tr").length,
		Events: red("events"), Files: red("files")};
})()`

// look opens the page of a bundle, enters a key, and returns the checked page.
func look(t *testing.T, browser context.Context, bundle fstest.MapFS, m extract.Manifest,
	key string) (p checkedPage) {
	t.Helper()
	page, err := extract.Page(bundle, m)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "index.html")
	require.NoError(t, os.WriteFile(file, page, 0o600))
	require.NoError(t, chromedp.Do(browser, chromedp.Navigate("file://"+file),
		chromedp.SetValue(chromedp.ID("key"), key)))
	p, err = chromedp.Run(browser,
		chromedp.Evaluate[checkedPage](`run().then(() => `+seen+`)`, browsertest.Awaited))
	require.NoError(t, err)
	return p
}

// TestPageChecksItself opens the page of a bundle in a browser that has no network. With the right
// key everything holds; with another key nothing does. A file with a changed byte turns red, and so
// does an event whose attribute, proof or facts were changed.
func TestPageChecksItself(t *testing.T) {
	t.Parallel()
	browser := browsertest.New(t)
	d := goldenLog(t)
	for range 20 { // proofs of several lengths
		d.record("trade/T-3", oil("CRUDE", "1"))
	}
	d.seal()
	key := publicKey(t, origin)
	for name, query := range map[string]extract.Query{
		"a trade": trades("T-1"), "everything": {},
	} {
		bundle, m := whole(t, d, query)
		p := look(t, browser, bundle, m, key)
		require.Equal(t, checkedPage{Verdict: "The extract holds: every file is as signed, and " +
			"every event is in the log.", Rows: int(m.Counts.Events),
			Events: []string{}, Files: []string{}}, p, name)
		p = look(t, browser, bundle, m, publicKey(t, "example.com/blotter/other"))
		require.Len(t, p.Events, int(m.Counts.Events), name)
		require.Subset(t, p.Files, []string{"checkpoint", "manifest.note"}, name)
	}

	// The notes after another key of the log lead to the key that signed, while it signs.
	bundle, m := whole(t, d, trades("T-1"))
	begins, ends := pageNote(t, "begins 1", origin, "next"), pageNote(t, "ends 2", "next")
	next := namedKey(t, "next")
	for _, test := range []struct {
		key, verdict string
		files        []string
	}{
		{next + "\n\n" + begins, "The extract holds", []string{}},
		{key + "\n\n" + begins, "The extract holds", []string{}},
		{next + "\n\n" + begins + "\n" + ends, "does not hold",
			[]string{"manifest.note", "checkpoint"}},
		{next + "\n\n" + pageNote(t, "begins 1", "next"), "is not signed by both keys", nil},
		{next, "does not hold", []string{"manifest.note", "checkpoint"}},
	} {
		p := look(t, browser, bundle, m, test.key)
		require.Contains(t, p.Verdict, test.verdict)
		ring, err := audit.OpenRing(test.key)
		if test.files == nil {
			require.Error(t, err)
			continue
		}
		require.NoError(t, err)
		require.Subset(t, p.Files, test.files)
		_, err = extract.Verify(bundle, ring)
		require.Equal(t, len(test.files) > 0, err != nil, err)
	}

	// A key with the name and the hash of the held one does not replace it: only the text counts.
	graft := fmt.Sprintf(`(async () => {
		const real = readKey, held = %q, id = (await real(%q)).id;
		readKey = async text => ({...await real(text), ...(text.trim() === held ? {id} : {})});
		try { return (await readRing(held + "\n\n" + %q)).keys.length; } finally { readKey = real; }
	})()`, namedKey(t, "held"), key, begins)
	keys, err := chromedp.Run(browser, chromedp.Evaluate[int](graft, browsertest.Awaited))
	require.NoError(t, err)
	require.Equal(t, 1, keys)

	// Without a manifest no file can be checked but its signature, and no fault is the key's.
	unchecked := slices.DeleteFunc(slices.Sorted(maps.Keys(bundle)), func(path string) bool {
		return path == "manifest.note"
	})
	look(t, browser, bundle, m, key)
	for _, broken := range []string{"null", `bytesOf("{}")`, `bytesOf("{")`,
		`bytesOf('{"files":[null],"schemas":[],"checkpoint":{},"counts":{}}')`} {
		p, err := chromedp.Run(browser, chromedp.Evaluate[checkedPage](
			`files["manifest.json"] = `+broken+`; run().then(() => `+seen+`)`, browsertest.Awaited))
		require.NoError(t, err)
		require.Contains(t, p.Verdict, "does not hold", broken)
		require.ElementsMatch(t, unchecked, p.Files, broken)
		require.Len(t, p.Events, int(m.Counts.Events), broken)
	}

	for _, path := range slices.Sorted(maps.Keys(bundle)) {
		data := bytes.Clone(bundle[path].Data)
		data[len(data)/2] ^= 1
		p := look(t, browser, changed(bundle, path, data), m, key)
		require.Contains(t, p.Verdict, "does not hold", path)
		require.Contains(t, p.Files, path)
	}
	for was, is := range map[string]string{
		`"reason":"client order"`: `"reason":"client 0rder"`,
		`"price":"-37.63"`:        `"price":"37.63"`,
		`{"leaf":2,`:              `{"leaf":2;`,
	} {
		data := bytes.Replace(bundle["events.jsonl"].Data, []byte(was), []byte(is), 1)
		p := look(t, browser, changed(bundle, "events.jsonl", data), m, key)
		require.Len(t, p.Events, 1, was)
		require.Equal(t, []string{"events.jsonl"}, p.Files, was)
	}
	proofs := bytes.Replace(bundle["proofs.jsonl"].Data, []byte(`{"leaf":2,"hashes":["`),
		[]byte(`{"leaf":2,"hashes":["AAAA`), 1)
	p := look(t, browser, changed(bundle, "proofs.jsonl", proofs), m, key)
	require.Equal(t, []string{"trade/T-1 2"}, p.Events)
}

// TestPageChecksTheFolder opens the files that a reader received: the page's own copies do not hide
// that one of them was changed, one is missing, and one does not belong there.
func TestPageChecksTheFolder(t *testing.T) {
	t.Parallel()
	browser := browsertest.New(t)
	d := goldenLog(t)
	d.options.Page = true
	dir := filepath.Join(t.TempDir(), "bundle")
	_, err := extract.Make(t.Context(), dir, ask(trades("T-1")), d.options)
	require.NoError(t, err)
	csv := filepath.Join(dir, "events.csv")
	text, err := os.ReadFile(csv)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(csv, bytes.Replace(text, []byte("30"), []byte("31"), 1), 0o600))
	require.NoError(t, os.Remove(filepath.Join(dir, "README.txt")))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "more.txt"), nil, 0o600))
	require.NoError(t, chromedp.Do(browser,
		chromedp.Navigate("file://"+filepath.Join(dir, "index.html")),
		chromedp.SetValue(chromedp.ID("key"), publicKey(t, origin)),
		chromedp.SetUploadFiles(chromedp.ID("folder"), []string{dir}),
		chromedp.WaitVisible(chromedp.CSS("#verdict.bad"))))
	p, err := chromedp.Run(browser, chromedp.Evaluate[checkedPage](seen))
	require.NoError(t, err)
	require.Equal(t, []string{"README.txt", "events.csv", "more.txt"}, p.Files)
	require.Empty(t, p.Events)
}

// A page that is not the page of its bundle is a fault: a reader may believe it.
func TestWrongPageIsAFault(t *testing.T) {
	t.Parallel()
	d := goldenLog(t)
	d.options.Page = true
	bundle := d.make(trades("T-1"), 0)
	_, err := extract.Verify(bundle, d.options.Verifier)
	require.NoError(t, err)
	page := bytes.Replace(bundle["index.html"].Data, []byte("Events"), []byte("Event"), 1)
	f := faultOf(t, changed(bundle, "index.html", page), d.options.Verifier)
	require.Equal(t, "index.html", f.File)
}

// whole makes a bundle, and returns it with its manifest.
func whole(t *testing.T, d *sealedLog, q extract.Query) (fstest.MapFS, extract.Manifest) {
	t.Helper()
	bundle := d.make(q, 0)
	verified, err := extract.Verify(bundle, d.options.Verifier)
	require.NoError(t, err)
	return bundle, verified.Manifest
}

// pageNote returns a cross-signed note about the golden log's key and the key next, signed by the
// keys with these names.
func pageNote(t *testing.T, what string, by ...string) string {
	t.Helper()
	text := fmt.Sprintf("blotter signers v1\n%s\nold %s\nnew %s\n%s\n", origin,
		publicKey(t, origin), namedKey(t, "next"), what)
	var signers []note.Signer
	for _, name := range by {
		seed := sha256.Sum256([]byte(name))
		secret, _, err := audit.GenerateKey(bytes.NewReader(seed[:]), origin)
		require.NoError(t, err)
		signer, err := note.NewSigner(secret)
		require.NoError(t, err)
		signers = append(signers, signer)
	}
	signed, err := note.Sign(&note.Note{Text: text}, signers...)
	require.NoError(t, err)
	return string(signed)
}

// namedKey returns another public key of the golden log.
func namedKey(t *testing.T, name string) string {
	t.Helper()
	seed := sha256.Sum256([]byte(name))
	_, public, err := audit.GenerateKey(bytes.NewReader(seed[:]), origin)
	require.NoError(t, err)
	return public
}

// publicKey returns the public key of keys, as a reader gets it.
func publicKey(t *testing.T, of string) string {
	t.Helper()
	seed := sha256.Sum256([]byte(of))
	_, public, err := audit.GenerateKey(bytes.NewReader(seed[:]), of)
	require.NoError(t, err)
	return public
}
