package logdir

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
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
	return strings.TrimSpace(string(text)), err
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
// for nothing.
func (d *Dir) EvidenceNotes() (notes [][]byte) {
	paths, _ := filepath.Glob(filepath.Join(d.path, "evidence", "*.json"))
	for _, path := range paths {
		var e Evidence
		text, err := os.ReadFile(path)
		if err == nil && json.Unmarshal(text, &e) == nil {
			for _, note := range e.Notes {
				notes = append(notes, []byte(note))
			}
		}
	}
	return notes
}
