package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"example.com/blotter/labs/kit/contract"
	store "example.com/blotter/solutions/2-store"
)

const (
	// The heads are read BEFORE the ids, each with a snapshot of its own. In the other order, an
	// event that commits in between would conflict with its own retry.
	selectHeads = `select s.stream, e.version, e.recorded_at, e.ends
		from unnest($1::text[]) as s (stream) cross join lateral (
			select version, recorded_at, ends from events where events.stream = s.stream
			order by version desc limit 1) as e`
	selectIDs = `select id, stream, version, recorded_at, digest
		from events where id = any($1::uuid[])`
)

// attempt writes a group in one transaction of two round trips: read and decide, insert and commit.
// After an error the outcome of every member is unknown. Without an error each member has its
// outcome, and acknowledged events are durable.
//
// An attempt reads only:
//   - the head of a stream, unless its caller expects a new stream;
//   - the ids of appends at any version, and of appends whose expected version is not the stream's.
//
// The unique constraints check the rest. An attempt that violates one must be made again with
// thorough set: then it reads all heads and ids.
//
// A crash (ours or the server's) before the commit leaves nothing; after it, all events are
// recorded, and a retry finds them.
func (s *Store) attempt(group []*appendCall, thorough bool) ([]outcome, error) {
	conn, err := s.pool.Acquire(s.ctx)
	if err != nil {
		return nil, err
	}
	defer s.release(conn)
	log, err := s.begin(conn, group, thorough)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	outcomes := make([]outcome, len(group))
	var rows []row
	for i, a := range group {
		// Read the clock only now, AFTER begin has announced a time: see frontier.go.
		decided, more := log.decide(a, log.past(s.stamp(a)))
		outcomes[i], rows = decided, append(rows, more...)
	}
	if len(rows) == 0 {
		return outcomes, nil
	}
	if err := s.insert(conn, rows); err != nil {
		return nil, fmt.Errorf("insert %d events: %w", len(rows), err)
	}
	s.grouped(len(rows))
	return outcomes, nil
}

// insert writes rows and commits, in one round trip.
func (s *Store) insert(conn *pgxpool.Conn, rows []row) error {
	if len(rows) > fewRows {
		return copyRows(s.ctx, conn.Conn().PgConn(), rows)
	}
	var batch pgx.Batch
	batch.Queue(insertEvents, arrays(rows)...)
	batch.Queue("commit")
	return conn.SendBatch(s.ctx, &batch).Close()
}

// begin opens the transaction, announces it to Frontier, and reads the heads and ids.
func (s *Store) begin(conn *pgxpool.Conn, group []*appendCall, thorough bool) (*known, error) {
	log := &known{heads: map[string]head{}, ids: map[uuid.UUID]store.Outcome{}}
	var batch pgx.Batch
	batch.Queue("begin")
	batch.Queue(announce, s.schema, s.earliest(group))
	// AFTER the announcement, and with a snapshot of its own: see frontier.go.
	batch.Queue(selectFrontier).QueryRow(func(row pgx.Row) error { return row.Scan(&log.until) })
	if streams := streamsOf(group, thorough); len(streams) > 0 {
		batch.Queue(selectHeads, streams).Query(log.readHeads)
	}
	if ids := idsWhere(group, func(
		a *appendCall,
	) bool {
		return thorough || a.expected == contract.Any
	}); len(ids) > 0 {
		batch.Queue(selectIDs, ids).Query(log.readIDs)
	}
	answers := conn.SendBatch(s.ctx, &batch)
	for _, a := range group {
		a.prepare()
	}
	if err := answers.Close(); err != nil || thorough {
		return log, err
	}
	ids := idsWhere(group, func(a *appendCall) bool {
		return a.expected != contract.Any && a.expected != log.heads[a.stream].Version
	})
	if len(ids) == 0 {
		return log, nil
	}
	rows, err := conn.Query(s.ctx, selectIDs, ids)
	if err != nil {
		return nil, err
	}
	return log, log.readIDs(rows)
}

func streamsOf(group []*appendCall, thorough bool) []string {
	var streams []string
	for _, a := range group {
		if thorough || a.expected != 0 {
			streams = append(streams, a.stream)
		}
	}
	return streams
}

func idsWhere(group []*appendCall, include func(*appendCall) bool) []uuid.UUID {
	var ids []uuid.UUID
	for _, a := range group {
		if include(a) {
			for _, e := range a.events {
				ids = append(ids, e.ID)
			}
		}
	}
	return ids
}

func (k *known) readHeads(rows pgx.Rows) error {
	var stream string
	var h head
	_, err := pgx.ForEachRow(
		rows,
		[]any{&stream, &h.Version, &h.RecordedAt, &h.ended},
		func() error {
			h.RecordedAt = h.RecordedAt.UTC()
			k.heads[stream] = h
			return nil
		},
	)
	return err
}

func (k *known) readIDs(rows pgx.Rows) error {
	var id uuid.UUID
	var o store.Outcome
	var digest []byte
	_, err := pgx.ForEachRow(
		rows,
		[]any{&id, &o.Stream, &o.Receipt.Version, &o.Receipt.RecordedAt, &digest},
		func() error {
			o.Receipt.RecordedAt = o.Receipt.RecordedAt.UTC()
			copy(o.Digest[:], digest)
			k.ids[id] = o
			return nil
		},
	)
	return err
}

// release rolls back an open transaction and returns the connection to the pool.
func (s *Store) release(conn *pgxpool.Conn) {
	if pg := conn.Conn().PgConn(); !pg.IsClosed() && pg.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			s.log.Warn("append: rollback", "error", err)
		}
	}
	conn.Release()
}

// known holds the heads and ids of a group of appends as they were when they were read. A decision
// needs no more, so it needs no database. If the log has changed since, the unique constraints
// refuse the insert.
type known struct {
	heads map[string]head // of each known stream
	ids   map[uuid.UUID]store.Outcome
	until *time.Time // the frontier on record
}

// past returns the clock's time, or the first time after the frontier on record if that is later.
func (k *known) past(clock time.Time) time.Time {
	if k.until == nil || clock.After(*k.until) {
		return clock
	}
	return k.until.Add(time.Microsecond).UTC()
}

// A head is the last event of a stream.
type head struct {
	contract.Receipt
	ended bool
}

var _ store.Known = (*known)(nil)

func (k *known) Version(stream string) (int64, bool) {
	return k.heads[stream].Version, k.heads[stream].ended
}

func (k *known) Outcome(id uuid.UUID) (store.Outcome, bool) {
	o, ok := k.ids[id]
	return o, ok
}

// decide returns the outcome of one append, and the rows to write: none for an error, or for
// content that is recorded already. It adds the new events to k, because the next append of the
// group is written in the same transaction.
func (k *known) decide(a *appendCall, clock time.Time) (outcome, []row) {
	receipts, err := store.Decide(k, a.stream, a.expected, a.events)
	if err != nil || receipts != nil {
		return outcome{receipts, err}, nil
	}
	rows := make([]row, len(a.events))
	last := k.heads[a.stream]
	for i, e := range a.events {
		last = head{
			contract.Receipt{
				Version:    last.Version + 1,
				RecordedAt: contract.Stamp(clock, last.RecordedAt),
			},
			e.Ends,
		}
		receipts = append(receipts, last.Receipt)
		rows[i] = row{Event: e, Receipt: last.Receipt, digest: a.digests[i]}
		k.ids[e.ID] = store.Outcome{Stream: a.stream, Digest: rows[i].digest, Receipt: last.Receipt}
	}
	k.heads[a.stream] = last
	return outcome{receipts: receipts}, rows
}
