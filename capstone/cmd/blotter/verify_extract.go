package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
	audit "example.com/blotter/solutions/5-audit"
)

type verifyExtractCmd struct {
	Out string `arg:"" help:"The folder of the bundle."`
	Key string `required:"" help:"${verifier_key}"`

	Policy string `help:"${policy}" placeholder:"FILE" type:"existingfile"`
}

// A verifiedExtract is the result of checking a bundle.
type verifiedExtract struct {
	Holds     bool              `json:"holds"`
	Fault     *extract.Fault    `json:"fault,omitempty"`
	Manifest  *extract.Manifest `json:"manifest,omitempty"`
	Proven    []string          `json:"proven,omitempty"`
	NotProven []string          `json:"not_proven,omitempty"`
	Request   *asker            `json:"request,omitempty"` // nil without the file

	Witnesses []audit.Cosignature `json:"witnesses,omitempty"` // if a policy was given
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
	if found.Witnesses, err = c.witnesses(*found.Manifest, key); err != nil {
		return err
	}
	return a.answer(caveat{simulated: found.Manifest.Simulated}, found, func(w io.Writer) {
		printManifest(w, "verified", *found.Manifest, found.Proven, found.NotProven)
		printWitnesses(w, found.Witnesses, nil)
		if r := found.Request; r != nil {
			printLine(w, "asked for by %s at %s: %s", r.Actor, r.At.Format(time.RFC3339), r.Reason)
		}
	})
}

// cosignedFile returns the file with the cosigned checkpoint of a bundle. It is beside the bundle,
// not in it: cosignatures are added later, and the same query must give the same bundle.
func cosignedFile(dir string) string { return filepath.Clean(dir) + ".checkpoint" }

// witnesses checks the cosignatures of the bundle's checkpoint; nil without a policy.
func (c *verifyExtractCmd) witnesses(
	m extract.Manifest, key note.Verifier,
) ([]audit.Cosignature, error) {
	if c.Policy == "" {
		return nil, nil
	}
	path := cosignedFile(c.Out)
	signed, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: the file %s is missing", audit.ErrUnwitnessed, path)
	}
	if err != nil {
		return nil, err
	}
	at, err := audit.OpenCheckpoint(signed, key.Name(), key)
	if err == nil && (at.Size != m.Checkpoint.Size ||
		fmt.Sprintf("%x", at.Root) != m.Checkpoint.Root) {
		err = fmt.Errorf("%w: it is not that of the extract", audit.ErrCheckpoint)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return checkPolicy(c.Policy, signed, key)
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
// Cross-signed notes may follow the key.
func verifierKey(text string) (note.Verifier, error) {
	if f, err := os.Open(text); err == nil {
		defer f.Close()
		const most = 64 << 10 // bytes: a key is one line, and each cross-signed note some more
		content, err := io.ReadAll(io.LimitReader(f, most+1))
		if len(content) > most {
			return nil, &usageError{fmt.Sprintf("--key: %s has more than %d bytes, which no "+
				"public key with its cross-signed notes has", text, most),
				"name the file of a public key"}
		}
		if err == nil {
			text = string(content)
		}
	}
	key, err := audit.OpenRing(text)
	if err != nil && strings.Contains(text, "\n\n") {
		return nil, &usageError{"--key: " + err.Error(),
			"give the public key, and after it the cross-signed notes as keys/verifier has them"}
	}
	if err != nil {
		return nil, &usageError{"--key is neither a public key nor a file with one",
			"give a key such as blotter.example+1a2b3c4d+AXh…, or the path of a file with one"}
	}
	return key, nil
}
