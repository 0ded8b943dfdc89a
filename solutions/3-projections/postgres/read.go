package postgres

import (
	"context"
	"errors"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// State returns the whole model.
func (p *Projection) State(ctx context.Context) (s trade.State, err error) {
	err = p.Read(ctx, func(tx pgx.Tx) error {
		if s.Trades, err = readTrades(ctx, tx); err != nil {
			return fmt.Errorf("read trades: %w", err)
		}
		if s.Positions, err = readPositions(ctx, tx); err != nil {
			return err
		}
		if s.Curves, err = readCurves(ctx, tx); err != nil {
			return fmt.Errorf("read curves: %w", err)
		}
		return readParked(ctx, tx, &s)
	})
	return s, err
}

func readTrades(ctx context.Context, tx pgx.Tx) ([]trade.Trade, error) {
	rows, err := tx.Query(ctx, "SELECT state FROM trades ORDER BY uti")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[trade.Trade])
}

// Trade returns one trade of the model, with its terms and legs.
func (p *Projection) Trade(ctx context.Context, uti string) (t trade.Trade, ok bool, err error) {
	err = p.Read(ctx, func(tx pgx.Tx) error {
		var terms trade.New
		row := tx.QueryRow(ctx, "SELECT state, terms FROM trades WHERE uti = $1", uti)
		err := row.Scan(&t, &terms)
		if errors.Is(err, pgx.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		stream := trade.TradeStream(uti)
		legs, err := legsOf(ctx, tx, []string{stream})
		t.Terms, t.Legs, ok = terms, legs[stream], err == nil
		return err
	})
	if err != nil {
		return trade.Trade{}, false, fmt.Errorf("read trade %s: %w", uti, err)
	}
	return t, ok, nil
}

// Positions returns the pools of the model.
func (p *Projection) Positions(ctx context.Context) (positions []trade.Position, err error) {
	err = p.Read(ctx, func(tx pgx.Tx) error {
		positions, err = readPositions(ctx, tx)
		return err
	})
	return positions, err
}

func readPositions(ctx context.Context, tx pgx.Tx) ([]trade.Position, error) {
	rows, err := tx.Query(ctx, selectPositions)
	if err != nil {
		return nil, fmt.Errorf("read positions: %w", err)
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (trade.Position, error) {
		key, pool, err := scanPosition(row)
		if err != nil {
			return trade.Position{}, err
		}
		return trade.PositionOf(key, pool), nil
	})
}

// Events yields all events of the model, by stream and version. The snapshot lasts as long as the
// loop.
func (p *Projection) Events(ctx context.Context) iter.Seq2[contract.StreamEvent, error] {
	return func(yield func(contract.StreamEvent, error) bool) {
		stopped := errors.New("the loop ended early")
		err := p.Read(ctx, func(tx pgx.Tx) error {
			for e, err := range readmodel.Events(ctx, tx, p.codec, "") {
				if err != nil {
					return err
				}
				if !yield(e, nil) {
					return stopped
				}
			}
			return nil
		})
		if err != nil && err != stopped {
			yield(contract.StreamEvent{}, err)
		}
	}
}
