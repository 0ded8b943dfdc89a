package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// histories are the streams that fresh adds to, whole: what was taken before, and fresh after it.
func (p *Projection) histories(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (map[string][]trade.Event, error) {
	streams := map[string][]trade.Event{}
	for _, r := range fresh {
		streams[r.Stream] = nil
	}
	for e, err := range p.readEvents(ctx, tx, "WHERE stream = ANY($1)", keys(streams)) {
		if err != nil {
			return nil, err
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	for _, r := range fresh {
		if want := int64(len(streams[r.Stream])) + 1; r.Version != want {
			return nil, fmt.Errorf("stream %s goes on with version %d at position %s, want %d: the feed skipped events", r.Stream, r.Version, r.Position, want)
		}
		e, err := contract.Decoded(ctx, p.codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams, nil
}

// readEvents are the events taken, by stream and version.
func (p *Projection) readEvents(ctx context.Context, tx pgx.Tx, where string, args ...any) iter.Seq2[contract.StreamEvent, error] {
	const columns = "SELECT stream, version, id, corrects, effective_at, recorded_at, type, data FROM events "
	return func(yield func(contract.StreamEvent, error) bool) {
		rows, err := tx.Query(ctx, columns+where+" ORDER BY stream, version", args...)
		if err != nil {
			yield(contract.StreamEvent{}, fmt.Errorf("read events: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := p.scanEvent(ctx, rows)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(contract.StreamEvent{}, fmt.Errorf("read events: %w", err))
		}
	}
}

func (p *Projection) scanEvent(ctx context.Context, row pgx.Row) (contract.StreamEvent, error) {
	var r contract.Recorded
	err := row.Scan(&r.Stream, &r.Version, &r.ID, &r.Corrects, &r.EffectiveAt, &r.RecordedAt, &r.Type, &r.Data)
	if err != nil {
		return contract.StreamEvent{}, fmt.Errorf("read events: %w", err)
	}
	e, err := contract.Decoded(ctx, p.codec, r)
	return contract.StreamEvent{Stream: r.Stream, Event: e}, err
}

func insertEvents(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	columns := []string{"stream", "version", "id", "corrects", "effective_at", "recorded_at", "type", "data"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"events"}, columns, pgx.CopyFromSlice(len(fresh), func(i int) ([]any, error) {
		r := fresh[i]
		return []any{r.Stream, r.Version, r.ID, r.Corrects, r.EffectiveAt, r.RecordedAt, r.Type, r.Data}, nil
	}))
	return err
}

// insertRefusals lists what fresh has of them; streams has the bodies.
func insertRefusals(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded, streams map[string][]trade.Event) error {
	var rows [][]any
	for _, r := range fresh {
		e := streams[r.Stream][r.Version-1]
		if refused, ok := e.Body.(trade.CommandRefused); ok {
			rows = append(rows, []any{r.Stream, r.Version, refused.CommandID, string(refused.Rule), refused.Detail, r.RecordedAt})
		}
	}
	columns := []string{"stream", "version", "command_id", "rule", "detail", "recorded_at"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"refusals"}, columns, pgx.CopyFromRows(rows))
	return err
}
