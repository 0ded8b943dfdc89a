package capstone

import (
	"cmp"
	"context"
	"iter"
	"math"
	"slices"
	"time"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// CheckKnown refuses a question as known at a time whose answer may still change: a time past the
// frontier. A zero time asks for no such answer.
func (s *System) CheckKnown(ctx context.Context, known time.Time) error {
	if known.IsZero() {
		return nil
	}
	frontier, err := s.Frontier(ctx)
	if err == nil && known.After(frontier) {
		err = &contract.BeyondFrontierError{Asked: known, Frontier: frontier}
	}
	return err
}

// Frontier returns the last time that a question can be known at now.
//
// A simulated log answers up to today, although later lines may still be recorded at any time that
// they state. All its times lie in an invented past. Its answers say so.
func (s *System) Frontier(ctx context.Context) (time.Time, error) {
	return s.Log.Frontier(contract.At(ctx, s.Clock()))
}

// Trade folds one stream as of two times. A trade that has not begun by then has no status.
func (s *System) Trade(ctx context.Context, uti string, at trade.AsOf) (trade.Trade, error) {
	h, err := s.Desk.history(ctx, trade.TradeStream(uti), math.MaxInt64)
	if err != nil {
		return trade.Trade{}, err
	}
	return trade.Fold(uti, h.events, at)
}

// Positions returns the positions of the read model. If a time is asked, it folds the read model's
// events as of that time.
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

// History yields every event of a trade, refusals included, in the order of their recorded times.
func (s *System) History(ctx context.Context, uti string) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		var all []contract.Recorded
		refused := trade.Command{UTI: uti}.RefusedStream()
		for _, stream := range []string{trade.TradeStream(uti), refused} {
			for recorded, err := range s.Log.Stream(ctx, stream) {
				if err != nil {
					yield(recorded, err)
					return
				}
				all = append(all, recorded)
			}
		}
		slices.SortStableFunc(all, func(a, b contract.Recorded) int {
			return cmp.Or(
				a.RecordedAt.Compare(b.RecordedAt),
				cmp.Compare(a.Stream, b.Stream),
				cmp.Compare(a.Version, b.Version),
			)
		})
		for _, recorded := range all {
			if !yield(recorded, nil) {
				return
			}
		}
	}
}
