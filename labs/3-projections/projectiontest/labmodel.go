package projectiontest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

// errCrash ends a process.
var errCrash = errors.New("the process was killed here")

// A crash kills a process before its n-th statement, or at a statement by name. Every later
// statement of the process fails, too.
type crash struct {
	mu   sync.Mutex
	n    int    // zero for never
	at   string // empty for never
	said string // the statement of the crash; empty before
}

func (c *crash) hook(_ context.Context, statement string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.said != "" {
		return errCrash
	}
	if c.n--; c.n == 0 || statement == c.at {
		c.said = statement
		return errCrash
	}
	return nil
}

var crashing = []labSpec{
	{Check: check.Check{
		ID: "L3.11", Points: 4, Invariant: "L3.I1", Operation: apply,
		Title: "a crash between any two statements leaves rows and cursor of the same moment",
		Hint:  "count the commits in Apply, and look for a write outside of t",
		More: "begin, defer rollback, lockCursor, Advance, store, moveCursor, commit: one of " +
			"each, in this order, all on the same t",
		Misconception: "that rows and cursor may be written one after the other",
	}, on: killedBetweenStatements},
	{Check: check.Check{
		ID: "L3.12", Points: 2, Invariant: "L3.I1", Operation: apply,
		Title: "a batch whose commit landed without an answer counts once",
		Hint: "the caller applies the batch again: read the cursor inside the transaction, and " +
			"drop the events that it covers",
		More: "return the error of commit as it is; the next Apply of the same batch finds " +
			"the new cursor in lockCursor, and Advance drops every event",
		Misconception: "that an error of commit means that nothing was written",
	}, on: killedAfterCommit},
}

func killedBetweenStatements(t *labTrial) {
	log := History(25+t.Seed(), 40, 2)
	reading := t.open(nil)
	for from := 0; from < len(log.Events); from += 20 {
		batch, next := log.Events[from:from+20], after(nil, log.Events[:from+20])
		for n := 1; ; n++ {
			c := &crash{n: n}
			err := t.killed(c, func(m *labModel) error {
				return m.Apply(t.Context(), batch, next)
			})
			if c.said == "" {
				require.NoError(t, err, "apply without a crash")
				break
			}
			when := fmt.Sprintf("after a crash before statement %d of Apply (%s)", n, c.said)
			if c.said == "committed" {
				when = "after a crash after the commit"
			}
			require.Error(t, err, "%s: Apply returned no error", when)
			reached := reading.requirePrefix(log, when)
			require.Contains(t, []string{after(nil, log.Events[:from]).String(), next.String()},
				reached.String(), "%s: the cursor is that of no batch", when)
		}
		require.Equal(t, next, reading.requirePrefix(log, "after Apply"))
	}
}

func killedAfterCommit(t *labTrial) {
	log := History(26+t.Seed(), 90, 2)
	next := after(nil, log.Events[:45])
	c := &crash{at: "committed"}
	require.Error(t, t.open(c.hook).Apply(t.Context(), log.Events[:45], next),
		"the answer to the commit was lost, and Apply returned no error")
	m := t.open(nil)
	require.Equal(t, next, m.cursor(), "the commit landed")
	m.apply(log.Events[:45], next)
	m.requireFold(log.Events[:45])
	m.apply(log.Events[30:], after(nil, log.Events))
	m.requireFold(log.Events)
}

var replacing = []labSpec{
	{Check: check.Check{
		ID: "L3.16", Points: 3, Invariant: "L3.I5", Operation: rebuild,
		Title: "a rebuilt model is the fold of the whole log, whatever the live model held",
		Hint: "build on m.beside(ctx), never on the live tables; catchUp brings a model to the " +
			"end of a log",
		More: "next, err := m.beside(ctx); catchUp(ctx, log, next, size); then a transaction " +
			"on m.tables: lockCursor, replace(ctx, next.tables), commit",
		Misconception: "that a rebuild can repair the live rows in place",
	}, on: rebuilt},
	{Check: check.Check{
		ID: "L3.17", Points: 3, Invariant: "L3.I5", Operation: rebuild,
		Title: "readers see the old model or the new one, and the cursor never goes back",
		Hint: "the live model may have grown while the new one was built: lock its cursor, catch " +
			"up once more, and only then replace it and commit",
		More: "between lockCursor and replace: catchUp(ctx, log, next, size) again. The " +
			"transaction locks the live model, and not next, so next takes events. If L3.21 " +
			"fails, too, mend Apply first: it must wait for the lock that Rebuild holds",
		Misconception: "that the log stands still during a rebuild",
	}, on: readWhileRebuilding},
	{Check: check.Check{
		ID: "L3.18", Points: 3, Invariant: "L3.I5", Operation: rebuild,
		Title: "a crash during a rebuild leaves a whole model, and the next rebuild succeeds",
		Hint: "nothing of the live model may change before the one commit that replaces it; an " +
			"earlier rebuild may have left its tables",
		More: "all catching up is in transactions of next; the transaction on m.tables has " +
			"the lock, replace and commit only, with defer rollback",
		Misconception: "that a rebuild which began will also end",
	}, on: killedWhileRebuilding},
	{Check: check.Check{
		ID: "L3.19", Points: 2, Invariant: "L3.I7", Operation: snapshot,
		Title: "a snapshot has the rows and the cursor of one moment",
		Hint: "m.tables.read returns both from one transaction; a cursor that is read by another " +
			"call may be of another moment",
		More: "return what m.tables.read reads: snapshot{snapshotFormat, all}.encode(). If " +
			"Snapshot does that, look at Restore: the check calls it, too",
		Misconception: "that two reads in a row see the same model",
	}, on: snapshotOfOneMoment},
	{Check: check.Check{
		ID: "L3.20", Points: 3, Invariant: "L3.I7", Operation: restore,
		Title: "a restored model continues from its cursor; another format is refused",
		Hint:  "load the rows into a model beside the live one, with their cursor",
		More: "decodeSnapshot; compare s.Format with snapshotFormat; next := m.beside; then " +
			"the same swap as in Rebuild, with next.load(ctx, s.Rows) in the place of the " +
			"last catchUp",
		Misconception: "that a snapshot fits every version of the program",
	}, on: restored},
}

func rebuilt(t *labTrial) {
	log := History(27+t.Seed(), 120, 2)
	m := t.open(nil)
	wrong := History(28+t.Seed(), 60, 2)
	m.apply(wrong.Events, after(nil, wrong.Events)) // a model of another log
	require.NoError(t, m.rebuild(log, 50))
	require.Equal(t, log.end, m.requirePrefix(log, "after the rebuild"))
	require.NoError(t, m.rebuild(log, 1000), "a second rebuild")
	require.Equal(t, log.end, m.requirePrefix(log, "after a second rebuild"))
}

// A growingLog has an earlier end when it is asked first. So the live model has more events than
// the new one after its first catch-up.
type growingLog struct {
	*Log
	first, now contract.Cursor
}

func (g *growingLog) End(context.Context) (contract.Cursor, error) {
	end := g.now
	if g.first != nil {
		end, g.first = g.first, nil
	}
	return slices.Clone(end), nil
}

// waitForLock is the time for which one process waits for another one that must hold the lock.
const waitForLock = 200 * time.Millisecond

// Before the new model replaces the live one, another process tries to apply the next events. While
// the rebuild holds the lock it cannot. Without the lock it can, and its events would be lost.
func readWhileRebuilding(t *labTrial) {
	log := History(29+t.Seed(), 60, 2)
	m := t.open(nil)
	seen, statements := after(nil, log.Events[:50]), 0
	growing := &growingLog{log, after(nil, log.Events[:30]), seen}
	m.apply(log.Events[:50], seen)
	watching := t.open(func(_ context.Context, statement string) error {
		if statement == "replace the model" && m.applied(log.Events[50:], log.end) {
			seen, growing.now = log.end, log.end
		}
		if statements++; statements%5 != 0 && !strings.Contains("commit committed", statement) {
			return nil
		}
		return m.requireSeen(log, seen)
	})
	require.NoError(t, watching.rebuild(growing, 20))
	require.Equal(t, seen, m.requirePrefix(log, "after the rebuild"))
	require.Positive(t, statements, "statements of the rebuild")
	m.apply(log.Events[50:], log.end)
	m.requireFold(log.Events)
}

// applied reports whether Apply succeeds without a wait for another process.
func (m *labModel) applied(batch []contract.Recorded, next contract.Cursor) bool {
	ctx, stop := context.WithTimeout(m.t.Context(), waitForLock)
	defer stop()
	return m.lab.Apply(ctx, batch, next) == nil
}

// requireSeen returns an error unless a reader still finds the model at the cursor that readers
// have seen.
func (m *labModel) requireSeen(log *Log, seen contract.Cursor) error {
	cursor, err := m.model.Projection.Cursor(m.t.Context())
	if err != nil {
		return err
	}
	state, err := m.State(m.t.Context())
	if err != nil {
		return err
	}
	was := fold(log.before(seen))
	if !cursor.Reaches(seen) || canonical(state) != canonical(was) {
		return fmt.Errorf("a reader finds a model at %s with %d contracts, where the model at "+
			"%s with %d was", cursor, len(state.Trades), seen, len(was.Trades))
	}
	return nil
}

func killedWhileRebuilding(t *labTrial) {
	log := History(30+t.Seed(), 30, 2)
	m := t.open(nil)
	seen := after(nil, log.Events[:20])
	m.apply(log.Events[:20], seen)
	crashed := func(c *crash) bool {
		err := t.killed(c, func(m *labModel) error { return m.rebuild(log, 15) })
		if c.said == "" {
			require.NoError(t, err, "a rebuild without a crash")
			return false
		}
		when := fmt.Sprintf("after a crash at a statement of a rebuild (%s)", c.said)
		require.Error(t, err, "%s: Rebuild returned no error", when)
		reached := m.requirePrefix(log, when)
		// After the commit of the swap the live model is the new one, and stays.
		require.Contains(t, []string{seen.String(), log.end.String()}, reached.String(),
			"%s: the cursor is that of no whole model", when)
		seen = reached
		return true
	}
	for _, at := range t.swapping {
		require.True(t, crashed(&crash{at: at}), "a rebuild has the statement %q", at)
	}
	for n := 1; crashed(&crash{n: n}); n += t.step {
	}
	require.Equal(t, log.end, m.requirePrefix(log, "after the rebuild"))
}

func snapshotOfOneMoment(t *labTrial) {
	log := History(31+t.Seed(), 60, 2)
	m := t.open(nil)
	empty := m.snapshot()
	for n := 0; n <= 60; n += 20 {
		m.apply(log.Events[max(0, n-20):n], after(nil, log.Events[:n]))
		data := m.snapshot()
		// The model goes on while the snapshot is on its way to an archive.
		m.apply(log.Events[n:min(60, n+10)], after(nil, log.Events[:min(60, n+10)]))
		require.NoError(t, m.restore(data), "restore the snapshot")
		reached := m.requirePrefix(log, "after restoring a snapshot")
		require.True(t, after(nil, log.Events[:n]).Equal(reached), "the cursor of the snapshot")
	}
	// Between any two reads of Snapshot, another process applies events.
	applied := 0
	taking := t.open(func(ctx context.Context, _ string) error {
		to := min(60, applied+5)
		err := m.lab.Apply(ctx, log.Events[applied:to], after(nil, log.Events[:to]))
		applied = to
		return err
	})
	require.NoError(t, m.restore(empty), "restore the snapshot of an empty model")
	data := taking.snapshot()
	require.Positive(t, applied, "Snapshot read nothing")
	require.NoError(t, m.restore(data), "restore the snapshot")
	m.requirePrefix(log, "in a snapshot that was taken while another process applied events")
}

func restored(t *labTrial) {
	log := History(32+t.Seed(), 120, 2)
	m := t.open(nil)
	m.apply(log.Events[:60], after(nil, log.Events[:60]))
	data := m.snapshot()
	m.apply(log.Events[60:], log.end)
	other := inAnotherFormat(t, data)
	require.Error(t.Hint("compare Format before you touch anything"), m.restore(other),
		"a snapshot whose format this program does not know")
	require.Error(t, m.restore(data[:len(data)/2]), "half a snapshot")
	require.Equal(t, log.end, m.requirePrefix(log, "after refusing a snapshot"))

	t.restoreWhileApplying(m, log, data)
	require.NoError(t, m.restore(data))
	m = t.open(nil)
	reached := m.requirePrefix(log, "after restoring a snapshot")
	require.Equal(t, after(nil, log.Events[:60]), reached, "the cursor of the snapshot")
	for n := 60; n < 120; n += 15 {
		m.apply(log.Events[n:n+15], after(nil, log.Events[:n+15]))
		m.requireFold(log.Events[:n+15])
	}
}

// inAnotherFormat returns a snapshot with the format of another program.
func inAnotherFormat(t *labTrial, data []byte) []byte {
	var fields map[string]json.RawMessage
	require.NoError(t, json.Unmarshal(data, &fields), "the snapshot as JSON")
	require.Contains(t, fields, "Format", "the snapshot states its format")
	fields["Format"] = json.RawMessage(`"the format of another program"`)
	other, err := json.Marshal(fields)
	require.NoError(t, err)
	return other
}

// restoreWhileApplying tries to restore data between the last statement of an Apply and its commit.
// Under the lock the two take turns. Without it the cursor of the one stands beside the rows of the
// other.
func (t *labTrial) restoreWhileApplying(m *labModel, log *Log, data []byte) {
	applying := t.open(func(_ context.Context, statement string) error {
		if statement == "commit" {
			ctx, stop := context.WithTimeout(t.Context(), waitForLock)
			defer stop()
			_ = m.lab.Restore(ctx, data) // fails under the lock
		}
		return nil
	})
	beyond := log.end.After(contract.Position{Offset: log.end.At(0) + 10})
	applying.apply(nil, beyond)
	locked := *m
	locked.t = t.Hint("lock the live cursor, and hold the lock until the commit")
	locked.requirePrefix(log, "after a restore while another process applied a range")
}

var sharing = []labSpec{
	{Check: check.Check{
		ID: "L3.21", Points: 3, Invariant: "L3.I2", Operation: apply, Bonus: true,
		Title: "of two processes that apply the same feed, each event counts once",
		Hint: "lockCursor before anything else: a cursor that was read before the lock may be " +
			"old when the transaction writes",
		More: "cursor, err := t.lockCursor(ctx) directly after begin, and no call of m.Cursor" +
			" in Apply",
		Misconception: "that the cursor which a process read is still the cursor when it writes",
	}, on: twoProcesses},
}

func twoProcesses(t *labTrial) {
	log := History(33+t.Seed(), 120, 2)
	var ends []<-chan struct{}
	for _, size := range []int{7, 11} {
		m := t.open(nil)
		ends = append(ends, check.Go(t, func() {
			for from := 0; from < len(log.Events); from += size {
				to := min(from+size, len(log.Events))
				err := m.Apply(t.Context(), log.Events[from:to], after(nil, log.Events[:to]))
				if err != nil {
					t.Errorf("apply in batches of %d, beside another process: %v", size, err)
					return
				}
			}
		}))
	}
	for _, end := range ends {
		<-end
	}
	t.open(nil).requireFold(log.Events)
}
