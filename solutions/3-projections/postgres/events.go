package postgres

import (
	"context"
	"fmt"
	"iter"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// A history is the events of a stream after its first skipped ones.
type history struct {
	skipped int64
	events  []trade.Event
}

func (h history) with(e trade.Event) history { return history{h.skipped, append(h.events, e)} }
func (h history) next() int64                { return h.skipped + int64(len(h.events)) + 1 }

// histories returns the streams of fresh events: the earlier events of the model, then the fresh
// ones. Of a continued curve only the last earlier event is read, which states the currency of all.
func (p *Projection) histories(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (
	map[string]history, error) {
	streams, err := continuedCurves(ctx, tx, fresh)
	if err != nil {
		return nil, err
	}
	if err := p.readLast(ctx, tx, streams); err != nil {
		return nil, err
	}
	var unread []string
	for _, r := range fresh {
		if _, ok := streams[r.Stream]; !ok {
			streams[r.Stream] = history{}
			unread = append(unread, r.Stream)
		}
	}
	for e, err := range p.readEvents(ctx, tx, "WHERE stream = ANY($1)", unread) {
		if err != nil {
			return nil, err
		}
		streams[e.Stream] = streams[e.Stream].with(e.Event)
	}
	for _, r := range fresh {
		if err := projection.CheckVersion(r, streams[r.Stream].next()); err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, p.codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = streams[r.Stream].with(e)
	}
	return streams, nil
}

// readLast adds the last event of the model to histories that skip the events before it. The event
// stands in its slot, since no later one corrects it. So it may stand alone, as an own mark.
func (p *Projection) readLast(ctx context.Context, tx pgx.Tx, streams map[string]history) error {
	names := sortedKeys(streams)
	var versions []int64
	for _, name := range names {
		versions = append(versions, streams[name].next())
	}
	const last = "WHERE (stream, version) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))"
	for e, err := range p.readEvents(ctx, tx, last, names, versions) {
		if err != nil {
			return err
		}
		e.Event.Corrects = uuid.Nil
		streams[e.Stream] = streams[e.Stream].with(e.Event)
	}
	return nil
}

// readEvents yields events of the model, by stream and version.
func (p *Projection) readEvents(ctx context.Context, tx pgx.Tx, where string, args ...any) (
	events iter.Seq2[contract.StreamEvent, error]) {
	const query = `
SELECT stream, version, id, corrects, effective_at, entered_at, recorded_at, actor, type, data
FROM events `
	return func(yield func(contract.StreamEvent, error) bool) {
		rows, err := tx.Query(ctx, query+where+" ORDER BY stream, version", args...)
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
	err := row.Scan(&r.Stream, &r.Version, &r.ID, &r.Corrects, &r.EffectiveAt, &r.EnteredAt,
		&r.RecordedAt,
		&r.Actor, &r.Type, &r.Data)
	if err != nil {
		return contract.StreamEvent{}, fmt.Errorf("read events: %w", err)
	}
	e, err := contract.Decoded(ctx, p.codec, r)
	return contract.StreamEvent{Stream: r.Stream, Event: e}, err
}

func insertEvents(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	columns := []string{
		"stream", "version", "id", "corrects", "effective_at", "entered_at", "recorded_at",
		"actor", "type", "data",
	}
	rows := pgx.CopyFromSlice(len(fresh), func(i int) ([]any, error) {
		r := fresh[i]
		return []any{
			r.Stream, r.Version, r.ID, r.Corrects, r.EffectiveAt, r.EnteredAt, r.RecordedAt,
			r.Actor, r.Type, r.Data,
		}, nil
	})
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"events"}, columns, rows)
	return err
}

// insertRefusals inserts the refusals among fresh events, whose bodies are in streams.
func insertRefusals(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded,
	streams map[string]history) error {
	var rows [][]any
	for _, r := range fresh {
		h := streams[r.Stream]
		e := h.events[r.Version-h.skipped-1]
		if refused, ok := e.Body.(trade.CommandRefused); ok {
			rows = append(rows, []any{
				r.Stream, r.Version, refused.CommandID, string(refused.Rule), refused.Detail,
				r.RecordedAt,
			})
		}
	}
	columns := []string{"stream", "version", "command_id", "rule", "detail", "recorded_at"}
	_, err := tx.CopyFrom(ctx, pgx.Identifier{"refusals"}, columns, pgx.CopyFromRows(rows))
	return err
}
