package postgres

import (
	"bytes"
	"context"
	"encoding/binary"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgconn"
)

// copyEvents inserts rows in the binary format of COPY (PostgreSQL documentation, COPY, "Binary
// Format").
const copyEvents = `copy events (stream, version, id, type, schema, fingerprint, effective_at,
	recorded_at, corrects, actor, approver, reason, correlation, causation, traceparent, source,
	ends, data, offload, digest, entered_at, command_id, source_line, submitted_by,
	source_recorded_at, append_group) from stdin (format binary)`

// copyAndCommit also commits. Both statements are one message, so they take one round trip. If COPY
// fails, the server does not come to the commit.
const copyAndCommit = copyEvents + "; commit"

// fewRows is the number of rows up to which a prepared INSERT takes less time than COPY, which is
// parsed each time, and sent in three writes.
const fewRows = 8

// copyRows writes rows by copyEvents or copyAndCommit.
func copyRows(ctx context.Context, conn *pgconn.PgConn, rows []row, statement string) error {
	sortRows(rows)
	const size = 1024 // of most rows
	data := make(copyData, 0, len(rows)*size)
	data = append(data, "PGCOPY\n\xff\r\n\x00\x00\x00\x00\x00\x00\x00\x00\x00"...)
	for i := range rows {
		data = data.row(&rows[i])
	}
	data = data.int16(-1)
	_, err := conn.CopyFrom(ctx, bytes.NewReader(data), statement)
	return err
}

// copyData is a part of a message in the binary format. Each value has its length before it.
type copyData []byte

func (d copyData) row(r *row) copyData {
	const columns = 26
	d = d.int16(columns)
	d = d.text(r.Stream).int64(r.Version).id(r.ID).text(r.Type).int32(int32(r.Schema))
	d = d.bytes(r.Fingerprint[:]).time(r.EffectiveAt).time(r.RecordedAt).id(r.Corrects)
	d = d.text(r.Actor).text(r.Approver).text(r.Reason).id(r.Correlation).id(r.Causation)
	d = d.text(r.Traceparent).text(r.Source).bool(r.Ends).bytes(r.Data)
	d = d.bytes(digestOrNull(r.Event)).bytes(r.digest[:]).time(r.EnteredAt).text(r.CommandID)
	d = d.int64(r.SourceLine).text(r.SubmittedBy).optional(r.SourceRecordedAt)
	return d.id(r.AppendGroup)
}

func (d copyData) int16(n int16) copyData { return binary.BigEndian.AppendUint16(d, uint16(n)) }

func (d copyData) length(n int) copyData { return binary.BigEndian.AppendUint32(d, uint32(n)) }

func (d copyData) int32(n int32) copyData { return d.length(4).length(int(n)) }

func (d copyData) int64(n int64) copyData {
	return binary.BigEndian.AppendUint64(d.length(8), uint64(n))
}

func (d copyData) text(s string) copyData { return append(d.length(len(s)), s...) }

func (d copyData) null() copyData { return d.length(-1) }

// bytes appends a bytea: NULL for nil.
func (d copyData) bytes(b []byte) copyData {
	if b == nil {
		return d.null()
	}
	return append(d.length(len(b)), b...)
}

// id appends a uuid: NULL for the zero id, which means none.
func (d copyData) id(id uuid.UUID) copyData {
	if id == uuid.Nil {
		return d.null()
	}
	return append(d.length(len(id)), id[:]...)
}

func (d copyData) bool(b bool) copyData {
	if b {
		return append(d.length(1), 1)
	}
	return append(d.length(1), 0)
}

// time appends a timestamptz: the microseconds since the year 2000.
func (d copyData) time(t time.Time) copyData {
	return d.int64(t.UnixMicro() - year2000)
}

// optional appends a timestamptz: NULL for the zero time, which means none.
func (d copyData) optional(t time.Time) copyData {
	if t.IsZero() {
		return d.null()
	}
	return d.time(t)
}

// year2000 is the time at which the server's count of microseconds begins.
var year2000 = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
