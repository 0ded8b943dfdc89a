package extract

import (
	"io/fs"
	"iter"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/kit/contract"
)

// Events yields the events of a bundle in the order of leaves, without their positions. Verify the
// bundle first, which gives its manifest: Events checks neither a signature nor a proof.
func Events(bundle fs.FS, m Manifest) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		c, err := openCatalog(bundle, m)
		if err != nil {
			yield(contract.Recorded{}, err)
			return
		}
		for e, err := range rows(bundle, c) {
			if !yield(e.recorded, err) {
				return
			}
		}
	}
}

// OpenNote returns the text of a signed note with exactly one signature, that of key, in its one
// spelling.
func OpenNote(signed []byte, key note.Verifier) (string, error) { return openNote(signed, key) }
