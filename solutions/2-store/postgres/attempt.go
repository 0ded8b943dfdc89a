package postgres

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
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
	selectIDs = `select id, stream, version, recorded_at, digest, append_group
		from events where id = any($1::uuid[])`
	holdPlaces = `select held_place, held_latest from hold_places($1)`
	notePlaces = `select note_places($1, $2)`
)

// attempt writes a group in one transaction of two round trips: read and decide, insert and commit.
// After an error the outcome of every member is unknown. Without an error each member has its
// outcome, and acknowledged events are durable.
//
// An attempt reads only:
//   - the head of a stream, unless its caller expects a new stream;
//   - the ids of appends at any version, and of appends whose expected version or guard is not that
//     of the stream.
//
// Of streams that share a place, it first locks the place until the end of the transaction.
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

// insert writes rows and commits, in one round trip. A COPY of streams that share a place takes
// another one.
func (s *Store) insert(conn *pgxpool.Conn, rows []row) error {
	var batch pgx.Batch
	places, streams := noted(rows)
	switch {
	case len(rows) <= fewRows:
		batch.Queue(insertEvents, arrays(rows)...)
	case len(places) == 0:
		return copyRows(s.ctx, conn.Conn().PgConn(), rows, copyAndCommit)
	default:
		if err := copyRows(s.ctx, conn.Conn().PgConn(), rows, copyEvents); err != nil {
			return err
		}
	}
	if len(places) > 0 {
		batch.Queue(notePlaces, places, streams)
	}
	batch.Queue("commit")
	return conn.SendBatch(s.ctx, &batch).Close()
}

// begin opens the transaction, announces it to Frontier, and reads the heads and ids.
func (s *Store) begin(conn *pgxpool.Conn, group []*appendCall, thorough bool) (*known, error) {
	log := &known{
		heads: map[string]head{}, ids: map[uuid.UUID]store.Outcome{},
		places: map[string]time.Time{},
	}
	var batch pgx.Batch
	batch.Queue("begin")
	batch.Queue(announce, s.schema, s.earliest(group))
	if places := placesOf(group); len(places) > 0 {
		batch.Queue(holdPlaces, places).Query(log.readPlaces)
	}
	// AFTER the announcement and the locks, and with a snapshot of its own: see frontier.go.
	batch.Queue(selectFrontier).QueryRow(func(row pgx.Row) error { return row.Scan(&log.until) })
	if streams := streamsOf(group, thorough); len(streams) > 0 {
		batch.Queue(selectHeads, streams).Query(log.readHeads)
	}
	asked := func(a *appendCall) bool { return thorough || a.anyVersion() }
	if ids := idsWhere(group, asked); len(ids) > 0 {
		batch.Queue(selectIDs, ids).Query(log.readIDs)
	}
	answers := conn.SendBatch(s.ctx, &batch)
	for _, a := range group {
		a.prepare()
	}
	if err := answers.Close(); err != nil || thorough {
		return log, err
	}
	ids := idsWhere(group, func(a *appendCall) bool { return !asked(a) && !log.fits(a) })
	if len(ids) == 0 {
		return log, nil
	}
	rows, err := conn.Query(s.ctx, selectIDs, ids)
	if err != nil {
		return nil, err
	}
	return log, log.readIDs(rows)
}

// anyVersion reports whether a part of the append has no condition.
func (a *appendCall) anyVersion() bool {
	return slices.ContainsFunc(a.parts, func(part contract.StreamAppend) bool {
		return part.Expected == contract.Any
	})
}

// fits reports whether all streams have the versions that the append names.
func (k *known) fits(a *appendCall) bool {
	for _, part := range a.parts {
		if part.Expected != k.heads[part.Stream].Version {
			return false
		}
	}
	for _, g := range a.guards {
		if g.Version != k.heads[g.Stream].Version {
			return false
		}
	}
	return true
}

// placesOf returns the places that the streams of a group share with others, each once.
func placesOf(group []*appendCall) []string {
	var places []string
	for _, a := range group {
		if first := a.parts[0].Stream; contract.Grouped(first) {
			if place := contract.PlaceOf(first); !slices.Contains(places, place) {
				places = append(places, place)
			}
		}
	}
	return places
}

func streamsOf(group []*appendCall, thorough bool) []string {
	var streams []string
	for _, a := range group {
		for _, part := range a.parts {
			if thorough || part.Expected != 0 {
				streams = append(streams, part.Stream)
			}
		}
		for _, g := range a.guards {
			streams = append(streams, g.Stream)
		}
	}
	return streams
}

func idsWhere(group []*appendCall, include func(*appendCall) bool) []uuid.UUID {
	var ids []uuid.UUID
	for _, a := range group {
		if !include(a) {
			continue
		}
		for _, part := range a.parts {
			for i := range part.Events {
				ids = append(ids, part.Events[i].ID)
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

func (k *known) readPlaces(rows pgx.Rows) error {
	var place string
	var latest *time.Time
	_, err := pgx.ForEachRow(rows, []any{&place, &latest}, func() error {
		k.places[place] = value(latest)
		return nil
	})
	return err
}

func (k *known) readIDs(rows pgx.Rows) error {
	var id uuid.UUID
	var group pgtype.UUID
	var o store.Outcome
	var digest []byte
	_, err := pgx.ForEachRow(
		rows,
		[]any{&id, &o.Stream, &o.Receipt.Version, &o.Receipt.RecordedAt, &digest, &group},
		func() error {
			o.Group = group.Bytes
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
	heads  map[string]head // of each known stream
	ids    map[uuid.UUID]store.Outcome
	places map[string]time.Time // the latest time of each place that is locked
	until  *time.Time           // the frontier on record
}

// past returns the clock's time, or the first time after the frontier on record if that is later.
func (k *known) past(clock time.Time) time.Time {
	if value(k.until).IsZero() || clock.After(*k.until) {
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
	receipts, err := k.answer(a)
	if err != nil || receipts != nil {
		return outcome{receipts, err}, nil
	}
	rows, digests := make([]row, 0, len(a.digests)), a.digests
	at := contract.Stamp(clock, k.last(a))
	for _, part := range a.parts {
		var got []contract.Receipt
		for _, e := range part.Events {
			if !a.atomic && len(got) > 0 {
				at = contract.Stamp(clock, at)
			}
			r := k.record(e, digests[0], at)
			rows, got, digests = append(rows, r), append(got, r.Receipt), digests[1:]
		}
		receipts = append(receipts, got)
	}
	return outcome{receipts: receipts}, rows
}

// answer decides an append.
func (k *known) answer(a *appendCall) ([][]contract.Receipt, error) {
	if a.atomic {
		return store.DecideAll(k, a.parts, a.guards)
	}
	part := a.parts[0]
	receipts, err := store.Decide(k, part.Stream, part.Expected, part.Events)
	if err != nil || receipts == nil {
		return nil, err
	}
	return [][]contract.Receipt{receipts}, nil
}

// last returns the latest time of the streams and guards of an append, and of their place.
func (k *known) last(a *appendCall) time.Time {
	last := k.places[contract.PlaceOf(a.parts[0].Stream)]
	for _, stream := range store.StreamsOf(a.parts, a.guards) {
		if at := k.heads[stream].RecordedAt; at.After(last) {
			last = at
		}
	}
	return last
}

// record adds a new event to k, and returns its row.
func (k *known) record(e contract.Event, digest [32]byte, at time.Time) row {
	receipt := contract.Receipt{Version: k.heads[e.Stream].Version + 1, RecordedAt: at}
	k.heads[e.Stream] = head{receipt, e.Ends}
	k.ids[e.ID] = store.Outcome{
		Stream: e.Stream, Digest: digest, Receipt: receipt, Group: e.AppendGroup,
	}
	if contract.Grouped(e.Stream) {
		k.places[contract.PlaceOf(e.Stream)] = at
	}
	return row{Event: e, Receipt: receipt, digest: digest}
}

// noted returns the places that streams of the rows share, and of each the stream of its latest
// row: times of one place rise.
func noted(rows []row) (places, streams []string) {
	latest := map[string]string{}
	for i := range rows {
		if stream := rows[i].Stream; contract.Grouped(stream) {
			latest[contract.PlaceOf(stream)] = stream
		}
	}
	for place, stream := range latest {
		places, streams = append(places, place), append(streams, stream)
	}
	return places, streams
}
