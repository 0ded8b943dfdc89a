package store

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// A wrong answer is the reference with one thing believed that is not so.
type wrongAnswer struct {
	name   string // what is believed
	finds  string // the checks that are there for it; the words of the first are in testdata/wrong
	also   string // the others that fail, and no more do
	change func(*kafkatest.Fixture)
	waits  bool // it waits for ever, so it is given less time, and its words differ
	races  bool // its words differ from run to run
}

// These are beliefs about Kafka, and about what is left after a crash. Those about any store are in wrapped_test.go.
var kafkaWrongs = []wrongAnswer{
	{"compares Any as a version", "L2.50", "", decideWith(func(d decision) ([]contract.Receipt, error) {
		receipts, err := d.right()
		if receipts == nil && err == nil && d.expected != d.last.Version {
			err = &contract.ConflictError{Stream: d.events[0].Stream, Expected: d.expected, Actual: d.last.Version}
		}
		return receipts, err
	}), false, false},
	{"compares versions before ids", "L2.51", "", decideWith(func(d decision) ([]contract.Receipt, error) {
		if d.expected != contract.Any && d.expected != d.last.Version {
			return nil, &contract.ConflictError{Stream: d.events[0].Stream, Expected: d.expected, Actual: d.last.Version}
		}
		return d.right()
	}), false, false},
	{"writes a partly recorded batch", "L2.52", "", decideWith(func(d decision) ([]contract.Receipt, error) {
		receipts, err := d.right()
		if errors.Is(err, contract.ErrPartial) {
			return nil, nil
		}
		return receipts, err
	}), false, false},
	{"starts with an empty index", "L2.53", "L2.26 L2.27 L2.28 L2.34 L2.55 L2.57", storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
		s.index = newIndex()
		return nil
	}}), false, false},
	{"random transactional id", "L2.54", "L2.29 L2.63 L2.65", storeWith(wrongStore{connected: func(s *Store) {
		s.opts.Prefix = "owner-" + uuid.NewString()
	}}), true, false},
	{"reads before it fences", "L2.55", "", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, readToEnd(o), fence, writeMarks(o, inOneTransaction), repairToEnd(o))
	}}), false, false},
	{"reads to the end without a mark", "L2.55", "", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, readToEnd(o), repairToEnd(o), writeMarks(o, inOneTransaction))
	}}), false, false},
	{"marks the topics in two transactions", "L2.56", "", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, writeMarks(o, inTwoTransactions), readToEnd(o), repairToEnd(o))
	}}), false, true},
	{"believes the heads", "L2.57", "L2.53 L2.55", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, writeMarks(o, inOneTransaction), readToEnd(o), believeHeads(o))
	}}), false, false},
	{"repairs heads by version only", "L2.57", "", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, writeMarks(o, inOneTransaction), readToEnd(o), repairByVersion(o))
	}}), false, false},
	{"indexes uncommitted events", "L2.54", "L2.55", storeWith(wrongStore{takeOver: func(ctx context.Context, o *owner) error {
		return takeOverBy(ctx, o, fence, writeMarks(o, inOneTransaction), indexUncommitted(o), repairToEnd(o))
	}}), false, false},
	{"shows readers uncommitted events", "L2.60", "", storeWith(wrongStore{read: func(ctx context.Context, s *Store, from, to contract.Cursor) iter.Seq2[contract.Recorded, error] {
		return func(yield func(contract.Recorded, error) bool) {
			for _, o := range s.owners {
				for _, record := range uncommitted(ctx, o, from.At(o.partition), to.At(o.partition)) {
					if e, err := decode(record); !yield(e, err) {
						return
					}
				}
			}
		}
	}}), false, false},
	{"writes the head of the first event", "L2.58", "L2.59", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		return commit(ctx, o, recorded, append(o.records(recorded), headsOf(ctx, o, recorded[0])...))
	}}), false, false},
	{"writes the head after its events", "L2.59", "", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		if err := commit(ctx, o, recorded, o.records(recorded)); err != nil {
			return err
		}
		return o.producer.transact(ctx, headsOf(ctx, o, recorded[len(recorded)-1]))
	}}), false, false},
	{"indexes before the commit", "L2.59", "L2.29 L2.61 L2.62 L2.63 L2.64 L2.65 L2.66", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		if _, err := o.indexBatch(recorded); err != nil {
			return err
		}
		err := o.write(ctx, recorded)
		if err == nil { // or it is known twice
			forget(o, recorded)
		}
		return err
	}}), false, false},
	{"takes the high watermark as the end", "L2.60 L2.20", "", storeWith(wrongStore{end: func(ctx context.Context, s *Store) (contract.Cursor, error) {
		offsets, err := s.admin.ListEndOffsets(ctx, s.events)
		return s.cursor(offsets, err)
	}}), false, false},
	{"takes an unconfirmed commit as failed", "L2.61", "L2.66", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		if !errors.Is(cause, errUnconfirmed) {
			return false, o.resolve(ctx, cause)
		}
		return false, takeOverBy(ctx, o, fence) // and do it again
	}}), false, false},
	{"takes an unconfirmed commit as landed", "L2.62", "L2.66", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, recorded []contract.Recorded, cause error) (bool, error) {
		if !errors.Is(cause, errUnconfirmed) {
			return false, o.resolve(ctx, cause)
		}
		return true, takeOverBy(ctx, o, fence)
	}}), false, false},
	{"fences again without reading", "L2.63", "L2.61 L2.62 L2.65", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		if !isFenced(cause) {
			return false, o.resolve(ctx, cause)
		}
		if err := takeOverBy(ctx, o, fence); err != nil { // and what others wrote meanwhile is not read
			return false, err
		}
		return false, fmt.Errorf("%w: %w", contract.ErrFenced, cause)
	}}), false, false},
	{"decides without ownership", "L2.63", "", storeWith(wrongStore{append: func(a appendCall) ([]contract.Receipt, error) {
		s := a.next.(*Store)
		receipts, err := Decide(s.index.find, s.index.last(a.stream), a.expected, a.events) // by what is known without a place
		if receipts != nil || err != nil {
			return receipts, err
		}
		return a.forward()
	}}), false, false},
	{"keeps the producer of a failed take-over", "L2.65", "", storeWith(wrongStore{again: func(ctx context.Context, o *owner) (err error) {
		if o.producer, err = o.s.newProducer(o.partition); err != nil {
			return err
		}
		return o.becomeOwner(ctx, o.producer)
	}}), false, false},
	{"hides that it was fenced", "L2.29", "L2.63 L2.65", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		if !isFenced(cause) {
			return false, o.resolve(ctx, cause)
		}
		return false, o.takeOver(ctx)
	}}), false, false},
	{"retries at any version", "L2.66", "", storeWith(wrongStore{expect: func(int64) int64 { return contract.Any }}), false, false},
	{"stops the commit with its caller", "L2.67", "L2.68", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		return writeWithoutWait(ctx, o, recorded)
	}}), false, false},
	{"answers before the commit is visible", "L2.68", "", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		return writeWithoutWait(context.WithoutCancel(ctx), o, recorded)
	}}), false, false},
	{"answers ErrFenced to every error", "L2.64", "L2.59", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		err := o.resolve(ctx, cause)
		if err != nil {
			err = fmt.Errorf("%w: %w", contract.ErrFenced, err)
		}
		return false, err
	}}), false, false},
	{"answers ErrFenced to a fenced commit", "L2.61", "L2.62", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		if errors.Is(cause, errUnconfirmed) && isFenced(cause) {
			o.leave()
			return false, fmt.Errorf("%w: %w", contract.ErrFenced, cause)
		}
		return false, o.resolve(ctx, cause)
	}}), false, false},
	{"leaves an unconfirmed commit to its caller", "L2.61", "L2.62 L2.66", storeWith(wrongStore{resolve: func(ctx context.Context, o *owner, _ []contract.Recorded, cause error) (bool, error) {
		if errors.Is(cause, errUnconfirmed) {
			o.leave()
			return false, fmt.Errorf("%w: %w", contract.ErrFenced, cause)
		}
		return false, o.resolve(ctx, cause)
	}}), false, false},
	{"new topics at every start", "L2.26", "L2.28 L2.34 L2.53 L2.54 L2.55 L2.56 L2.57 L2.58 L2.59 L2.60 L2.61 L2.62 L2.63 L2.64 L2.65 L2.66 L2.67 L2.68", storeWith(wrongStore{connected: func(s *Store) {
		id := uuid.NewString()
		s.events, s.heads = id+".events", id+".heads"
	}}), false, false},
	{"forgets ids at a restart", "L2.27", "L2.34 L2.53", storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
		clear(s.index.ids)
		return nil
	}}), false, false},
	{"forgets the last time at a restart", "L2.28", "", storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
		for _, o := range s.owners {
			o.last = time.Time{}
		}
		return nil
	}}), false, false},
	{"forgets ended streams at a restart", "L2.34", "", storeWith(wrongStore{opened: func(_ context.Context, s *Store) error {
		for _, events := range s.index.streams {
			events[len(events)-1].Ends = false
		}
		return nil
	}}), false, false},
	{"one transaction for each event", "L2.64", "L2.61", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		for i := range recorded {
			if err := o.write(ctx, recorded[i:i+1]); err != nil {
				return err
			}
		}
		return nil
	}}), false, false},
	{"gives receipts before the commit is confirmed", "L2.62", "L2.61 L2.66", storeWith(wrongStore{write: func(ctx context.Context, o *owner, recorded []contract.Recorded) error {
		err := o.write(ctx, recorded)
		if errors.Is(err, errUnconfirmed) {
			o.leave()
			return nil
		}
		return err
	}}), false, false},
	{"forgets the frontier that it told", "L2.23", "", storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
		return contract.Stamp(o.s.opts.Clock(ctx), o.last).Add(-time.Microsecond)
	}}), false, false},
	{"frontier in nanoseconds", "L2.23", "", storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
		if now := o.s.opts.Clock(ctx); now.After(o.last) {
			o.last = now
		}
		return o.last
	}}), false, false},
	{"each question moves the frontier", "L2.23", "", storeWith(wrongStore{frontier: func(ctx context.Context, o *owner) time.Time {
		o.last = contract.Stamp(o.s.opts.Clock(ctx), o.last)
		return o.last
	}}), false, false},
}

// A decision is what Decide is asked.
type decision struct {
	find     func(uuid.UUID) (contract.Recorded, bool)
	last     contract.Recorded
	expected int64
	events   []contract.Event
}

func (d decision) right() ([]contract.Receipt, error) {
	return Decide(d.find, d.last, d.expected, d.events)
}

func decideWith(decide func(decision) ([]contract.Receipt, error)) func(*kafkatest.Fixture) {
	return func(f *kafkatest.Fixture) {
		f.Decide = func(find func(uuid.UUID) (contract.Recorded, bool), last contract.Recorded, expected int64, events []contract.Event) ([]contract.Receipt, error) {
			return decide(decision{find, last, expected, events})
		}
	}
}

// believeHeads forgets the streams that have no head, or one that says otherwise.
func believeHeads(o *owner) func(context.Context, *producer) error {
	return func(ctx context.Context, _ *producer) error {
		end, err := headsEnd(ctx, o)
		if err != nil {
			return err
		}
		found, err := o.readHeads(ctx, end)
		for _, last := range o.lastEvents() {
			if found[last.Stream].Version != last.Version {
				delete(o.s.index.streams, last.Stream)
			}
		}
		return err
	}
}

// repairByVersion mends the heads of another version.
func repairByVersion(o *owner) func(context.Context, *producer) error {
	return func(ctx context.Context, p *producer) error {
		end, err := headsEnd(ctx, o)
		if err != nil {
			return err
		}
		found, err := o.readHeads(ctx, end)
		var mend []*kgo.Record
		for _, last := range o.lastEvents() {
			if found[last.Stream].Version != last.Version {
				mend = append(mend, headsOf(ctx, o, last)...)
			}
			delete(found, last.Stream)
		}
		for stream := range found {
			mend = append(mend, o.tombstone(stream))
		}
		if err != nil || len(mend) == 0 {
			return err
		}
		return p.transact(ctx, mend)
	}
}

// writeWithoutWait is owner.write under ctx alone, which does not wait for what comes after the commit.
func writeWithoutWait(ctx context.Context, o *owner, recorded []contract.Recorded) error {
	records := append(o.records(recorded), headsOf(ctx, o, recorded[len(recorded)-1])...)
	if err := errors.Join(o.producer.client.BeginTransaction(), o.producer.produce(ctx, records)); err != nil {
		return err
	}
	for i := range recorded {
		recorded[i].Position = contract.Position{Partition: o.partition, Offset: records[i].Offset}
	}
	if err := o.producer.client.EndTransaction(ctx, kgo.TryCommit); err != nil {
		return fmt.Errorf("%w: %w", errUnconfirmed, err)
	}
	return nil
}

// forget takes the latest events back out of the index.
func forget(o *owner, recorded []contract.Recorded) {
	for _, e := range recorded {
		delete(o.s.index.ids, e.ID)
	}
	stream := recorded[0].Stream
	o.s.index.streams[stream] = o.s.index.streams[stream][:len(o.s.index.streams[stream])-len(recorded)]
}

// right is the reference on a broker that the wrong answers share.
func reference(t testing.TB) kafkatest.Fixture {
	cluster, err := kfake.NewCluster(kfake.NumBrokers(1))
	require.NoError(t, err)
	t.Cleanup(cluster.Close)
	return kafkatest.Fixture{
		Open: func(ctx context.Context, o kafkatest.Options) (kafkatest.Store, error) {
			return Open(ctx, optionsOf(o))
		},
		Decide: Decide,
		Offload: func(log contract.Store, blobs contract.Blobs, limit int) contract.Store {
			return NewOffloadingStore(log, blobs, limit)
		},
		Brokers: cluster.ListenAddrs(),
		Prefix:  fmt.Sprintf("wrong%d-", prefixes.Add(1)),
	}
}

var prefixes atomic.Int32

// aboutAnyStore says of a check that it is about any store, and not about one that was opened again or fenced: beliefs about Kafka do not
// touch it, and the right answer passes it.
func aboutAnyStore(c check.Check) bool {
	n, _ := strconv.Atoi(strings.TrimPrefix(c.ID, "L2."))
	return n > 1 && n < 50 && !slices.Contains([]int{26, 27, 28, 29, 34}, n)
}

func suiteOf(t testing.TB, w wrongAnswer) check.Suite {
	f := reference(t)
	w.change(&f)
	s := kafkatest.Suite(f)
	listed := strings.Fields(w.finds + " " + w.also)
	s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool { return aboutAnyStore(c) && !slices.Contains(listed, c.ID) })
	return s
}

// Each wrong answer is found by the checks that are there for it, and by no others; and what the first of them says is written down.
func TestTheSuiteFindsWrongAnswers(t *testing.T) {
	t.Parallel()
	for _, w := range kafkaWrongs {
		t.Run(w.name, func(t *testing.T) {
			requireFound(t, w, suiteOf(t, w)) // one after the other: each has brokers of its own
		})
	}
}

func requireFound(t *testing.T, w wrongAnswer, s check.Suite) {
	t.Helper()
	expected := strings.Fields(w.finds + " " + w.also)
	for i, c := range s.Checks {
		if w.waits && slices.Contains(expected, c.ID) {
			s.Checks[i].Limit = 2 * time.Second
		}
	}
	if testing.Short() || w.races { // that the others pass is for the long run, and for what is the same in each
		s.Checks = slices.DeleteFunc(s.Checks, func(c check.Check) bool { return !slices.Contains(expected, c.ID) })
	}
	var failed []string
	for _, v := range check.JudgeAll(t.Context(), s) {
		if slices.Contains(concurrent, v.Check.ID) && slices.Contains(expected, v.Check.ID) {
			v = untilItFails(t, s, v)
		}
		if v.Outcome == check.Passed {
			continue
		}
		if !slices.Contains(expected, v.Check.ID) {
			t.Logf("%s, which finds nothing wrong here: %s: %s", v.Check.ID, v.Outcome, v.Text)
			if check.Judge(t.Context(), s, v.Check).Outcome == check.Passed {
				continue // a belief is wrong each time; what comes once is the machine's, and is told above
			}
		}
		failed = append(failed, v.Check.ID)
		if v.Check.ID == expected[0] && !w.waits && !w.races {
			golden(t, w.name, steady(v))
		}
	}
	slices.Sort(expected)
	slices.Sort(failed)
	require.Equal(t, strings.Join(expected, " "), strings.Join(failed, " "))
}

// untilItFails judges a check again that finds what is wrong only if others write at the right moment.
func untilItFails(t *testing.T, s check.Suite, v check.Verdict) check.Verdict {
	const tries = 30
	for range tries {
		if v.Outcome != check.Passed {
			break
		}
		v = check.Judge(t.Context(), s, v.Check)
	}
	return v
}

// requireFinders says that each check of the lab has a wrong answer that it is there for.
func requireFinders(t *testing.T, all []wrongAnswer) {
	found := map[string]bool{}
	for _, w := range all {
		for _, id := range strings.Fields(w.finds) {
			found[id] = true
		}
	}
	for _, c := range kafkatest.Suite(reference(t)).Checks {
		require.True(t, found[c.ID], "no wrong answer is there for %s", c.ID)
	}
}

// concurrent are the checks in which several write at once: what exactly a store gets wrong there differs from run to run.
var concurrent = []string{"L2.4", "L2.10", "L2.17", "L2.18", "L2.20"}

// steady is what a check says each time: the rule, what is usually believed, the hint, where to read.
func steady(v check.Verdict) string {
	if !slices.Contains(concurrent, v.Check.ID) {
		return v.Text
	}
	var kept strings.Builder
	for i, line := range strings.SplitAfter(v.Text, "\n") {
		what, _, _ := strings.Cut(line, ":")
		if i == 0 || slices.Contains([]string{"misconception", "hint", "read"}, what) {
			kept.WriteString(line)
		}
	}
	return kept.String()
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	file := filepath.Join("testdata", "wrong", strings.ReplaceAll(name, " ", "-")+".golden")
	if *update {
		require.NoError(t, os.MkdirAll(filepath.Dir(file), 0o755))
		require.NoError(t, os.WriteFile(file, []byte(got), 0o644))
	}
	want, err := os.ReadFile(file)
	require.NoError(t, err)
	require.Equal(t, string(want), got, "go test ./solutions/2-store/plain -run WrongAnswers -update")
}
