package logdir

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// PolicyFile returns the file with the policy of the log's witnesses (C2SP tlog-policy).
func (d *Dir) PolicyFile() string { return filepath.Join(d.path, "policy") }

// Policy returns the policy of the log's witnesses; nil without one.
func (d *Dir) Policy() ([]byte, error) {
	text, err := os.ReadFile(d.PolicyFile())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return text, err
}

// CreatePolicy writes the first policy.
func (d *Dir) CreatePolicy(text string) error {
	err := writeNew(d.PolicyFile(), []byte(text))
	if errors.Is(err, fs.ErrExist) {
		return &UsageError{"the log has a policy already: " + d.PolicyFile(),
			"edit the file; its format is c2sp.org/tlog-policy"}
	}
	return err
}

// PublicKey returns the log's public key as text (C2SP signed-note).
func (d *Dir) PublicKey() (string, error) {
	text, err := os.ReadFile(d.keyFile("verifier"))
	return firstLine(text), err
}

// Evidence is a contradiction between signed checkpoints: a fork of the log, or a log that shrank.
type Evidence struct {
	What  string   `json:"what"`
	Notes []string `json:"notes"` // signed checkpoints (C2SP signed-note)
}

// KeepEvidence writes evidence to a file of its own, and returns its path. The name depends on the
// content: the same evidence is kept once.
func (d *Dir) KeepEvidence(what string, notes [][]byte) (string, error) {
	e := Evidence{What: what}
	for _, note := range notes {
		e.Notes = append(e.Notes, string(note))
	}
	text, err := json.MarshalIndent(e, "", "  ")
	if err != nil {
		return "", err
	}
	path := filepath.Join(d.path, "evidence", fmt.Sprintf("%x.json", sha256.Sum256(text)))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	if err := writeNew(path, append(text, '\n')); !errors.Is(err, fs.ErrExist) {
		return path, err
	}
	return path, nil
}

// EvidenceNotes returns the signed checkpoints of all evidence. A file that is no evidence counts
// for nothing: unread has an error for each, which names it.
func (d *Dir) EvidenceNotes() (notes [][]byte, unread []error) {
	folder := filepath.Join(d.path, "evidence")
	files, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, []error{fmt.Errorf("the evidence is not read: %w", err)}
	}
	for _, file := range files {
		path := filepath.Join(folder, file.Name())
		if filepath.Ext(path) != ".json" { // such as a file that is being written
			continue
		}
		e, err := readEvidence(path)
		if err != nil {
			unread = append(unread, fmt.Errorf("%s is no evidence: %w", path, err))
		}
		for _, note := range e.Notes {
			notes = append(notes, []byte(note))
		}
	}
	return notes, unread
}

func readEvidence(path string) (e Evidence, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return e, err
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return Evidence{}, err
	}
	if len(e.Notes) == 0 {
		err = errors.New("it has no signed checkpoint")
	}
	return e, err
}
