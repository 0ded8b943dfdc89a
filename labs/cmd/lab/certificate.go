package main

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/labs/cmd/lab/grade"
)

type certificateCmd struct {
	Key        string `required:"" placeholder:"FILE" help:"The grader's signer key."`
	NewKey     bool   `help:"Create the key, and the public key beside it in FILE.pub."`
	Submission string `placeholder:"DIR" help:"The student's checkout; by default this one."`
}

// Help is shown after the usage.
func (certificateCmd) Help() string {
	return `Example: lab certificate --key grader.key --submission class/ada > ada.cert

Grades the labs, runs the capstone on those that pass, and prints a certificate: points, parts, the
digest of the state and the checkpoint's root, signed by the grader's key. This command verifies it:

  lab grade --check ada.cert --public-key grader.key.pub`
}

// Run grades, proves the parts in the capstone, and signs.
func (c *certificateCmd) Run(ctx context.Context, to *streams) (err error) {
	key, err := c.signer()
	if err != nil {
		return err
	}
	root, err := kitRoot(ctx)
	if err != nil {
		return err
	}
	report, err := gradeOne(ctx, root, c.submission(root))
	if err != nil {
		return err
	}
	report.Table(to.stderr)
	m := passed(report)
	if m == 0 {
		return &hintedError{failed, "no lab passes, so the capstone has no part of the student",
			"run: make test"}
	}
	parts, err := newCapstone(root, os.Environ())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, parts.close()) }()
	if err := parts.overlay(c.submission(root)); err != nil {
		return err
	}
	proven, err := parts.prove(ctx, m, to.stderr)
	if err != nil {
		return err
	}
	signed, err := certify(report, m, proven, key)
	if err != nil {
		return err
	}
	_, err = to.stdout.Write(signed)
	return err
}

func (c *certificateCmd) submission(root string) string {
	if c.Submission == "" {
		return root
	}
	return c.Submission
}

// keyName is the name of the key in each certificate (C2SP signed-note).
const keyName = "blotter-lab-grader"

// signer reads the grader's key, or creates it. An existing key is never replaced: its certificates
// would lose their signer.
func (c *certificateCmd) signer() (note.Signer, error) {
	if c.NewKey {
		signer, verifier, err := note.GenerateKey(nil, keyName)
		if err != nil {
			return nil, err
		}
		if err := writeNew(c.Key, signer, 0o600); err != nil {
			return nil, err
		}
		if err := writeNew(c.Key+".pub", verifier, 0o644); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(c.Key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, &hintedError{misuse, "there is no key in " + c.Key, "create it with --new-key"}
	}
	if err != nil {
		return nil, err
	}
	key, err := note.NewSigner(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Key, err)
	}
	return key, nil
}

func writeNew(path, text string, mode fs.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text + "\n")
	return errors.Join(err, f.Close())
}

// gradeOne grades the submission in dir against the kit in root.
func gradeOne(ctx context.Context, root, dir string) (r grade.Report, err error) {
	grader, err := grade.New(grade.Options{Kit: root, Suites: labSuites()})
	if err != nil {
		return r, err
	}
	r, err = grader.Grade(ctx, dir)
	return r, errors.Join(err, grader.Close())
}

// passed returns the parts whose labs pass every required check.
func passed(r grade.Report) (m mix) {
	for _, lab := range r.Labs {
		part := slices.Index(labNames, lab.Name)
		if s := lab.Score(); part >= 0 && s.Of > 0 && s.Earned == s.Of {
			m |= 1 << part
		}
	}
	return m
}

// overlay makes c build the labs of the submission in dir in place of the kit's.
func (c *capstone) overlay(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	replace := map[string]string{}
	for _, lab := range labNames {
		for _, file := range filesOf(lab) {
			theirs := filepath.Join(dir, "labs", lab, file)
			// The grader follows no link either: the gate has not seen the file of one.
			if info, err := os.Lstat(theirs); err == nil && info.Mode().IsRegular() {
				replace[filepath.Join(c.root, "labs", lab, file)] = theirs
			}
		}
	}
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return err
	}
	file := filepath.Join(c.dir, "overlay.json")
	c.env = append(slices.Clone(c.env), "GOFLAGS=-overlay="+file)
	return os.WriteFile(file, text, 0o600)
}

// certificateFormat is the first line of a certificate.
const certificateFormat = "blotter/lab-certificate/v1"

// certify returns a certificate as a signed note (C2SP signed-note):
//
//	blotter/lab-certificate/v1
//	student ada
//	points 231/238, bonus 5/9
//	parts 1=mine,2=mine,3=mine,4=reference,5=mine
//	state sha256:823658…
//	checkpoint blotter.example/5310
//	root 0aed80…
//
//	— blotter-lab-grader Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5…
func certify(r grade.Report, m mix, o outcome, key note.Signer) ([]byte, error) {
	if r.Student == "" || strings.ContainsFunc(r.Student, unicode.IsControl) {
		return nil, fmt.Errorf("the name of the student %q does not fit a line", r.Student)
	}
	s := r.Score()
	return note.Sign(&note.Note{Text: fmt.Sprintf(
		"%s\nstudent %s\npoints %d/%d, bonus %d/%d\nparts %s\nstate %s\ncheckpoint %s\nroot %s\n",
		certificateFormat, r.Student, s.Earned, s.Of, s.Bonus, s.BonusOf, m, o.state,
		o.checkpoint, o.root)}, key)
}

// checkCertificate returns the text of a certificate that the key has signed.
func checkCertificate(file []byte, publicKey string) (string, error) {
	key, err := note.NewVerifier(strings.TrimSpace(publicKey))
	if err != nil {
		return "", fmt.Errorf("the public key: %w", err)
	}
	n, err := note.Open(file, note.VerifierList(key))
	if err != nil {
		return "", fmt.Errorf("no certificate of this grader: %w", err)
	}
	// note.Open ignores the bits that pad a signature, and accepts other signatures beside it.
	_, err = base64.StdEncoding.Strict().DecodeString(n.Sigs[0].Base64)
	if err != nil || len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 {
		return "", errors.New("no certificate of this grader: it has not exactly one signature")
	}
	if !strings.HasPrefix(n.Text, certificateFormat+"\n") {
		return "", fmt.Errorf("a note of the grader that is no %s", certificateFormat)
	}
	return n.Text, nil
}

// check verifies the certificate that gradeCmd names, and prints its text.
func (c *gradeCmd) check(to *streams) error {
	file, err := os.ReadFile(c.Check)
	if err != nil {
		return err
	}
	key, err := os.ReadFile(c.PublicKey)
	if err != nil {
		return &hintedError{misuse, err.Error(), "name the grader's key with --public-key"}
	}
	text, err := checkCertificate(file, string(key))
	if err != nil {
		return &hintedError{failed, c.Check + ": " + err.Error(),
			"ask the grader for the certificate again"}
	}
	_, err = fmt.Fprint(to.stdout, text)
	return err
}
