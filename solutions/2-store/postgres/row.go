package postgres

import (
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

	"example.com/blotter/labs/kit/contract"
)

// A row is a row of the table events.
type row struct {
	contract.Event
	contract.Receipt
	digest [32]byte // contract.Event.ContentDigest
}

// insertEvents inserts a batch of any size with one array for each column. So neither the text nor
// the number of parameters depends on the number of events. A trigger adds the events to pending.
const insertEvents = `insert into events (stream, version, id, type, schema, fingerprint,
	effective_at, recorded_at, corrects, actor, approver, reason, correlation, causation,
	traceparent, source, ends, data, offload, digest, entered_at, command_id, source_line,
	submitted_by, source_recorded_at, append_group)
select * from unnest($1::text[], $2::bigint[], $3::uuid[], $4::text[], $5::integer[], $6::bytea[],
	$7::timestamptz[], $8::timestamptz[], $9::uuid[], $10::text[], $11::text[], $12::text[],
	$13::uuid[], $14::uuid[], $15::text[], $16::text[], $17::boolean[], $18::bytea[],
	$19::bytea[], $20::bytea[], $21::timestamptz[], $22::text[], $23::bigint[], $24::text[],
	$25::timestamptz[], $26::uuid[])`

// sortRows sorts rows by the primary key: two transactions that write the same streams then lock
// them in the same order, so that one waits for the other and they do not deadlock.
func sortRows(rows []row) {
	slices.SortStableFunc(rows, func(a, b row) int {
		if c := strings.Compare(a.Stream, b.Stream); c != 0 {
			return c
		}
		return int(a.Version - b.Version)
	})
}

// arrays sorts rows, and returns the parameters of insertEvents.
func arrays(rows []row) []any {
	sortRows(rows)
	return []any{
		column(rows, func(r *row) string { return r.Stream }),
		column(rows, func(r *row) int64 { return r.Version }),
		column(rows, func(r *row) pgtype.UUID { return nullable(r.ID) }),
		column(rows, func(r *row) string { return r.Type }),
		column(rows, func(r *row) int32 { return int32(r.Schema) }),
		column(rows, func(r *row) []byte { return r.Fingerprint[:] }),
		column(rows, func(r *row) time.Time { return r.EffectiveAt }),
		column(rows, func(r *row) time.Time { return r.RecordedAt }),
		column(rows, func(r *row) pgtype.UUID { return nullable(r.Corrects) }),
		column(rows, func(r *row) string { return r.Actor }),
		column(rows, func(r *row) string { return r.Approver }),
		column(rows, func(r *row) string { return r.Reason }),
		column(rows, func(r *row) pgtype.UUID { return nullable(r.Correlation) }),
		column(rows, func(r *row) pgtype.UUID { return nullable(r.Causation) }),
		column(rows, func(r *row) string { return r.Traceparent }),
		column(rows, func(r *row) string { return r.Source }),
		column(rows, func(r *row) bool { return r.Ends }),
		column(rows, func(r *row) []byte { return r.Data }),
		column(rows, func(r *row) []byte { return digestOrNull(r.Event) }),
		column(rows, func(r *row) []byte { return r.digest[:] }),
		column(rows, func(r *row) time.Time { return r.EnteredAt }),
		column(rows, func(r *row) string { return r.CommandID }),
		column(rows, func(r *row) int64 { return r.SourceLine }),
		column(rows, func(r *row) string { return r.SubmittedBy }),
		column(rows, func(r *row) *time.Time { return timeOrNull(r.SourceRecordedAt) }),
		column(rows, func(r *row) pgtype.UUID { return nullable(r.AppendGroup) }),
	}
}

func column[T any](rows []row, of func(*row) T) []T {
	values := make([]T, len(rows))
	for i := range rows {
		values[i] = of(&rows[i])
	}
	return values
}

// digestOrNull returns BodyDigest as stored: NULL for an event that is not offloaded.
func digestOrNull(e contract.Event) []byte {
	if !e.Offloaded() {
		return nil
	}
	return e.BodyDigest[:]
}

// nullable returns an id as stored: NULL for the zero id, which means none.
func nullable(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: id != uuid.Nil} }

// timeOrNull returns a time as stored: NULL for the zero time, which means none.
func timeOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// eventColumns are the columns of events e that scan reads.
const eventColumns = `e.stream, e.version, e.id, e.type, e.schema, e.fingerprint, e.effective_at,
	e.recorded_at, e.corrects, e.actor, e.approver, e.reason, e.correlation, e.causation,
	e.traceparent, e.source, e.ends, e.data, e.offload, e.entered_at, e.command_id, e.source_line,
	e.submitted_by, e.source_recorded_at, e.append_group`

// scan reads a row with the event's position and eventColumns.
func scan(rows pgx.Row) (contract.Recorded, error) {
	var r contract.Recorded
	var fingerprint, offload []byte
	var corrects, correlation, causation, group pgtype.UUID
	var sourceRecordedAt pgtype.Timestamptz
	err := rows.Scan(&r.Position.Offset, &r.Stream, &r.Version, &r.ID, &r.Type, &r.Schema,
		&fingerprint, &r.EffectiveAt, &r.RecordedAt, &corrects, &r.Actor, &r.Approver, &r.Reason,
		&correlation, &causation, &r.Traceparent, &r.Source, &r.Ends, &r.Data, &offload,
		&r.EnteredAt, &r.CommandID, &r.SourceLine, &r.SubmittedBy, &sourceRecordedAt, &group)
	copy(r.Fingerprint[:], fingerprint)
	copy(r.BodyDigest[:], offload)
	r.EffectiveAt, r.RecordedAt = r.EffectiveAt.UTC(), r.RecordedAt.UTC()
	r.EnteredAt, r.AppendGroup = r.EnteredAt.UTC(), group.Bytes
	if sourceRecordedAt.Valid {
		r.SourceRecordedAt = sourceRecordedAt.Time.UTC()
	}
	r.Corrects, r.Correlation, r.Causation = corrects.Bytes, correlation.Bytes, causation.Bytes
	return r, err
}
