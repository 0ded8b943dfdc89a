package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/trade"
)

type rebuildCmd struct{}

// Run makes the read models again from the log. From then on the log is accepted as it is: a lost
// end is no longer reported. A crash before the new model is in use leaves the old one; run it
// again.
func (c *rebuildCmd) Run(ctx context.Context, a *app) error {
	config := a.config()
	config.AcceptLoss = true
	s, err := a.openAs(ctx, config, session.Query)
	if err != nil {
		return err
	}
	system := s.System()
	if system.Projection, err = s.RebuildReadModels(ctx, capstone.Batch); err != nil {
		return err
	}
	state, err := system.State(ctx)
	if err != nil {
		return err
	}
	// A crash before this leaves the mark of the longer log, and the hint to rebuild.
	if err := s.AcceptEnd(ctx); err != nil {
		return err
	}
	cursor, err := system.Projection.Cursor(ctx)
	if err != nil {
		return err
	}
	used, err := system.TimesTo(ctx, cursor)
	if err != nil {
		return err
	}
	found := map[string]any{
		"trades": len(state.Trades), "positions": len(state.Positions),
		"digest": fmt.Sprintf("%x", state.Digest()),
	}
	return a.answer(of(s).with(used), found, func(w io.Writer) {
		fmt.Fprintf(w, "rebuilt the read model from the log: %s\n", describe(state))
	})
}

// describe counts the content of a state and gives its digest.
func describe(s trade.State) string {
	return fmt.Sprintf("%s, %s, digest sha256:%x", plural(int64(len(s.Trades)), "trade"),
		plural(int64(len(s.Positions)), "position"), s.Digest())
}
