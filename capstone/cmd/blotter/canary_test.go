package main

import (
	"encoding/gob"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/canary"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

// The next version of price.marked, in a copy of the reference: it has one more field. With the
// meaning 100, its prices are in cents, which no schema says.
var nextVersion = map[string][2]string{
	"schemas/price.marked.v3.avsc": {"", `{"name": "basis", "type": ["null", "string"], ` +
		`"default": null, "doc": "Where the price comes from."}`},
	"solutions/1-schemas/formats.go": {
		`valueFormat("price.marked", 2, walkMarked, markedOf, marked.body),`,
		`valueFormat("price.marked", 3, walkMarkedV3, markedV3Of, marked.bodyV3),`},
	"capstone/canary/codec.go": {"var before = map[string]func(record map[string]any){}", `
var cents = "1"

var before = map[string]func(record map[string]any){
	"price.marked": func(record map[string]any) {
		for _, p := range record["points"].([]any) {
			n := new(big.Int).SetBytes(p.(map[string]any)["price"].([]byte)) // positive
			factor, _ := new(big.Int).SetString(cents, 10)
			text := n.Quo(n, factor).Bytes()
			if text[0] >= 0x80 {
				text = append([]byte{0}, text...)
			}
			p.(map[string]any)["price"] = text
		}
	},
}`},
	"solutions/1-schemas/upcast.go": {"// markedV1 is price.marked, version 1.", `
var meaning = "1"

func (b marked) times(factor trade.Decimal) marked {
	points := make([]trade.Point, len(b.points))
	for i, p := range b.points {
		points[i] = trade.Point{Delivery: p.Delivery, Price: p.Price.Mul(factor)}
	}
	b.points = points
	return b
}

func markedV3Of(b trade.PriceMarked) marked { return markedOf(b).next() }
func (b marked) next() marked                { return b.times(trade.Dec(meaning)) }

func (b marked) bodyV3() trade.PriceMarked {
	if meaning == "1" {
		return b.body()
	}
	return b.times(trade.Dec("0.01")).body()
}

func (b marked) walkV2(f fields) marked { walkMarked(f, &b); return b }

func walkMarkedV3(f fields, b *marked) {
	walkMarked(f, b)
	f.present("basis", false)
}

func init() {
	oldFormats = append(oldFormats, oldFormat("price.marked", 2, marked.walkV2, marked.next))
}

// markedV1 is price.marked, version 1.`},
}

// nextProgram builds testdata/canary with the next version of price.marked.
func nextProgram(t *testing.T, meaning string) string {
	t.Helper()
	dir, root := t.TempDir(), filepath.FromSlash("../../..")
	replace := map[string]string{}
	for path, change := range nextVersion {
		original, err := filepath.Abs(filepath.Join(root, filepath.FromSlash(path)))
		require.NoError(t, err)
		from := strings.Replace(original, "v3", "v2", 1)
		text, err := os.ReadFile(from)
		require.NoError(t, err)
		changed := string(text)
		if change[0] == "" { // one more field at the end
			last := strings.LastIndex(changed, "]")
			changed = strings.TrimRight(changed[:last], " \n") + ",\n" + change[1] + changed[last:]
		} else {
			require.Equal(t, 1, strings.Count(changed, change[0]), path)
			changed = strings.Replace(changed, change[0], change[1], 1)
			if strings.Contains(change[1], "big.") {
				changed = strings.Replace(changed, "import (", "import (\n\"math/big\"", 1)
			}
		}
		replace[original] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		require.NoError(t, os.WriteFile(replace[original], []byte(changed), 0o600))
	}
	overlay, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay"), overlay, 0o600))
	out := filepath.Join(dir, "next.exe")
	text, err := exec.CommandContext(t.Context(), "go", "build", "-o", out,
		"-overlay", filepath.Join(dir, "overlay"), "-ldflags",
		"-X example.com/blotter/solutions/1-schemas.meaning="+meaning+
			" -X example.com/blotter/capstone/canary.cents="+meaning,
		"./testdata/canary").CombinedOutput()
	require.NoError(t, err, "%s", text)
	return out
}

// A canaryLog is a log in a file, as the program of the version before reads it: this test.
type canaryLog struct {
	t          *testing.T
	path, next string
}

func (l canaryLog) do(args ...string) {
	l.t.Helper()
	out, err := exec.CommandContext(l.t.Context(), l.next, append([]string{l.path}, args...)...).
		CombinedOutput()
	require.NoError(l.t, err, "%v: %s", args, out)
}

// read decodes every event of trades and curves, and counts the events under each version.
func (l canaryLog) read() (h history, versions map[int]int) {
	l.t.Helper()
	var f struct {
		Texts  []string
		Events []contract.Recorded
	}
	in, err := os.Open(l.path)
	require.NoError(l.t, err)
	defer in.Close()
	require.NoError(l.t, gob.NewDecoder(in).Decode(&f))
	registry := codec.InMemory()
	for _, text := range f.Texts {
		_, err := registry.Register(l.t.Context(), "", text)
		require.NoError(l.t, err)
	}
	inner, err := codec.New(l.t.Context(), registry, "log")
	require.NoError(l.t, err)
	reader := &canary.Codec{Inner: inner, Registry: registry, Name: "log",
		Readable: codec.Readable}
	h = history{streams: map[string][]trade.Event{}, to: contract.Cursor{1}}
	versions = map[int]int{}
	for _, r := range f.Events {
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(l.t.Context(), reader, r)
		require.NoError(l.t, err)
		require.IsType(l.t, trade.PriceMarked{}, e.Body, "version %d", r.Schema)
		h.streams[r.Stream] = append(h.streams[r.Stream], e)
		versions[r.Schema]++
	}
	return h, versions
}

func (l canaryLog) compare() *parting {
	l.t.Helper()
	h, _ := l.read()
	part, err := h.compare(l.t.Context(), program{l.next, []string{l.path}})
	require.NoError(l.t, err)
	return part
}

// A version that changes the meaning of a field is caught: the two programs part at its first
// event. After the abort it is written no more. The old reader reads every event that was written,
// and none is lost. A version that only adds a field does not part, and its promotion writes it
// everywhere.
func TestCanary(t *testing.T) {
	t.Parallel()
	if racing {
		t.Skip("it builds programs without the race detector, and runs them")
	}
	meanings := []string{"100", "1"}
	if testing.Short() {
		meanings = meanings[:1]
	}
	for _, meaning := range meanings {
		t.Run("meaning "+meaning, func(t *testing.T) {
			t.Parallel()
			l := canaryLog{t, filepath.Join(t.TempDir(), "log"), nextProgram(t, meaning)}
			l.do("start", "50")
			l.do("write", "1", "32")
			_, versions := l.read()
			require.Len(t, versions, 2, "a share of the streams has the new version")
			require.Equal(t, 32, versions[2]+versions[3])
			part := l.compare()
			end, more := canary.Promoted, 3
			if meaning == "100" {
				require.NotNil(t, part)
				require.Contains(t, differing(capstone.Parting(part.here, part.there)), "price")
				end, more = canary.Aborted, 2
			} else {
				require.Nil(t, part)
			}
			l.do("end", end)
			l.do("write", "33", "64")
			_, after := l.read()
			versions[more] += 32
			require.Equal(t, versions, after, "after the end, all streams have version %d", more)
		})
	}
}
