package filing

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/contract"
)

// Names of the certificate's parts in the folder of a report.
const (
	EvidenceFolder = "evidence"       // the extract of everything under the checkpoint
	SignatureFile  = "statement.note" // signs the statement, and the manifest of the extract
)

// ErrNotFollows is a report that does not follow from the events under the checkpoint.
var ErrNotFollows = errors.New("the report does not follow from the events under the checkpoint")

// Certify makes a report a certified extract. The folder gets the extract of everything under a
// checkpoint, so that a stranger can make the report again: no reportable contract, and no
// reference data, can be left out. The signature binds the statement to the extract. The name of
// the requester and the reason are beside the extract, as for every extract.
//
// The report is made again from the extract BEFORE it is signed. ErrNotFollows means that events
// which the report knows are not sealed yet.
func Certify(
	ctx context.Context, dir string, ask extract.Ask, o extract.Options, again Again,
) (extract.Manifest, error) {
	evidence := filepath.Join(dir, EvidenceFolder)
	m, err := extract.Make(ctx, evidence, ask, o)
	if err != nil {
		return m, err
	}
	if err := again.check(ctx, dir, m); err != nil {
		return m, err
	}
	text, err := signedText(dir, m.Origin)
	if err != nil {
		return m, err
	}
	signed, err := note.Sign(&note.Note{Text: text}, o.Signer)
	if err != nil {
		return m, err
	}
	return m, os.WriteFile(filepath.Join(dir, SignatureFile), signed, 0o644)
}

// signedText is what the signature of a report says: the purpose, the log, and the digests of the
// statement and of the manifest of its evidence.
func signedText(dir, origin string) (string, error) {
	text := "blotter report statement v1\n" + origin + "\n"
	for _, path := range []string{
		StatementFile, filepath.Join(EvidenceFolder, "manifest.json"),
	} {
		file, err := os.ReadFile(filepath.Join(dir, path))
		if err != nil {
			return "", err
		}
		text += fmt.Sprintf("sha256 %x %s\n", sha256.Sum256(file), filepath.Base(path))
	}
	return text, nil
}

// Again has what is needed to make a report again: the rule sets, and a codec that needs no
// registry.
type Again struct {
	Rules []report.RuleSet
	Codec contract.Codec
}

// Check verifies a certified report with only the public key of its log: the extract, the
// signature, the digests of all files; then it makes the report again from the extract, and
// compares.
func Check(ctx context.Context, dir string, key note.Verifier, again Again) (Statement, error) {
	var st Statement
	found, err := extract.Verify(os.DirFS(filepath.Join(dir, EvidenceFolder)), key)
	if err != nil {
		return st, err
	}
	signed, err := os.ReadFile(filepath.Join(dir, SignatureFile))
	if err != nil {
		return st, err
	}
	text, err := extract.OpenNote(signed, key)
	if err != nil {
		return st, fmt.Errorf("%s: %w", SignatureFile, err)
	}
	want, err := signedText(dir, key.Name())
	if err == nil && text != want {
		err = &extract.Fault{File: SignatureFile,
			What: "it signs another statement, or another extract"}
	}
	if err != nil {
		return st, err
	}
	if st, err = Read(dir); err != nil {
		return st, err
	}
	return st, again.check(ctx, dir, found.Manifest)
}

// Read reads the statement of a report, and compares the digests of its files.
func Read(dir string) (st Statement, err error) {
	text, err := os.ReadFile(filepath.Join(dir, StatementFile))
	if err != nil {
		return st, err
	}
	if err := contract.CheckMembers(text); err != nil {
		return st, &extract.Fault{File: StatementFile, What: err.Error()}
	}
	if err := json.Unmarshal(text, &st); err != nil || st.Format != format {
		return st, &extract.Fault{File: StatementFile, What: "it is no statement of a report"}
	}
	for name, digest := range st.Digests {
		if name != filepath.Base(name) || strings.HasPrefix(name, ".") {
			return st, &extract.Fault{File: StatementFile, What: "it names the file " + name}
		}
		file, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return st, err
		}
		if sum := sha256.Sum256(file); hex.EncodeToString(sum[:]) != digest {
			return st, &extract.Fault{File: name, What: "the file was changed after it was made"}
		}
	}
	return st, nil
}

// check makes a report again from its evidence, and compares the statements, which have the digests
// of all other files.
func (a Again) check(ctx context.Context, dir string, m extract.Manifest) error {
	st, err := Read(dir)
	if err != nil {
		return err
	}
	rules, err := Find(a.Rules, st.Rules)
	if err != nil {
		return err
	}
	bundle := os.DirFS(filepath.Join(dir, EvidenceFolder))
	w, err := Open(ctx, Source{Known: st.Known, Codec: a.Codec,
		Read: func(context.Context) iter.Seq2[contract.Recorded, error] {
			return extract.Events(bundle, m)
		}}, rules.Regime)
	if err != nil {
		return err
	}
	temporary, err := os.MkdirTemp("", "report-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temporary)
	second := filepath.Join(temporary, "again")
	if _, _, err := Make(ctx, second, w, w.Run(rules, st.Back)); err != nil {
		return err
	}
	return same(os.DirFS(dir), os.DirFS(second))
}

func same(here, there fs.FS) error {
	a, err1 := fs.ReadFile(here, StatementFile)
	b, err2 := fs.ReadFile(there, StatementFile)
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	if !bytes.Equal(a, b) {
		return fmt.Errorf("%w: it says\n%s\nand the events say\n%s", ErrNotFollows, a, b)
	}
	return nil
}

// Run returns the run of a rule set over w.
func (w *World) Run(rules report.RuleSet, back []string) report.Run {
	return report.Run{Rules: rules, Known: w.Source.Known, Reference: w.Reference,
		Filings: w.Filings, Back: back}
}

// ErrNoRules is a rule set that this program does not have.
var ErrNoRules = errors.New("there are no such rules")

// Find returns the rule set with a name.
func Find(all []report.RuleSet, name string) (report.RuleSet, error) {
	for _, s := range all {
		if s.Name == name {
			return s, nil
		}
	}
	return report.RuleSet{}, fmt.Errorf("rule set %q: %w", name, ErrNoRules)
}
