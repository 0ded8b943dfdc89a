package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/capstone/serve"
	"example.com/blotter/capstone/session"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/kafka/index"
)

// A job compares the log with one thing that is derived from it. It changes nothing but a read
// model, which it brings to the end of the log.
type job struct {
	name string
	find func(context.Context, *session.Session) ([]reconcile.Difference, error)
}

// jobs are the jobs that need no file.
var jobs = []job{
	{"archive", findInArchive}, {"heads", findInHeads}, {"model", findInModel},
	{"follow-ups", findFollowUps}, {"pending", findPending},
}

func jobNames() (names []string) {
	for _, j := range jobs {
		names = append(names, j.name)
	}
	return names
}

// findInArchive verifies the log against its archive. The first fault hides later ones, and ends
// the job: see reconcile.Fault.
func findInArchive(
	ctx context.Context, s *session.Session,
) (found []reconcile.Difference, err error) {
	auditor, err := s.Auditor(ctx, nil)
	if err != nil {
		return nil, err
	}
	v, err := auditor.Verify(ctx)
	if err != nil {
		return nil, err
	}
	add := func(key, field, what string) {
		found = append(found, reconcile.Difference{Job: "archive", Key: key, Field: field,
			Theirs: what})
	}
	if f := v.Fault; f != nil {
		key := "archive"
		if f.Leaf >= 0 {
			key = fmt.Sprintf("leaf %d", f.Leaf)
		}
		add(key, reconcile.Fault, f.What)
	}
	for _, o := range v.Offenders {
		add("event "+o.Position.String(), "recorded_at", o.What)
	}
	return found, nil
}

// findInHeads compares the end of each stream with its head, the index with the log, and the rows
// of the database with the feed, as far as the store has them.
func findInHeads(
	ctx context.Context, s *session.Session,
) (found []reconcile.Difference, err error) {
	heads, events, known, err := s.Heads(ctx)
	if err == nil && known {
		found, err = differences("heads", endRows(events), endRows(heads))
	}
	if err != nil {
		return nil, err
	}
	_, err = s.CheckIndex(ctx)
	if found, err = indexBreak(found, err); err != nil {
		return nil, err
	}
	strays, err := s.Strays(ctx)
	if err != nil {
		return nil, err
	}
	for _, stray := range strays {
		found = append(found, reconcile.Difference{Job: "heads", Key: stray,
			Field: reconcile.Missing, Theirs: "present"})
	}
	return found, ctx.Err()
}

// indexBreak appends the break of an index that differs. Any other error is none: the job did not
// look, and must close nothing.
func indexBreak(found []reconcile.Difference, err error) ([]reconcile.Difference, error) {
	if !errors.Is(err, session.ErrIndexDiffers) {
		return found, err
	}
	return append(found, reconcile.Difference{Job: "heads", Key: "index", Field: "events",
		Theirs: err.Error()}), nil
}

func endRows(ends map[string]index.End) (rows []reconcile.Row) {
	for stream, end := range ends {
		rows = append(rows, reconcile.Row{Key: stream, Fields: []reconcile.Field{
			{Name: "version", Value: fmt.Sprint(end.Version)},
			{Name: "ended", Value: fmt.Sprint(end.Ended)},
			{Name: "digest", Value: fmt.Sprintf("%x", end.Digest)},
		}})
	}
	return rows
}

// replayed folds the log from its beginning.
func replayed(
	ctx context.Context, system *capstone.System,
) (state trade.State, end contract.Cursor, err error) {
	if end, err = system.Log.End(ctx); err != nil {
		return state, nil, err
	}
	streams, err := system.Streams(ctx, end)
	return trade.StateOf(streams, trade.AsOf{}), end, err
}

func findInModel(ctx context.Context, s *session.Session) ([]reconcile.Difference, error) {
	model, err := s.ReadModel(ctx)
	if err != nil {
		return nil, err
	}
	return compareModel(ctx, s.System(), model)
}

// A stateModel is a read model whose rows can be read.
type stateModel interface {
	contract.Applier
	State(context.Context) (trade.State, error)
}

// compareModel compares a replay of the log with the rows of the read model. A model that takes
// events meanwhile is read again: its rows count only if it was at the end of the replay BEFORE and
// after they were read.
func compareModel(
	ctx context.Context, system *capstone.System, model stateModel,
) ([]reconcile.Difference, error) {
	const patience = 10
	for range patience {
		if err := system.CatchUp(ctx, model); err != nil {
			return nil, err
		}
		ours, end, err := replayed(ctx, system)
		if err != nil {
			return nil, err
		}
		before, err := model.Cursor(ctx)
		if err != nil {
			return nil, err
		}
		theirs, err := model.State(ctx)
		if err != nil {
			return nil, err
		}
		at, err := model.Cursor(ctx)
		if err != nil {
			return nil, err
		}
		if slices.Equal(before, end) && slices.Equal(at, end) {
			return differences("model", reconcile.StateRows(ours), reconcile.StateRows(theirs))
		}
	}
	return nil, fmt.Errorf("the log grew during each of %d readings", patience)
}

func findFollowUps(
	ctx context.Context, s *session.Session,
) (found []reconcile.Difference, err error) {
	orphaned, err := s.System().FollowUps.Orphaned(ctx)
	if err != nil {
		return nil, err
	}
	missing := slices.DeleteFunc(slices.Clone(orphaned), func(f capstone.OrphanedFollowUp) bool {
		return f.Refusal != nil
	})
	if missing, err = stillMissing(ctx, s.Log, missing, issuing); err != nil {
		return nil, err
	}
	orphaned = slices.DeleteFunc(orphaned, func(f capstone.OrphanedFollowUp) bool {
		return f.Refusal == nil
	})
	for _, f := range slices.Concat(orphaned, missing) {
		o := serve.OrphansOf([]capstone.OrphanedFollowUp{f})[0]
		found = append(found, reconcile.Difference{Job: "follow-ups", Key: o.UTI,
			Field: "follow-up", Ours: fmt.Sprintf("%s, by event %s", o.Owed, o.Cause),
			Theirs: o.Why})
	}
	return found, nil
}

// pendingFor is how long a command may wait for its approval before that is a break.
const pendingFor = time.Hour

func findPending(ctx context.Context, s *session.Session) ([]reconcile.Difference, error) {
	return lateApprovals(ctx, s.System())
}

func lateApprovals(
	ctx context.Context, system *capstone.System,
) (found []reconcile.Difference, err error) {
	waiting, err := serve.Waiting(ctx, system)
	if err != nil {
		return nil, err
	}
	now, err := system.Now(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range waiting {
		if now.Known.Sub(p.KnownAt) > pendingFor {
			found = append(found, reconcile.Difference{Job: "pending", Key: p.CommandID,
				Field: "approval", Ours: "sent by " + p.Actor})
		}
	}
	return found, nil
}
