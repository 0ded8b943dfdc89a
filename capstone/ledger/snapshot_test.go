package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// counting is a log that counts the events that it yields of the accounts.
type counting struct {
	*memory.Store
	read int
}

func (c *counting) Stream(ctx context.Context, s string) iter.Seq2[contract.Recorded, error] {
	return c.StreamFrom(ctx, s, 1)
}

func (c *counting) StreamFrom(
	ctx context.Context, stream string, version int64,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for r, err := range c.Store.StreamFrom(ctx, stream, version) {
			if strings.HasPrefix(stream, "account/") {
				c.read++
			}
			if !yield(r, err) {
				return
			}
		}
	}
}

// A longBook is a ledger with an account of a long history, and its snapshots.
type longBook struct {
	log    *counting
	folder logdir.Progress
	warned []string
	desks  int64
}

const every = 50 // events between two snapshots

// desk returns the desk of a new process.
func (l *longBook) desk() *book {
	b := over(l.log)
	b.Snapshots, b.Every = l.folder, every
	b.Warn = func(err error) { l.warned = append(l.warned, err.Error()) }
	b.n.Store(1000 * l.desks) // ids of its own
	l.desks, l.log.read = l.desks+1, 0
	return b
}

// newLong returns a ledger with n entries that move cash.
func newLong(t *testing.T, n int) *longBook {
	l := &longBook{log: &counting{Store: memory.New(contract.SimulatedClock)},
		folder: logdir.Progress(t.TempDir())}
	b := l.desk().open(t)
	for i := range n {
		b.must(t, day(1), post(fmt.Sprint("in", i), "cash", "sales", "1", "EUR"))
	}
	return l
}

// file returns the name and the text of the snapshot of cash.
func (l *longBook) file(t *testing.T) (name string, text []byte) {
	name = ledger.SnapshotName("account/main/cash")
	text, err := l.folder.Load(name)
	require.NoError(t, err)
	require.NotEmpty(t, text)
	return name, text
}

// draws requires that cash has exactly n EUR, as a floor of zero tells.
func (l *longBook) draws(t *testing.T, n int) {
	b := l.desk()
	out, err := b.Do(t.Context(),
		b.command(day(2), post("all", "fees", "cash", fmt.Sprintf("%d.01", n), "EUR")))
	require.NoError(t, err)
	require.NotNil(t, out.Refusal)
	require.Equal(t, ledger.BelowFloor, out.Refusal.Rule)
	allowed, err := b.Allows(t.Context(),
		b.command(day(2), post("all", "fees", "cash", fmt.Sprint(n), "EUR")))
	require.NoError(t, err)
	require.True(t, allowed)
}

// A command on an account with a long history reads the events after its snapshot, and decides as
// without the snapshot. A snapshot is written after every so many events.
func TestSnapshotSparesTheHistory(t *testing.T) {
	t.Parallel()
	l := newLong(t, 320)
	b := l.desk()
	b.must(t, day(1), post("next", "cash", "sales", "1", "EUR"))
	require.LessOrEqual(t, l.log.read, 2*(every+1), "events read of two accounts")
	_, text := l.file(t)
	s, err := ledger.ParseSnapshot("account/main/cash", text)
	require.NoError(t, err)
	require.EqualValues(t, 300, s.Version)
	l.draws(t, 321)
	require.Empty(t, l.warned)

	plain := over(l.log)
	plain.n.Store(1 << 20)
	l.log.read = 0
	plain.must(t, day(1), post("plain", "cash", "sales", "1", "EUR"))
	require.Greater(t, l.log.read, 2*320, "without snapshots the streams are read whole")
}

// A snapshot that is damaged, of another format, of another account or of another history is
// refused by name. The whole stream is read in its place.
func TestBadSnapshotIsRefusedByName(t *testing.T) {
	t.Parallel()
	l := newLong(t, 120)
	name, good := l.file(t)
	s, err := ledger.ParseSnapshot("account/main/cash", good)
	require.NoError(t, err)
	s.Balance = trade.Int(1_000_000)
	rich := s
	rich.Stream = "account/main/sales"
	other := s
	other.Digest = strings.Repeat("00", 32)
	another := s
	another.Log = "topic-2"
	ahead := s
	ahead.Version = 5000
	damaged := bytes.Replace(good, []byte(`"balance":"`), []byte(`"balance":"9`), 1)
	require.NotEqual(t, good, damaged)
	for _, bad := range []struct {
		text []byte
		why  string
	}{
		{damaged, "is damaged: its content does not have its SHA-256"},
		{good[:len(good)/2], "is damaged: its content does not have its SHA-256"},
		{good[:len(good)-1], "is damaged: its content does not have its SHA-256"},
		{bytes.Replace(good, []byte("snapshot 1"), []byte("snapshot 2"), 1),
			`has the format "blotter account snapshot 2"`},
		{[]byte{0}, `has the format "\x00"`},
		{rich.Text(), `is that of version 100 of "account/main/sales"`},
		{other.Text(), "is of another history: version 100 of the log is not its event"},
		{another.Text(), `is of the log "topic-2", and this one is ""`},
		{ahead.Text(), "is of another history: version 5000 of the log is not its event"},
	} {
		require.NoError(t, l.folder.Save(name, bad.text))
		l.warned = nil
		l.draws(t, 120)
		require.Len(t, l.warned, 1)
		require.Contains(t, l.warned[0], "the snapshot of account/main/cash "+bad.why)
		require.Greater(t, l.log.read, 120, "the whole stream is read")
		_, again := l.file(t)
		_, err := ledger.ParseSnapshot("account/main/cash", again)
		require.NoError(t, err, "a good snapshot takes the place of a bad one")
	}
}

// saves counts the snapshots that are written.
type saves struct {
	logdir.Progress
	n int
}

func (s *saves) Save(name string, content []byte) error {
	s.n++
	return s.Progress.Save(name, content)
}

// A snapshot may have a movement of each event. The longer a history is, the more events lie
// between two of them: all together are in proportion to the events.
func TestSnapshotsOfALongHistoryAreFew(t *testing.T) {
	t.Parallel()
	l := &longBook{log: &counting{Store: memory.New(contract.SimulatedClock)}}
	b := l.desk().open(t)
	folder := &saves{Progress: logdir.Progress(t.TempDir())}
	b.Snapshots, b.Every = folder, 4
	for i := range 240 {
		b.must(t, day(1), post(fmt.Sprint("in", i), "cash", "sales", "1", "EUR"))
	}
	require.Positive(t, folder.n)
	require.Less(t, folder.n, 2*35, "snapshots of two accounts, and not 2*60")
}

// failing is a folder that cannot be written, as after a crash between an append and its snapshot.
type failing struct{ logdir.Progress }

func (failing) Save(string, []byte) error { return errors.New("the disk is full") }

// Each entry is on record before the snapshot that has it. Without that snapshot the next process
// continues from the one before it.
func TestSnapshotThatIsLostCostsNothing(t *testing.T) {
	t.Parallel()
	l := newLong(t, 120)
	_, before := l.file(t)
	b := l.desk()
	b.Snapshots = failing{l.folder}
	for i := range 60 {
		b.must(t, day(1), post(fmt.Sprint("more", i), "cash", "sales", "1", "EUR"))
	}
	const full = "cannot be written: the disk is full"
	require.Equal(t, []string{"the snapshot of account/main/cash " + full,
		"the snapshot of account/main/sales " + full}, l.warned)
	_, after := l.file(t)
	require.Equal(t, before, after)
	l.draws(t, 180)
	require.Less(t, l.log.read, 2*120)
}

// From the snapshot at any version, the rest of a random history leads to the same state as the
// whole of it.
func TestSnapshotEqualsTheFoldFromOne(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(21, 1))
	streams := map[string][]ledger.Fact{}
	d := random(t, 21, 400)
	for _, f := range d.facts {
		if strings.HasPrefix(f.Stream, "account/") {
			streams[f.Stream] = append(streams[f.Stream], f)
		}
	}
	require.Len(t, streams, 30)
	for stream, facts := range streams {
		_, name, _ := ledger.Of(stream)
		last := contract.Event{Stream: stream, ID: facts[len(facts)-1].ID}
		want := ledger.SnapshotOf(d.state.Accounts[name], last).Text()
		for range 5 {
			at := 1 + r.IntN(len(facts))
			fold := ledger.NewState("main", trade.BookZone())
			for _, f := range facts[:at] {
				fold.Evolve(f)
			}
			text := ledger.SnapshotOf(fold.Accounts[name], last).Text()
			s, err := ledger.ParseSnapshot(stream, text)
			require.NoError(t, err)
			rest := ledger.NewState("main", trade.BookZone())
			rest.Accounts[name] = s.Account()
			for _, f := range facts[at:] {
				rest.Evolve(f)
			}
			whole, got := d.state.Accounts[name], rest.Accounts[name]
			require.Equal(t, whole.AccountOpened, got.AccountOpened)
			require.Equal(t, whole.Status, got.Status)
			require.Equal(t, whole.Version, got.Version)
			require.True(t, whole.Balance.Equal(got.Balance))
			require.Equal(t, string(want),
				string(ledger.SnapshotOf(rest.Accounts[name], last).Text()))
		}
	}
}
