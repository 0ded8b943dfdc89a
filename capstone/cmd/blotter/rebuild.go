package main

import (
	"context"
	"fmt"
	"io"

	"example.com/blotter/capstone"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

type rebuildCmd struct{}

// Run makes the read model again from the log alone. A crash before the new model is in place leaves the old one, and this can be run again.
// From then on the log is taken as it is: what it has lost is no longer missed.
func (c *rebuildCmd) Run(ctx context.Context, a *app) error {
	a.asItIs = true
	system, err := a.existing(ctx, withAnyReadModel)
	if err != nil {
		return err
	}
	model, ok := system.Projection.(contract.Rebuilder)
	if !ok {
		return &failure{"this read model cannot be rebuilt beside itself", "another can: see solutions/3-projections/postgres"}
	}
	if err := model.Rebuild(ctx, system.Log, capstone.Batch); err != nil {
		return err
	}
	if err := a.ours(ctx); err != nil {
		return err
	}
	state, err := system.State(ctx)
	if err != nil {
		return err
	}
	// A crash before this leaves the mark of a log that was longer, and the hint to rebuild.
	end, err := system.Log.End(ctx)
	if err == nil {
		err = a.reached().Save(end)
	}
	if err != nil {
		return err
	}
	return a.answer(rebuiltJSON(state), func(w io.Writer) { showRebuilt(w, state) })
}

func rebuiltJSON(s trade.State) any {
	return map[string]any{"trades": len(s.Trades), "positions": len(s.Positions), "digest": fmt.Sprintf("%x", s.Digest())}
}

func showRebuilt(w io.Writer, s trade.State) {
	fmt.Fprintf(w, "rebuilt the read model from the log alone: %s, %s, digest sha256:%x\n",
		plural(int64(len(s.Trades)), "trade"), plural(int64(len(s.Positions)), "position"), s.Digest())
}
