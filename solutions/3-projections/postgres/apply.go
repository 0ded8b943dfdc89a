package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
	"example.com/blotter/solutions/3-projections/readmodel"
)

// A folding folds new events into the rows. It keeps the streams and pools that it has folded, as
// they are in the tables, and reads those that it lacks. So an event costs little more than its
// rows.
type folding struct {
	codec       contract.Codec
	streams     map[string]*stream
	pools       map[trade.PoolKey]*ledger
	instruments map[string]bool // in the table
	kept        int             // events and legs, about
}

// mostKept bounds the memory of a folding, which forgets all streams and pools when it has more.
const mostKept = 100_000

func newFold(codec contract.Codec) *folding {
	f := &folding{codec: codec, instruments: map[string]bool{}}
	f.forget()
	return f
}

func (f *folding) forget() {
	f.streams, f.pools, f.kept = map[string]*stream{}, map[trade.PoolKey]*ledger{}, 0
}

// A stream is a folded stream, and what the tables have of it.
type stream struct {
	*trade.Stream
	legs     []trade.Leg // of its contract
	listed   bool        // trades may have a row
	setAside bool        // parked may have rows
}

// Apply reads all that it needs, folds, and then writes. Pools come last, because a late leg
// refolds all legs after it. The number of statements does not grow with the events.
func (f *folding) Apply(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) error {
	continued, err := f.read(ctx, tx, fresh)
	if err != nil {
		return err
	}
	rows := newChanges()
	if err := f.take(ctx, rows, fresh, continued); err != nil {
		return err
	}
	if err := rows.addTrades(f.streams); err != nil {
		return err
	}
	rows.addCurves(f.streams, continued)
	if err := f.refoldPools(ctx, tx, rows); err != nil {
		return fmt.Errorf("refold pools: %w", err)
	}
	if err := rows.write(ctx, tx); err != nil {
		return err
	}
	if err := f.insertInstruments(ctx, tx, rows.pools); err != nil {
		return fmt.Errorf("insert instruments: %w", err)
	}
	if f.kept > mostKept {
		f.forget()
	}
	return nil
}

// read reads the streams of fresh events that f lacks. Of a continued curve only the last earlier
// event is read, which states the currency of all: it is returned, and not kept.
func (f *folding) read(ctx context.Context, tx pgx.Tx, fresh []contract.Recorded) (
	map[string]readmodel.History, error) {
	lacking := map[string][]contract.Recorded{}
	for _, r := range fresh {
		if f.streams[r.Stream] == nil {
			lacking[r.Stream] = append(lacking[r.Stream], r)
		}
	}
	if len(lacking) == 0 {
		return nil, nil
	}
	continued, err := continuedCurves(ctx, tx, lacking)
	if err != nil {
		return nil, err
	}
	if err := f.readLast(ctx, tx, continued); err != nil {
		return nil, err
	}
	maps.DeleteFunc(lacking, func(name string, _ []contract.Recorded) bool {
		_, ok := continued[name]
		return ok
	})
	return continued, f.readStreams(ctx, tx, sortedKeys(lacking))
}

func (f *folding) readStreams(ctx context.Context, tx pgx.Tx, names []string) error {
	for _, name := range names {
		f.streams[name] = &stream{Stream: trade.NewStream(name)}
	}
	for e, err := range readmodel.Events(ctx, tx, f.codec, "WHERE stream = ANY($1)", names) {
		if err != nil {
			return err
		}
		s := f.streams[e.Stream]
		if err := s.Take(e.Event); err != nil {
			return err
		}
		s.listed, s.setAside = true, true
		f.kept++
	}
	// A program that reads more than the one before has more legs than the tables: compare those.
	legs, err := legsOf(ctx, tx, slices.DeleteFunc(names, func(name string) bool {
		return f.streams[name].Version() == 0
	}))
	for name, of := range legs {
		f.streams[name].legs = of
	}
	return err
}

// readLast adds the last event of the model to histories that skip the events before it. The event
// stands in its slot, since no later one corrects it. So it may stand alone, as an own mark.
func (f *folding) readLast(ctx context.Context, tx pgx.Tx,
	streams map[string]readmodel.History) error {
	if len(streams) == 0 {
		return nil
	}
	names := sortedKeys(streams)
	var versions []int64
	for _, name := range names {
		versions = append(versions, streams[name].Next())
	}
	const last = "WHERE (stream, version) IN (SELECT * FROM unnest($1::text[], $2::bigint[]))"
	for e, err := range readmodel.Events(ctx, tx, f.codec, last, names, versions) {
		if err != nil {
			return err
		}
		e.Event.Corrects = uuid.Nil
		streams[e.Stream] = streams[e.Stream].With(e.Event)
	}
	return nil
}

// take adds fresh events to their streams, and the refusals among them to rows.
func (f *folding) take(ctx context.Context, rows *changes, fresh []contract.Recorded,
	continued map[string]readmodel.History) error {
	for _, r := range fresh {
		earlier, isContinued := continued[r.Stream]
		next := earlier.Next()
		if !isContinued {
			next = f.streams[r.Stream].Version() + 1
		}
		if err := projection.CheckVersion(r, next); err != nil {
			return err
		}
		e, err := contract.Decoded(ctx, f.codec, r)
		if err != nil {
			return err
		}
		if refused, ok := e.Body.(trade.CommandRefused); ok {
			rows.refusals.Add(r.Stream, r.Version, refused.CommandID, string(refused.Rule),
				refused.Detail, r.RecordedAt)
		}
		rows.streams[r.Stream] = true
		f.kept++
		if isContinued {
			continued[r.Stream] = earlier.With(e)
		} else if err := f.streams[r.Stream].Take(e); err != nil {
			return err
		}
	}
	return nil
}

// sortedKeys makes a batch run the same statements each time.
func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
