package extract

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"io/fs"
	"unicode/utf8"
)

// pageFile is the page of a bundle. A bundle may have it. The manifest does not list it, since the
// page holds the manifest.
const pageFile = "index.html"

// maxPage is the size of the largest bundle that a page may hold, in bytes.
const maxPage = 64 << 20

//go:embed page.html
var page []byte

// Page returns a page that shows a bundle and checks it in a browser, without a network: the
// signatures, the digests of the files, and the proof and the facts of each event. The page holds
// every file of the bundle, and no key: its reader enters the key. The same bundle gives the same
// bytes. A bundle of more than 64 MiB has no page: that is a *Fault.
func Page(bundle fs.FS, m Manifest) ([]byte, error) {
	files, left := map[string]string{}, int64(maxPage)
	for _, name := range append([]string{manifestFile, signatureFile}, paths(m.Schemas)...) {
		data, err := readSmall(bundle, name, left)
		if err != nil {
			return nil, err
		}
		if !utf8.Valid(data) { // JSON would replace these bytes
			return nil, fault(name, 0, "it is not UTF-8, so no page can hold it")
		}
		files[name], left = string(data), left-int64(len(data))
	}
	held, err := json.Marshal(files) // by name; it escapes <, so no text ends the script
	return bytes.Replace(page, []byte("FILES"), held, 1), err
}

// page compares the page of a bundle, if there is one, with the page of its files: a reader may
// believe it.
func (v *verifier) page() error {
	if _, err := fs.Lstat(v.bundle, pageFile); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	want, err := Page(v.bundle, v.found.Manifest)
	if err != nil {
		return err
	}
	got, err := readSmall(v.bundle, pageFile, int64(len(want)))
	if err == nil && !bytes.Equal(got, want) {
		err = fault(pageFile, 0, "it is not the page of this extract")
	}
	return err
}
