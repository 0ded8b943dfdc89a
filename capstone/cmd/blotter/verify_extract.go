package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
)

type verifyExtractCmd struct {
	Out string `arg:"" help:"The folder of the bundle."`
	Key string `required:"" help:"${verifier_key}"`
}

// A verifiedExtract is the result of checking a bundle.
type verifiedExtract struct {
	Holds     bool              `json:"holds"`
	Fault     *extract.Fault    `json:"fault,omitempty"`
	Manifest  *extract.Manifest `json:"manifest,omitempty"`
	Proven    []string          `json:"proven,omitempty"`
	NotProven []string          `json:"not_proven,omitempty"`
	Request   *asker            `json:"request,omitempty"` // nil without the file
}

type asker struct {
	Actor  string    `json:"actor"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
}

// Run opens no log and no stack. It reads only the folder and the key.
func (c *verifyExtractCmd) Run(_ context.Context, a *app) error {
	key, err := verifierKey(c.Key)
	if err != nil {
		return err
	}
	if info, err := os.Stat(c.Out); err != nil || !info.IsDir() {
		return &usageError{fmt.Sprintf("there is no folder %s", c.Out),
			"name a folder that blotter extract created"}
	}
	found, err := verifyExtract(c.Out, key)
	if err != nil {
		return err
	}
	if found.Fault != nil {
		if a.inJSON() {
			err = printJSON(a.stdout, found)
		}
		return firstOf(err, &failure{"the extract does not verify: " + found.Fault.Error(),
			"request it again, and keep this one: it is evidence now"})
	}
	return a.answer(caveat{simulated: found.Manifest.Simulated}, found, func(w io.Writer) {
		printManifest(w, "verified", *found.Manifest, found.Proven, found.NotProven)
		if r := found.Request; r != nil {
			printLine(w, "asked for by %s at %s: %s", r.Actor, r.At.Format(time.RFC3339), r.Reason)
		}
	})
}

// verifyExtract checks a bundle, and the request file beside it. A bundle that was sent without its
// request verifies: the missing file is one more claim that is not proven.
func verifyExtract(dir string, key note.Verifier) (verifiedExtract, error) {
	v, err := extract.Verify(os.DirFS(dir), key)
	if err != nil {
		return unverified(err)
	}
	found := verifiedExtract{
		Holds: true, Manifest: &v.Manifest, Proven: v.Proven, NotProven: v.NotProven,
	}
	path := extract.RequestFile(dir)
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		found.NotProven = append(found.NotProven,
			fmt.Sprintf("who wanted the extract, and why: the file %s is missing", path))
		return found, nil
	}
	r, err := extract.ReadRequest(dir, key)
	if err != nil {
		return unverified(err)
	}
	if r.Manifest != v.Digest {
		return unverified(&extract.Fault{File: path, What: fmt.Sprintf(
			"it belongs to another extract, with the manifest %x", r.Manifest)})
	}
	found.Request = &asker{r.Actor, r.Reason, r.At}
	return found, nil
}

// unverified returns a fault as an answer, and any other error as that.
func unverified(err error) (verifiedExtract, error) {
	if fault := new(extract.Fault); errors.As(err, &fault) {
		return verifiedExtract{Fault: fault}, nil
	}
	return verifiedExtract{}, err
}

// verifierKey reads a public key (C2SP signed-note) from text, or from the file that text names.
func verifierKey(text string) (note.Verifier, error) {
	if f, err := os.Open(text); err == nil {
		defer f.Close()
		const most = 4096 // bytes: a key is one line
		if content, err := io.ReadAll(io.LimitReader(f, most)); err == nil {
			text = string(content)
		}
	}
	key, err := note.NewVerifier(strings.TrimSpace(text))
	if err != nil {
		return nil, &usageError{"--key is neither a public key nor a file with one",
			"give a key such as blotter.example+1a2b3c4d+AXh…, or the path of a file with one"}
	}
	return key, nil
}
