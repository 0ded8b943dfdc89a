package main

import (
	"context"
	"io"
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
	says, err := s.ErasureOf(ctx, c.Party)
	if err != nil {
		return err
	}
	if err := v.Erase(ctx, c.entry("erase", c.Approver), c.Party, says); err != nil {
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
