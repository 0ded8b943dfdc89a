package readmodel

import (
	"context"
	"fmt"
	"iter"

	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// A History is the events of a stream after its first skipped ones.
type History struct {
	Skipped int64
	Events  []trade.Event
}

// With returns h with another event at its end.
func (h History) With(e trade.Event) History { return History{h.Skipped, append(h.Events, e)} }

// Next is the version of the next event.
func (h History) Next() int64 { return h.Skipped + int64(len(h.Events)) + 1 }

// Histories returns the streams of fresh events: the earlier events of the model, then the fresh
// ones. The earlier events of the streams in begun, which may be nil, are not read. A feed that
// skips or repeats an event is a *contract.DamagedError.
func Histories(ctx context.Context, tx pgx.Tx, codec contract.Codec, fresh []contract.Recorded,
	begun map[string]History) (map[string]History, error) {
	streams := map[string]History{}
	var unread []string
	for _, r := range fresh {
		if _, ok := streams[r.Stream]; ok {
			continue
		}
		earlier, ok := begun[r.Stream]
		if streams[r.Stream] = earlier; !ok {
			unread = append(unread, r.Stream)
		}
	}
	for e, err := range Events(ctx, tx, codec, "WHERE stream = ANY($1)", unread) {
		if err != nil {
			return nil, err
		}
		streams[e.Stream] = streams[e.Stream].With(e.Event)
	}
	for _, r := range fresh {
		if err := projection.CheckVersion(r, streams[r.Stream].Next()); err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = streams[r.Stream].With(e)
	}
	return streams, nil
}

// Events yields events of the model, by stream and version. where is a condition on the table
// events, or empty.
func Events(ctx context.Context, tx pgx.Tx, codec contract.Codec, where string, args ...any) (
	events iter.Seq2[contract.StreamEvent, error]) {
	const query = `
SELECT stream, version, id, corrects, effective_at, entered_at, recorded_at, actor,
       type, schema, fingerprint, data
FROM events `
	return func(yield func(contract.StreamEvent, error) bool) {
		rows, err := tx.Query(ctx, query+where+" ORDER BY stream, version", args...)
		if err != nil {
			yield(contract.StreamEvent{}, fmt.Errorf("read events: %w", err))
			return
		}
		defer rows.Close()
		for rows.Next() {
			e, err := scanEvent(ctx, codec, rows)
			if !yield(e, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(contract.StreamEvent{}, fmt.Errorf("read events: %w", err))
		}
	}
}

func scanEvent(ctx context.Context, codec contract.Codec, row pgx.Row) (
	contract.StreamEvent, error) {
	var r contract.Recorded
	var fingerprint []byte
	err := row.Scan(&r.Stream, &r.Version, &r.ID, &r.Corrects, &r.EffectiveAt, &r.EnteredAt,
		&r.RecordedAt, &r.Actor, &r.Type, &r.Schema, &fingerprint, &r.Data)
	copy(r.Fingerprint[:], fingerprint)
	if err != nil {
		return contract.StreamEvent{}, fmt.Errorf("read events: %w", err)
	}
	e, err := contract.Decoded(ctx, codec, r)
	return contract.StreamEvent{Stream: r.Stream, Event: e}, err
}

func insertEvents(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	columns := []string{
		"stream", "version", "id", "corrects", "effective_at", "entered_at", "recorded_at",
		"actor", "type", "schema", "fingerprint", "data",
	}
	rows := pgx.CopyFromSlice(len(fresh), func(i int) ([]any, error) {
		r := fresh[i]
		return []any{
			r.Stream, r.Version, r.ID, r.Corrects, r.EffectiveAt, r.EnteredAt, r.RecordedAt,
			r.Actor, r.Type, r.Schema, r.Fingerprint[:], r.Data,
		}, nil
	})
	if _, err := tx.CopyFrom(ctx, pgx.Identifier{"events"}, columns, rows); err != nil {
		return fmt.Errorf("insert events: %w", err)
	}
	return nil
}
