package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"

	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	audit "example.com/blotter/solutions/5-audit"
)

type cosignCmd struct {
	Embedded bool `help:"${cosign_embedded}"`
}

// A cosigner is the answer of one witness.
type cosigner struct {
	Witness string     `json:"witness"`
	At      *time.Time `json:"at,omitempty"` // the time that it states; nil if it did not cosign
	Problem string     `json:"problem,omitempty"`
}

// Run asks the witnesses of the policy that have not cosigned the last checkpoint.
func (c *cosignCmd) Run(ctx context.Context, a *app) error {
	s, err := a.open(ctx, session.Seal)
	if err != nil {
		return err
	}
	if c.Embedded {
		if err := addWitness(ctx, s); err != nil {
			return err
		}
	}
	auditor, err := s.Cosigner(ctx)
	if err != nil {
		return err
	}
	if auditor.Reference.Policy == nil {
		return &failure{"the log has no policy that names its witnesses",
			"write it to the file policy in the data folder (c2sp.org/tlog-policy), " +
				"or run the witness of the embedded stack: blotter cosign --embedded"}
	}
	last, asked, err := auditor.Reference.Cosign(ctx)
	if err != nil {
		return err
	}
	if last.Size == 0 {
		return unsealed(ctx, auditor, notSealed)
	}
	all, refused := []cosigner{}, error(nil)
	for _, w := range asked {
		answer := cosigner{Witness: w.Name}
		if !w.At.IsZero() {
			answer.At = &w.At
		} else if w.Err != nil {
			answer.Problem = w.Err.Error()
		}
		refused = firstOf(refused, withEvidence(s, w.Err))
		all = append(all, answer)
	}
	answered := a.answer(of(s), all, func(w io.Writer) { printCosigners(w, last, all) })
	_, unwitnessed := auditor.Witnessed(ctx, last)
	return firstOf(answered, firstOf(refused, unwitnessed))
}

var notSealed = &failure{"nothing is sealed yet: there is no checkpoint to cosign",
	"seal the log: blotter seal"}

// unsealed returns the error for a log without a checkpoint: otherwise, unless something shows that
// a seal began.
func unsealed(ctx context.Context, a *session.Auditor, otherwise error) error {
	return firstOf(a.Reference.CheckUnsealed(ctx), otherwise)
}

// addWitness writes a policy with the witness of the embedded stack. The witness has to know the
// log's key, which the first seal makes.
func addWitness(ctx context.Context, s *session.Session) error {
	err := s.AddWitness(ctx)
	if errors.Is(err, session.ErrNoKey) {
		return notSealed
	}
	return err
}

func printCosigners(w io.Writer, last contract.Checkpoint, all []cosigner) {
	printLine(w, "checkpoint %s", nameOf(last))
	var rows []string
	for _, c := range all {
		state := c.Problem
		if c.At != nil {
			state = "cosigned at " + c.At.Format(time.RFC3339)
		}
		rows = append(rows, c.Witness+"\t"+state)
	}
	table(w, "witness\tstate", rows...)
}

// witnessLine names the witnesses of a checkpoint, with the times that they state.
func witnessLine(all []audit.Cosignature) string {
	var names []string
	for _, c := range all {
		names = append(names, fmt.Sprintf("%s at %s", c.Witness, c.At.Format(time.RFC3339)))
	}
	return "cosigned by " + strings.Join(names, ", ")
}

// withEvidence keeps the notes of a refusal; the error names the file. Other errors are nil: a
// witness that is away is no finding.
func withEvidence(s *session.Session, err error) error {
	var refused *audit.RefusedError
	if !errors.As(err, &refused) {
		return nil
	}
	return kept(s, err.Error(), refused.Notes, "the log's key signed two histories, or a part of "+
		"this one was lost: give the file to the people who rely on the log")
}

// kept keeps signed checkpoints as evidence, and returns the failure that names the file.
func kept(s *session.Session, what string, notes [][]byte, hint string) error {
	path, err := s.KeepEvidence(what, notes)
	if err != nil {
		return errors.Join(&failure{what, hint}, err)
	}
	return &failure{fmt.Sprintf("%s; the signed checkpoints are kept in %s", what, path), hint}
}

// checkPolicy checks the cosignatures of a signed checkpoint against a policy in a file. An empty
// path asks for none.
func checkPolicy(path string, signed []byte, key note.Verifier) ([]audit.Cosignature, error) {
	if path == "" {
		return nil, nil
	}
	policy, err := readPolicy(path)
	if err != nil {
		return nil, err
	}
	return policy.Check(signed, key)
}

func readPolicy(path string) (*audit.Policy, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	policy, err := audit.ParsePolicy(text)
	if err != nil {
		err = &usageError{fmt.Sprintf("%s: %v", path, err),
			"its format is c2sp.org/tlog-policy; the data folder of the log has its policy"}
	}
	return policy, err
}
