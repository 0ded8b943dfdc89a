package e2e_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// The sample book is imported in pieces: two without a kill, then one for each point.
const (
	points     = 20
	pieceLines = 230
)

// A setting is a store, and a stack that survives the killed commands or not.
type setting struct {
	store string
	kept  bool // the stack is kept by another process; else it dies with the command
}

// settings returns all settings, or in a short run one per store.
func settings() []setting {
	all := []setting{{"kafka", false}, {"postgres", true}, {"kafka", true}, {"postgres", false}}
	if testing.Short() {
		return all[:2]
	}
	return all
}

// Import, position and seal are killed again and again. The state is that of an undisturbed run.
func TestKilledCommandsChangeNoState(t *testing.T) {
	t.Parallel()
	embeddedOnly(t)
	n := points
	if testing.Short() {
		n = 5
	}
	all := lines(t, 0, (n+2)*pieceLines)
	// One import on one store: every other run must come to the same digest.
	undisturbed := sync.OnceValue(func() string {
		f := newFolder(t, "kafka")
		f.imported(all)
		return f.digest()
	})
	for round := range *rounds {
		for _, tc := range settings() {
			seed := *seed + uint64(round)
			t.Run(fmt.Sprintf("%s, kept %t, seed %d", tc.store, tc.kept, seed), func(t *testing.T) {
				t.Parallel()
				k := newKiller(t, tc, seed)
				require.Positive(t, k.killAll(n), "imports that were killed amid their lines")
				require.Equal(t, (n+2)*pieceLines, k.again(all), "lines on record")
				require.Equal(t, undisturbed(), k.digest())
				k.ok("seal")
				require.Regexp(t, "; 0 past it, unanchored\n", k.ok("verify").stdout)
				t.Logf("killed: %v", k.killed)
			})
		}
	}
}

// A killer runs commands and kills them (SIGKILL) at a random time within their usual duration.
type killer struct {
	*folder
	random *rand.Rand
	lasts  map[string]time.Duration // the usual duration of each command
	starts time.Duration            // about when the first line of an import is on record
	killed map[string]int
}

func newKiller(t *testing.T, s setting, seed uint64) *killer {
	t.Helper()
	k := &killer{
		folder: newFolder(t, s.store), random: rand.New(rand.NewPCG(seed, 0)),
		lasts: map[string]time.Duration{}, killed: map[string]int{},
	}
	if s.kept {
		k.ok("up")
		t.Cleanup(func() { k.ok("down") })
	}
	return k
}

// killAll imports the book in pieces. Each import except the first two is killed, and done again.
// After it position or seal is killed in turn, so that the next one has more to do. killAll returns
// the number of imports that were killed when some of their lines were on record, and some not.
func (k *killer) killAll(n int) (amid int) {
	for i := range 2 { // two, because the first run of a command takes longer than later ones
		k.measure("import", "--quiet", lines(k.t, i*pieceLines, (i+1)*pieceLines))
		k.measure("seal")
		k.measure("position")
	}
	for i := range n {
		onRecord := k.killOneImport(i, lines(k.t, (i+2)*pieceLines, (i+3)*pieceLines))
		if onRecord > 0 && onRecord < pieceLines {
			amid++
		}
		k.kill(0, []string{"position", "seal"}[i%2])
	}
	for _, command := range []string{"position", "seal"} {
		for k.killed[command] == 0 { // each time it ended before it was killed
			k.kill(0, command)
		}
	}
	return amid
}

// killOneImport kills an import in one of three ways. Of every four points one is anywhere, one is
// amid the lines for certain, and two are somewhere between the first line and the end.
func (k *killer) killOneImport(i int, piece string) (onRecord int) {
	switch i % 4 {
	case 0:
		return k.killImport(0, piece)
	case 1:
		return k.killAmid(piece)
	}
	return k.killImport(k.starts, piece)
}

// killAmid kills an import when its first lines are on record and others are in flight. The last
// line is never sent. A bad line shows how far the import is: it is reported after all lines before
// it are on record.
func (k *killer) killAmid(piece string) (onRecord int) {
	k.t.Helper()
	const first = pieceLines / 5
	text, err := os.ReadFile(piece)
	require.NoError(k.t, err)
	all := bytes.SplitAfter(text, []byte("\n"))
	cmd := k.command("import", "--quiet", "-")
	in, err := cmd.StdinPipe()
	require.NoError(k.t, err)
	out, err := cmd.StderrPipe()
	require.NoError(k.t, err)
	require.NoError(k.t, cmd.Start())
	sent := slices.Insert(all[:pieceLines-1], first, []byte("no command\n"))
	_, err = in.Write(bytes.Join(sent, nil))
	require.NoError(k.t, err, "the import ended by itself")
	said := until(out, fmt.Sprintf("-: line %d: ", first+1))
	require.NoError(k.t, cmd.Process.Kill())
	require.Error(k.t, cmd.Wait())
	require.Equal(k.t, -1, cmd.ProcessState.ExitCode(), "the import ended by itself: %s", said)
	onRecord = k.again(piece)
	require.GreaterOrEqual(k.t, onRecord, first, "lines on record")
	k.killed["import"]++
	k.t.Logf("import killed amid its lines: %d of %d were on record", onRecord, pieceLines)
	return onRecord
}

// until reads up to the line that begins with prefix, or to the end.
func until(out io.Reader, prefix string) (said []string) {
	for line := bufio.NewScanner(out); line.Scan(); {
		if said = append(said, line.Text()); strings.HasPrefix(line.Text(), prefix) {
			break
		}
	}
	return said
}

// killImport kills the import of a piece and imports it again to its end. It returns the number of
// lines that were on record when the import was killed.
func (k *killer) killImport(from time.Duration, piece string) int {
	k.t.Helper()
	delay := k.kill(from, "import", "--quiet", piece)
	onRecord := k.again(piece)
	k.t.Logf("import killed after %v: %d of %d lines were on record", delay, onRecord, pieceLines)
	if onRecord == 0 {
		k.starts = max(k.starts, delay)
	} else {
		k.starts = min(k.starts, delay)
	}
	return onRecord
}

// measure runs a command to its end and notes how long it took.
func (k *killer) measure(args ...string) {
	k.t.Helper()
	began := time.Now()
	k.ok(args...)
	k.lasts[args[0]] = time.Since(began)
}

// kill starts a command and kills it at a random time, not before from. It returns that time.
func (k *killer) kill(from time.Duration, args ...string) time.Duration {
	k.t.Helper()
	began := time.Now()
	delay := from + time.Duration(k.random.Float64()*float64(max(0, k.lasts[args[0]]-from)))
	r, killed := k.start(args...).killAfter(delay)
	if killed {
		k.killed[args[0]]++
		return delay
	}
	k.succeeded(r, args...) // it ended before it was killed
	k.lasts[args[0]] = time.Since(began)
	return delay
}

var importedAgain = regexp.MustCompile(`^[0-9]+ lines: .* ([0-9]+) of them were already on record`)

// again imports a file to its end and returns how many of its lines were on record before. If none
// was, the import shows the usual duration.
func (k *killer) again(file string) int {
	k.t.Helper()
	began := time.Now()
	found := importedAgain.FindStringSubmatch(k.imported(file).stdout)
	lasted := time.Since(began)
	require.NotNil(k.t, found)
	n, err := strconv.Atoi(found[1])
	require.NoError(k.t, err)
	if n == 0 {
		k.lasts["import"] = lasted
	}
	return n
}
