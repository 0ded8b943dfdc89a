package capstone

import (
	"context"
	"errors"
	"slices"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
)

// A turn is the place of one line in an import that keeps the order of its lines (Importer.Lane).
// In each of its lanes, the events of the line get their places in the log after those of all
// earlier lines and before those of all later ones. So the store gives them the same recorded times
// as if the lines came one by one, and the partitions still commit side by side.
type turn struct {
	before   []*turn       // the turns right before it, in each of its lanes
	taken    chan struct{} // closed when the line has its places
	recorded chan struct{} // closed when this line and all before it, in its lanes, are recorded
}

// awaitTaken waits until the earlier lines have their places. The line appends no event before.
func (t *turn) awaitTaken(ctx context.Context) error {
	for _, earlier := range t.before {
		if err := await(ctx, earlier.taken); err != nil {
			return err
		}
	}
	return nil
}

// awaitRecorded waits until the earlier lines are recorded.
func (t *turn) awaitRecorded(ctx context.Context) error {
	for _, earlier := range t.before {
		if err := await(ctx, earlier.recorded); err != nil {
			return err
		}
	}
	return nil
}

func await(ctx context.Context, done <-chan struct{}) error {
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// pass lets the later lines go on. It comes after awaitTaken. Only the first call has an effect.
func (t *turn) pass() {
	select {
	case <-t.taken:
	default:
		close(t.taken)
	}
}

// end ends the turn of a line that is done, unless that failed: no later line may overtake it. A
// line that appended nothing still waits for the earlier ones.
func (t *turn) end(ctx context.Context, failed error) {
	if failed != nil || t.awaitTaken(ctx) != nil {
		return
	}
	t.pass()
	if t.awaitRecorded(ctx) == nil {
		close(t.recorded)
		t.before = nil // or each turn would keep all earlier ones
	}
}

type turnOf struct{}

// errOrderLost stops an import: a store did not record an append that it had queued.
var errOrderLost = errors.New("the order of the lines was lost: import again")

// inTurn waits for the turn of the line that ctx belongs to, if it has one. It returns the context
// of an append. If the line appends no more after this, the turn passes as soon as the store has
// queued the append. Otherwise it passes at the end of the line.
//
// A line that appends more waits until the earlier lines are RECORDED. A crash may lose an append
// that is only queued. If it left the first event of this line, the next sweep would append the
// follow-ups of that event before the earlier lines come again.
//
// A line whose turn has passed cannot append once more, as it would after a fence: later lines may
// have the places after it. Those that are recorded by then keep their times.
func inTurn(ctx context.Context, last bool) (context.Context, error) {
	t, ok := ctx.Value(turnOf{}).(*turn)
	if !ok {
		return ctx, nil
	}
	select {
	case <-t.taken:
		return ctx, errOrderLost
	default:
	}
	if !last {
		return ctx, t.awaitRecorded(ctx)
	}
	return contract.OnQueued(ctx, t.pass), t.awaitTaken(ctx)
}

// turn returns the turn of a line with these names, which are linked already; nil if the order of
// the lines does not matter. The line has the lanes of all contracts that are linked with its own:
// its follow-ups may reach them.
func (q *queue) turn(names []string) *turn {
	if q.lane == nil {
		return nil
	}
	root := q.shared(names[0])
	all := q.lanes[root]
	for _, name := range names {
		if !lines.IsCommand(name) {
			all = union(all, []int32{q.lane(name)})
		}
	}
	if len(names) > ownNames {
		q.lanes[root] = all
	}
	t := &turn{taken: make(chan struct{}), recorded: make(chan struct{})}
	for _, lane := range all {
		if before := q.turns[lane]; before != nil {
			t.before = append(t.before, before)
		}
		q.turns[lane] = t
	}
	return t
}

// union returns the lanes of a and b, each once.
func union(a, b []int32) []int32 {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}
