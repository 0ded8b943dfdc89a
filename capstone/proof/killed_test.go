package proof_test

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

// The sample book in pieces: two that nobody is killed over, and one for each point.
const (
	points     = 20
	pieceLines = 230
)

// A setting is where the victims run.
type setting struct {
	store string
	kept  bool // by another process; else broker and database die with the victim
}

// settings are all of them, or, where the longest tests are cut short, one per store.
func settings() []setting {
	all := []setting{{"kafka", false}, {"postgres", true}, {"kafka", true}, {"postgres", false}}
	if testing.Short() {
		return all[:2]
	}
	return all
}

func TestWhoeverIsKilledTheStateIsThatOfAnUndisturbedRun(t *testing.T) {
	t.Parallel()
	n := points
	if testing.Short() {
		n = 5
	}
	whole := lines(t, 0, (n+2)*pieceLines)
	// In one go, and on one store: every other must come to the same digest.
	undisturbed := sync.OnceValue(func() string {
		d := newDesk(t, "kafka")
		d.imported(whole)
		return d.digest()
	})
	for round := range *rounds {
		for _, tc := range settings() {
			seed := *seed + uint64(round)
			t.Run(fmt.Sprintf("%s, kept %t, seed %d", tc.store, tc.kept, seed), func(t *testing.T) {
				t.Parallel()
				k := &killer{desk: newDesk(t, tc.store), random: rand.New(rand.NewPCG(seed, 0)), lasts: map[string]time.Duration{}, killed: map[string]int{}}
				if tc.kept {
					k.ok("up")
					t.Cleanup(func() { k.ok("down") })
				}
				require.Positive(t, k.spree(n), "imports killed amid their lines")
				require.Equal(t, (n+2)*pieceLines, k.again(whole), "lines on record, of all that were imported")
				require.Equal(t, undisturbed(), k.digest())
				k.ok("seal")
				require.Regexp(t, "; 0 past it, unanchored\n", k.ok("verify").stdout)
				t.Logf("killed: %v", k.killed)
			})
		}
	}
}

// spree imports the book in pieces. Each import but the first two is killed, and done again; and so is every other of what follows it,
// so that the one after that has the more to do. It says how many imports were killed when some of their lines were on record
// and some were not.
func (k *killer) spree(n int) (amid int) {
	for i := range 2 { // at the first start there is more to do than later
		k.spare("import", "--quiet", lines(k.t, i*pieceLines, (i+1)*pieceLines))
		k.spare("seal")
		k.spare("position")
	}
	for i := range n {
		if onRecord := k.killOneImport(i, lines(k.t, (i+2)*pieceLines, (i+3)*pieceLines)); onRecord > 0 && onRecord < pieceLines {
			amid++
		}
		k.kill(0, []string{"position", "seal"}[i%2])
	}
	for _, command := range []string{"position", "seal"} {
		for k.killed[command] == 0 { // it was faster each time
			k.kill(0, command)
		}
	}
	return amid
}

// killOneImport chooses how. Of every four points one is anywhere, and one amid the lines for certain; the other two are looked for where
// lines go in, between the start and the end.
func (k *killer) killOneImport(i int, piece string) (onRecord int) {
	switch i % 4 {
	case 0:
		return k.killImport(0, piece)
	case 1:
		return k.killAmid(piece)
	}
	return k.killImport(k.starts, piece)
}

// killAmid kills an import when its first lines are on record and others under way; the last never comes. A line that is no command tells
// how far it is: it is complained of once all before it are on record.
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
	_, err = in.Write(bytes.Join(slices.Insert(all[:pieceLines-1], first, []byte("no command\n")), nil))
	require.NoError(k.t, err, "it ended by itself")
	said := until(out, fmt.Sprintf("-: line %d: ", first+1))
	require.NoError(k.t, cmd.Process.Kill())
	require.Error(k.t, cmd.Wait())
	require.Equal(k.t, -1, cmd.ProcessState.ExitCode(), "it ended by itself: %s", said)
	onRecord = k.again(piece)
	require.GreaterOrEqual(k.t, onRecord, first, "lines on record")
	k.killed["import"]++
	k.t.Logf("import killed amid its lines: %d of %d were on record", onRecord, pieceLines)
	return onRecord
}

// until reads up to the line that begins so, or to the end.
func until(out io.Reader, prefix string) (said []string) {
	for line := bufio.NewScanner(out); line.Scan(); {
		if said = append(said, line.Text()); strings.HasPrefix(line.Text(), prefix) {
			break
		}
	}
	return said
}

// killImport kills the import of a piece, imports it again to its end, and says how many of its lines had been on record.
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

// A killer starts commands and ends them by SIGKILL, somewhere within the time that they take when they are spared.
type killer struct {
	*desk
	random *rand.Rand
	lasts  map[string]time.Duration // by command
	starts time.Duration            // about when the first line of an import is on record
	killed map[string]int
}

// spare lets a command run, and takes the time.
func (k *killer) spare(args ...string) {
	k.t.Helper()
	began := time.Now()
	k.done(k.run(args...), args...)
	k.lasts[args[0]] = time.Since(began)
}

// kill starts a command and kills it at a random time, not before from. It says when.
func (k *killer) kill(from time.Duration, args ...string) time.Duration {
	k.t.Helper()
	began, delay := time.Now(), from+time.Duration(k.random.Float64()*float64(max(0, k.lasts[args[0]]-from)))
	r, killed := k.start(args...).killAfter(delay)
	if killed {
		k.killed[args[0]]++
		return delay
	}
	k.done(r, args...) // it was faster
	k.lasts[args[0]] = time.Since(began)
	return delay
}

var imported = regexp.MustCompile(`^[0-9]+ lines: .* ([0-9]+) of them were on record already`)

// again imports a file to its end, and says how many of its lines were on record. If none was, it lasted as long as one does.
func (k *killer) again(file string) int {
	k.t.Helper()
	began := time.Now()
	found := imported.FindStringSubmatch(k.imported(file).stdout)
	lasted := time.Since(began)
	require.NotNil(k.t, found)
	n, err := strconv.Atoi(found[1])
	require.NoError(k.t, err)
	if n == 0 {
		k.lasts["import"] = lasted
	}
	return n
}
