package capstone

import (
	"cmp"
	"context"
	"iter"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Settled refuses a question as known at a time whose answer may still change.
func (s *System) Settled(ctx context.Context, known time.Time) error {
	if known.IsZero() {
		return nil
	}
	// A simulated log is let answer up to today, though what it is given later may still be stamped with any time that its lines give: all
	// that it has lies in a past that was made up. Its answers say so.
	frontier, err := s.Desk.Store.Frontier(contract.At(ctx, s.Clock()))
	if err == nil && known.After(frontier) {
		err = &contract.BeyondFrontierError{Asked: known, Frontier: frontier}
	}
	return err
}

// Trade folds one stream as of two times. A trade that has not begun by then has no status.
func (s *System) Trade(ctx context.Context, uti string, at trade.AsOf) (trade.Trade, error) {
	history, err := s.Desk.history(ctx, trade.TradeStream(uti))
	if err != nil {
		return trade.Trade{}, err
	}
	return trade.Fold(uti, history, at)
}

// Positions are the read model's, or folded from its events where a time is asked.
func (s *System) Positions(ctx context.Context, at trade.AsOf) ([]trade.Position, error) {
	if err := s.catchUp(ctx); err != nil {
		return nil, err
	}
	if at == (trade.AsOf{}) {
		return s.Projection.Positions(ctx)
	}
	state, err := s.AsOf(ctx, s.Projection, at)
	return state.Positions, err
}

// History is everything on record about a trade, refusals included, in the order it was recorded.
func (s *System) History(ctx context.Context, uti string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		var all []contract.Recorded
		for _, stream := range []string{trade.TradeStream(uti), trade.Command{UTI: uti}.RefusedStream()} {
			for recorded, err := range s.Desk.Store.Stream(ctx, stream) {
				if err != nil {
					yield(recorded, err)
					return
				}
				all = append(all, recorded)
			}
		}
		slices.SortStableFunc(all, func(a, b contract.Recorded) int {
			return cmp.Or(a.RecordedAt.Compare(b.RecordedAt), cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Version, b.Version))
		})
		for _, recorded := range all {
			if !yield(recorded, nil) {
				return
			}
		}
	}
}
