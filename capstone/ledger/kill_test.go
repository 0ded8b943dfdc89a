package ledger_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/ledger"
	"example.com/blotter/capstone/logdir"
	"example.com/blotter/capstone/session"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/stack/stacktest"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// posterEnv describes the log of a process that posts and is killed. It may contain a password, so
// it is no argument: other users see those.
const posterEnv = "BLOTTER_TEST_POSTER"

// TestMain runs the tests, or as a child of them the process that posts.
func TestMain(m *testing.M) {
	if text := os.Getenv(posterEnv); text != "" {
		if err := postUntilKilled(text); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	stacktest.Main(m)
}

// A logAt is a log on the stack of the tests, for this process and others.
type logAt struct {
	Store    string
	Endpoint session.Endpoint
	Name     logdir.Name
}

func (l logAt) open(ctx context.Context, readOnly bool) (session.Log, error) {
	store, err := session.StoreOf(l.Store)
	if err != nil {
		return nil, err
	}
	return store.Open(ctx, l.Endpoint, session.LogOptions{
		Name: l.Name, Partitions: 3, Address: "127.0.0.1:7000", Heads: codec.Offline(),
		ReadOnly: readOnly, Clock: func(context.Context) time.Time { return time.Now() },
	})
}

// telling is a log that says so before each append.
type telling struct{ contract.Atomic }

func (l telling) AppendAll(ctx context.Context, all []contract.StreamAppend,
	guards ...contract.Guard,
) ([][]contract.Receipt, error) {
	fmt.Println("append")
	return l.Atomic.AppendAll(ctx, all, guards...)
}

// postUntilKilled posts all trades of a log. Nothing here waits for the kill.
func postUntilKilled(text string) error {
	var at logAt
	if err := json.Unmarshal([]byte(text), &at); err != nil {
		return err
	}
	log, err := at.open(context.Background(), false)
	if err != nil {
		return err
	}
	poster := &ledger.Poster{Desk: over(telling{log.(contract.Atomic)}).Desk,
		Trades: codec.Offline(), Ledger: "main"}
	if _, err := poster.CatchUp(context.Background()); err != nil {
		return err
	}
	return log.Close()
}

// The process of postings is killed (kill -9) amid its appends, again and again, on each store, on
// the embedded stack and on real servers. No entry is there in part, the trial balance is zero,
// nothing is posted twice, and in the end the ledger ties out with the trades. The variable
// BLOTTER_KILLS gives another number of kills.
func TestKilledPosterLeavesNoPart(t *testing.T) {
	t.Parallel()
	kills := 50
	if testing.Short() {
		kills = 5
	}
	if text := os.Getenv("BLOTTER_KILLS"); text != "" {
		var err error
		kills, err = strconv.Atoi(text)
		require.NoError(t, err, "BLOTTER_KILLS")
	}
	for _, store := range []string{"kafka", "postgres"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			killPosters(t, store, kills)
		})
	}
}

func killPosters(t *testing.T, store string, kills int) {
	at, d := filled(t, store, max(40, 2*kills))
	r := rand.New(rand.NewPCG(21, 1))
	for n := range kills {
		appends, pause := 1+r.IntN(2), time.Duration(r.IntN(2000))*time.Microsecond
		require.True(t, at.killPoster(t, appends, pause), "kill %d came after the last entry", n)
		if n%10 == 0 {
			require.NoError(t, d.books(t).Trial(trade.AsOf{}).Balanced())
		}
	}
	amid := len(d.books(t).Entries(trade.AsOf{}))
	require.False(t, at.killPoster(t, 0, 0))
	requireTied(t, d.ties(t, "1"))
	entries := map[string]bool{}
	for _, p := range d.books(t).Entries(trade.AsOf{}) {
		require.False(t, entries[p.Entry], p.Entry)
		entries[p.Entry] = true
	}
	require.Greater(t, len(entries), amid)
	t.Logf("%d killed, all amid %d entries", kills, len(entries))
}

// filled returns a log with trades, and a view of it that only reads.
func filled(t *testing.T, store string, trades int) (logAt, *trading) {
	of, err := session.StoreOf(store)
	require.NoError(t, err)
	endpoint, err := of.Reach(t.Context(), stacktest.Shared(t))
	require.NoError(t, err)
	at := logAt{store, endpoint, logdir.Name(stacktest.Prefix(t) + "log")}
	log, err := at.open(t.Context(), false)
	require.NoError(t, err)
	system := capstone.New(log, codec.Offline(), "test")
	book := demo
	book.Trades = trades
	for step := range simulate.Book(book) {
		_, err := system.Do(t.Context(), step.Command)
		require.NoError(t, err)
	}
	require.NoError(t, log.Close())
	view, err := at.open(t.Context(), true)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, view.Close()) })
	return at, &trading{book: over(view.(contract.Atomic))}
}

// killPoster starts a process that posts, and kills it a pause after it has begun so many appends;
// 0 lets it end. It reports whether the process was killed.
func (l logAt) killPoster(t *testing.T, appends int, pause time.Duration) bool {
	text, err := json.Marshal(l)
	require.NoError(t, err)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), posterEnv+"="+string(text))
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	for in := bufio.NewScanner(out); in.Scan(); {
		if appends--; appends == 0 {
			<-time.After(pause) // the kill is anywhere in the append, or in the one after it
			require.NoError(t, cmd.Process.Kill())
		}
	}
	err = cmd.Wait()
	if cmd.ProcessState.ExitCode() < 0 {
		return true
	}
	require.NoError(t, err)
	return false
}
