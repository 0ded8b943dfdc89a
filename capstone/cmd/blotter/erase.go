package main

import (
	"context"
	"io"

	"example.com/blotter/capstone/domain"
	"example.com/blotter/capstone/session"
	"example.com/blotter/capstone/vault"
)

type eraseCmd struct {
	Party    string `arg:"" help:"The id of the person."`
	Approver string `required:"" help:"The second person, who approves."`
	said
}

// Run asks the retention policy and the legal holds first. A refusal is on record, too.
func (c *eraseCmd) Run(ctx context.Context, a *app) error {
	if c.Approver == c.Actor {
		return &failure{c.Actor + " cannot approve an own erasure",
			"let a second person approve: the data does not come back"}
	}
	s, v, err := a.vault(ctx)
	if err != nil {
		return err
	}
	says, err := erased(ctx, s, v, c.entry("erase", c.Approver), c.Party)
	if err != nil {
		return err
	}
	answer := map[string]any{"party": c.Party, "rule": says.Rule, "detail": says.Detail}
	return a.answer(of(s), answer, func(w io.Writer) {
		printLine(w, "erased %s: its key is destroyed, and nobody can read its fields", c.Party)
		printLine(w, "  %s", says.Detail)
		printLine(w, "  rotate the master key, so that no backup of the keys has it: "+
			"blotter party rotate")
	})
}

// erased erases a party if the retention policy and the legal holds allow it.
func erased(
	ctx context.Context, s *session.Session, v *vault.Vault, entry domain.Entry, party string,
) (says vault.Verdict, err error) {
	err = v.Erase(ctx, entry, party, func(ctx context.Context) (vault.Verdict, error) {
		says, err = s.ErasureOf(ctx, entry, party)
		return says, err
	})
	return says, err
}
