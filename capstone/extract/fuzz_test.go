package extract_test

import (
	"bytes"
	"errors"
	"maps"
	"os"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
)

// A bundle with any content of one file is refused with a *Fault, or it is the bundle as it was
// made. With the log's key the content may also be signed: then Verify may accept it, and must
// survive it. The last file is the request, whose text is signed.
func FuzzVerify(f *testing.F) {
	signer, key := keys(f, origin)
	bundle := load(f, golden)
	paths := slices.Sorted(maps.Keys(bundle))
	for i, path := range paths {
		f.Add(uint8(i), bundle[path].Data, false)
		f.Add(uint8(i), bundle[path].Data, true)
	}
	request, err := os.ReadFile(extract.RequestFile(golden))
	require.NoError(f, err)
	text, _, _ := bytes.Cut(request, []byte("\n\n"))
	f.Add(uint8(len(paths)), request, false)
	f.Add(uint8(len(paths)), append(text, '\n'), true)
	f.Fuzz(func(t *testing.T, which uint8, data []byte, signed bool) {
		if int(which) >= len(paths) {
			fuzzRequest(t, signer, key, data, signed)
			return
		}
		path := paths[which]
		same := bytes.Equal(data, bundle[path].Data)
		f := forgery{t, &sealedLog{}, maps.Clone(bundle)}
		f.put(path, string(data))
		if signed && path != "manifest.json" && path != "manifest.note" {
			f.log.options.Signer = signer
			f.sign()
		}
		_, err := extract.Verify(f.bundle, key)
		var fault *extract.Fault
		require.True(t, err == nil || errors.As(err, &fault), "%v", err)
		require.True(t, err != nil || same || signed, "%s was changed, and verifies", path)
	})
}

// fuzzRequest requires that a request which opens is written in one way only.
func fuzzRequest(t *testing.T, signer note.Signer, key note.Verifier, data []byte, signed bool) {
	if signed {
		made, err := note.Sign(&note.Note{Text: string(data)}, signer)
		if err != nil {
			return // no note has such a text
		}
		data = made
	}
	r, err := extract.OpenRequest(data, key)
	if err != nil {
		return
	}
	again, err := r.Sign(signer)
	if err == nil { // the actor may be empty
		require.Equal(t, string(data), string(again))
	}
}
