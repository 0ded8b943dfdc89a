// Package projection keeps read models up to date with the log.
//
// A projection is a fold that stores its cursor. The log is read from the model's cursor, and each
// batch is applied in one transaction with the cursor after it. After any crash the model is
// therefore that of a prefix of the feed, and reading on from its cursor repairs it.
//
//	Reader ── Project ──▶ Projection.Apply(events, cursor after them)
//
// The adapters are in packages below: postgres keeps the model in tables, memory in a map, and
// plain is built like Lab 3. All pass the suite projectiontest. Package readmodel is the common
// part of the models in Postgres.
//
// As-of questions need no model of their own: AsOf folds the events that were recorded by then.
package projection

import (
	"context"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Project applies the events before the cursor to, in batches of about size events. When it returns
// nil, the model has every event before to, and its cursor is to. The position of the last event is
// not enough for that, because offsets may have holes. Without new events nothing is written.
//
// A batch ends before an append to several streams that it would cut, so that no model has a part
// of one (L2.I17).
//
// A batch takes an equal share of every partition, so that the batches follow the order of time.
// Taking one partition after the other would bring legs from all of history with each partition,
// and every batch would fold the pools again from near their beginning.
//
// A crash between two batches leaves the model after the first of them. Project then continues
// there.
//
// Project returns *contract.AheadError for a model that has more events than the log. Such a model
// does not follow from the log, and it would ignore the next events.
//
// Several processes may project one model. Of a contract.Sharer that is far behind they take
// different partitions. A process that finds none free projects the rest, and waits for the rows of
// partitions that another one moves.
func Project(ctx context.Context, log contract.Reader, p contract.Applier, to contract.Cursor,
	size int) error {
	begin, err := p.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("read the model's cursor: %w", err)
	}
	if s, ok := p.(contract.Sharer); ok && begin.Distance(to) > int64(size) {
		if err := projectFree(ctx, log, s, to, size); err != nil {
			return err
		}
		if begin, err = p.Cursor(ctx); err != nil {
			return fmt.Errorf("read the model's cursor: %w", err)
		}
	}
	// A process that had claimed the rest may be stopped, so nobody waits for it.
	return projectFrom(ctx, log, p, begin, to, size)
}

// projectFree projects the partitions that no other process has claimed. A crash ends the claims,
// and the model has whole batches: another process goes on after them.
func projectFree(ctx context.Context, log contract.Reader, s contract.Sharer,
	to contract.Cursor, size int) error {
	for {
		free, release, err := s.Claim(ctx, to, int64(size))
		if err != nil || free == nil {
			return err
		}
		err = projectClaimed(ctx, log, s, free, size)
		release()
		if err != nil {
			return err
		}
	}
}

func projectClaimed(ctx context.Context, log contract.Reader, s contract.Sharer,
	free contract.Cursor, size int) error {
	begin, err := s.Cursor(ctx)
	if err != nil {
		return fmt.Errorf("read the model's cursor: %w", err)
	}
	return projectFrom(ctx, log, s, begin, free, size)
}

// projectFrom projects the events between the model's cursor and to.
func projectFrom(ctx context.Context, log contract.Reader, p contract.Applier,
	begin, to contract.Cursor, size int) error {
	if err := checkNotAhead(ctx, log, begin, to); err != nil {
		return err
	}
	batches := (begin.Distance(to) + int64(size) - 1) / int64(size)
	cursors := []contract.Cursor{begin}
	for n := range batches {
		cursors = append(cursors, begin.Share(to, n+1, batches))
	}
	for b, err := range readAhead(ctx, log, cursors, to, max(1, atOnce/size)) {
		if err != nil {
			return err
		}
		if err := p.Apply(ctx, b.events, b.next); err != nil {
			return err
		}
	}
	return nil
}

// checkNotAhead returns *contract.AheadError if a model at cursor has events that are not in the
// log. A cursor past to is not enough: another process may have applied events since the caller
// asked for to. Only an end that is asked for AFTER the cursor decides.
func checkNotAhead(ctx context.Context, log contract.Reader, cursor, to contract.Cursor) error {
	if cursor.Ahead("the read model", to) == nil {
		return nil
	}
	end, err := log.End(ctx)
	if err != nil {
		return fmt.Errorf("ask for the end of the log: %w", err)
	}
	return cursor.Ahead("the read model", end)
}

// A batch is the events before a cursor and after that of the batch before.
type batch struct {
	events []contract.Recorded
	next   contract.Cursor
}

// atOnce is the number of events that are read together, once the first batches have succeeded. To
// begin to read costs a log as much as hundreds of events.
const atOnce = 10_000

// read reads the batches between cursors, which ascend. It moves a cursor back that cuts an append;
// none at end does.
func read(
	ctx context.Context, log contract.Reader, cursors []contract.Cursor, end contract.Cursor,
) ([]batch, error) {
	from, to := cursors[0], cursors[len(cursors)-1]
	var events []contract.Recorded
	for r, err := range log.Read(ctx, from, to) {
		if err != nil {
			return nil, fmt.Errorf("read the log from %s: %w", from, err)
		}
		events = append(events, r)
	}
	last, err := contract.Whole(ctx, log, to, end, contract.Groups(events))
	if err != nil {
		return nil, fmt.Errorf("read the log from %s: %w", to, err)
	}
	var batches []batch
	cut := cutter(events)
	for _, c := range cursors[1 : len(cursors)-1] {
		batches = append(batches, batch{next: cut(c).Min(last)})
	}
	batches = append(batches, batch{next: last})
	for _, r := range events {
		i := slices.IndexFunc(batches, func(b batch) bool { return b.next.Covers(r.Position) })
		if i >= 0 { // else it is the beginning of an append that to cuts
			batches[i].events = append(batches[i].events, r)
		}
	}
	return batches, nil
}

// cutter returns a function that moves a cursor back before an append of events that it cuts.
func cutter(events []contract.Recorded) func(contract.Cursor) contract.Cursor {
	type run struct {
		group       uuid.UUID
		first, last int64
	}
	runs := map[int32][]run{} // of events with one append group
	for _, r := range events {
		all := runs[r.Position.Partition]
		if n := len(all); n > 0 && all[n-1].group == r.AppendGroup {
			all[n-1].last = r.Position.Offset
		} else if r.AppendGroup != uuid.Nil {
			all = append(all, run{r.AppendGroup, r.Position.Offset, r.Position.Offset})
		}
		runs[r.Position.Partition] = all
	}
	return func(c contract.Cursor) contract.Cursor {
		whole := slices.Clone(c)
		for p, all := range runs {
			for _, r := range all {
				if r.first < c.At(p) && c.At(p) <= r.last {
					whole[p] = r.first
				}
			}
		}
		return whole
	}
}

// Fresh returns the events that a model at cursor has not taken yet (L3.I2).
func Fresh(events []contract.Recorded, cursor contract.Cursor) []contract.Recorded {
	seen := func(r contract.Recorded) bool { return cursor.Covers(r.Position) }
	return slices.DeleteFunc(slices.Clone(events), seen)
}

// CheckVersion returns a *contract.DamagedError unless r has the next version of its stream. A feed
// that skips or repeats an event is not the log. A model that applied it would be wrong without any
// sign of it.
func CheckVersion(r contract.Recorded, next int64) error {
	if r.Version == next {
		return nil
	}
	what := fmt.Sprintf("%s has version %d here, want %d: the feed skipped or repeated an event",
		r.Stream, r.Version, next)
	return &contract.DamagedError{Position: r.Position, What: what}
}

// AsOf returns the state as known and as effective at two times. It folds the events of p from
// scratch. For the zero AsOf, p's own rows are the answer.
//
// The caller compares at.Known with the log's frontier (contract.Reader).
func AsOf(ctx context.Context, p contract.ModelEvents, at trade.AsOf) (trade.State, error) {
	streams := map[string][]trade.Event{}
	for e, err := range p.Events(ctx) {
		if err != nil {
			return trade.State{}, fmt.Errorf("read the model's events: %w", err)
		}
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	return trade.StateOf(streams, at), nil
}
