package capstone_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/gob"
	"fmt"
	"iter"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
	replay "example.com/blotter/solutions/4-replay"
)

// The sample log gives one digest and one chain, whatever the number of processors, the zone and
// the locale of a process, and as often as it is replayed. BLOTTER_REPLAYS=12 replays it as many
// times in each of nine processes.
func TestReplaysInManyProcesses(t *testing.T) {
	t.Parallel()
	s := newSystem()
	imported(t, s, sample(t), 1)
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, recorded(t, s.Log), 0o600))
	times := os.Getenv("BLOTTER_REPLAYS")
	var digests []string
	for i, processors := range []string{"GOMAXPROCS=1", "GOMAXPROCS=2", "GOMAXPROCS=8"} {
		for j, locality := range localities {
			if times != "" || i == j && (i > 0 || !testing.Short()) {
				env := append(locality, processors, replayedTimes+"="+cmp.Or(times, "1"))
				digests = append(digests, replayed(t, file, env))
				require.Equal(t, digests[0], digests[len(digests)-1], "%s", env)
			}
		}
	}
	require.Greater(t, len(digests), 1)
}

var localities = [][]string{
	{"TZ=UTC", "LANG=C", "LC_ALL=C"},
	{"TZ=America/St_Johns", "LANG=tr_TR.UTF-8", "LC_ALL=tr_TR.UTF-8"},
	{"TZ=Pacific/Apia", "LANG=de_DE.UTF-8", "LC_ALL=de_DE.UTF-8"},
}

// replayedLog is the environment variable with the file of a log. The value of replayedTimes is the
// number of replays.
const (
	replayedLog   = "BLOTTER_REPLAYED_LOG"
	replayedTimes = "BLOTTER_REPLAYED_TIMES"
)

// recorded returns a log as bytes.
func recorded(t *testing.T, log contract.Reader) []byte {
	t.Helper()
	var all []contract.Recorded
	end, err := log.End(t.Context())
	require.NoError(t, err)
	for r, err := range log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		all = append(all, r)
	}
	require.Greater(t, len(all), 5000)
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(all))
	return b.Bytes()
}

// replayed runs this test binary as another process. It returns the digests of its replays.
func replayed(t *testing.T, file string, env []string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), replayedLog+"="+file)
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return string(out)
}

// replayFile replays the log in a file several times, and prints its digests. It panics if two
// replays differ.
func replayFile(file string) {
	text, err := os.ReadFile(file)
	must(err)
	var log recordedLog
	must(gob.NewDecoder(bytes.NewReader(text)).Decode(&log.all))
	times, err := strconv.Atoi(os.Getenv(replayedTimes))
	must(err)
	var first string
	for range times {
		digests := log.digests()
		if first == "" {
			first = digests
		}
		if digests != first {
			panic(fmt.Sprintf("one log has two digests: %s and %s", first, digests))
		}
	}
	fmt.Println(first)
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// A recordedLog is a log that is only read.
type recordedLog struct {
	contract.Reader // nil: a replay only reads the events
	all             []contract.Recorded
}

// Read implements contract.Reader.
func (l recordedLog) Read(
	context.Context, contract.Cursor, contract.Cursor,
) iter.Seq2[contract.Recorded, error] {
	return func(yield func(contract.Recorded, error) bool) {
		for _, r := range l.all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// digests folds the log and returns the digest of its state, and the last one of its chain.
func (l recordedLog) digests() string {
	codec, streams := codec.Offline(), map[string][]trade.Event{}
	state, _, err := replay.New(codec).Replay(context.Background(), l, nil)
	must(err)
	for _, r := range l.all {
		e, err := contract.Decoded(context.Background(), codec, r)
		must(err)
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	chain, err := trade.ChainOf(streams)
	must(err)
	return fmt.Sprintf("%x %x", state.Digest(), chain[len(chain)-1])
}
