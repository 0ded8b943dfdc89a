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
	// The heads are read before the ids, each with a snapshot of its own. The other way round, an event that commits in
	// between would be a conflict to its own retry.
	selectHeads = `select s.stream, e.version, e.recorded_at, e.ends from unnest($1::text[]) as s (stream)
		cross join lateral (select version, recorded_at, ends from events where events.stream = s.stream order by version desc limit 1) as e`
	selectIDs = `select id, stream, version, recorded_at, digest from events where id = any($1::uuid[])`
)

// attempt writes a group in one transaction of two round trips: read and decide, insert and commit. With an error, nothing
// is known of any member; without one, each has its outcome, and what was acknowledged is durable.
//
// What is asked is only what has to be: where a stream stands, unless its caller says that it does not exist; whether an id is there already, of
// appends at any version and of those whose version is not the stream's. For the rest the unique constraints answer, and an attempt that fails by
// them has to be made again, thorough: then all is asked.
//
// What a crash means, ours or the server's: before the commit nothing is there; after it, all of it, and a retry finds it.
func (s *Store) attempt(group []*appending, thorough bool) ([]outcome, error) {
	conn, err := s.pool.Acquire(s.ctx)
	if err != nil {
		return nil, err
	}
	defer s.giveBack(conn)
	log, err := s.begin(conn, group, thorough)
	if err != nil {
		return nil, fmt.Errorf("read heads: %w", err)
	}
	outcomes := make([]outcome, len(group))
	var rows []row
	for i, a := range group {
		// The clock is read only now, with the time of begin already announced: see Frontier.
		decided, more := log.decide(a, s.stamp(a))
		outcomes[i], rows = decided, append(rows, more...)
	}
	if len(rows) == 0 {
		return outcomes, nil
	}
	var batch pgx.Batch
	batch.Queue(insertEvents, arrays(rows)...)
	batch.Queue("commit")
	if err := conn.SendBatch(s.ctx, &batch).Close(); err != nil {
		return nil, fmt.Errorf("insert %d events: %w", len(rows), err)
	}
	return outcomes, nil
}

// begin opens the transaction, announces it to Frontier, and reads what deciding needs.
func (s *Store) begin(conn *pgxpool.Conn, group []*appending, thorough bool) (*known, error) {
	log := &known{heads: map[string]head{}, ids: map[uuid.UUID]store.Outcome{}}
	var batch pgx.Batch
	batch.Queue("begin")
	batch.Queue(announce, s.schema, s.earliest(group))
	if streams := streamsOf(group, thorough); len(streams) > 0 {
		batch.Queue(selectHeads, streams).Query(log.readHeads)
	}
	if ids := idsOf(group, func(a *appending) bool { return thorough || a.expected == contract.Any }); len(ids) > 0 {
		batch.Queue(selectIDs, ids).Query(log.readIDs)
	}
	answers := conn.SendBatch(s.ctx, &batch)
	for _, a := range group {
		a.prepare()
	}
	if err := answers.Close(); err != nil || thorough {
		return log, err
	}
	ids := idsOf(group, func(a *appending) bool {
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

func streamsOf(group []*appending, thorough bool) []string {
	var streams []string
	for _, a := range group {
		if thorough || a.expected != 0 {
			streams = append(streams, a.stream)
		}
	}
	return streams
}

func idsOf(group []*appending, which func(*appending) bool) []uuid.UUID {
	var ids []uuid.UUID
	for _, a := range group {
		if which(a) {
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
	_, err := pgx.ForEachRow(rows, []any{&stream, &h.Version, &h.RecordedAt, &h.ended}, func() error {
		h.RecordedAt = h.RecordedAt.UTC()
		k.heads[stream] = h
		return nil
	})
	return err
}

func (k *known) readIDs(rows pgx.Rows) error {
	var id uuid.UUID
	var o store.Outcome
	var digest []byte
	_, err := pgx.ForEachRow(rows, []any{&id, &o.Stream, &o.Receipt.Version, &o.Receipt.RecordedAt, &digest}, func() error {
		o.Receipt.RecordedAt = o.Receipt.RecordedAt.UTC()
		copy(o.Digest[:], digest)
		k.ids[id] = o
		return nil
	})
	return err
}

// giveBack returns a connection to the pool, out of any transaction.
func (s *Store) giveBack(conn *pgxpool.Conn) {
	if pg := conn.Conn().PgConn(); !pg.IsClosed() && pg.TxStatus() != 'I' {
		ctx, cancel := context.WithTimeout(s.ctx, 5*time.Second)
		defer cancel()
		if _, err := conn.Exec(ctx, "rollback"); err != nil {
			s.log.Warn("append: rollback", "error", err)
		}
	}
	conn.Release()
}
