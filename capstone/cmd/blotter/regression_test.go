package main

import (
	"bytes"
	"cmp"
	"encoding/gob"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/simulate"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/schemas"
	codec "example.com/blotter/solutions/1-schemas"
	logs "example.com/blotter/solutions/2-store/memory"
)

// A regression is a fault in one line of the reference.
type regression struct {
	name, file, line, changed string
	imports                   string
	at                        func(trade.Event) bool // accepts the kind of the first event
}

var regressions = []regression{
	{"dropped correction", "labs/kit/trade/fold.go", "l.slots[i].Event = e", "_ = i", "",
		func(e trade.Event) bool { return e.Corrects != uuid.Nil }},
	{"rounding mode", "labs/kit/trade/decimal.go",
		"return half > 0 || half == 0 && odd", "return half >= 0 || odd && half > 0", "", isTrade},
	{"schema default", "solutions/1-schemas/upcast.go",
		"m.commodity, m.market = splitCurve(b.curve)", "m.market = &b.curve", "", isMark},
	{"tie order", "labs/kit/trade/pool.go",
		"k.EnteredAt.Compare(o.EnteredAt),", "o.EnteredAt.Compare(k.EnteredAt),", "", isTrade},
	{"float", "labs/kit/trade/pool.go",
		"return r.mulDiv(cost, part.Abs(), quantity.Abs(), c.Places())",
		"f, _ := strconv.ParseFloat(r.mulDiv(cost, part.Abs(), quantity.Abs(), 9).String(), 64); " +
			"return Dec(strconv.FormatFloat(f, 'f', int(c.Places()), 64))", `"strconv"`, isTrade},
	// The order of a map is random. With six marks it is that of the keys at times.
	{"map order", "labs/kit/trade/state.go", "strings.Compare(a.Delivery, b.Delivery)", "0", "",
		isMark},
}

// sampleBooks is the size of the book, in sample books.
func sampleBooks(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("BLOTTER_REGRESSIONS"), "1"))
	require.NoError(t, err)
	return n
}

// replays measures the two chains in a long run. In other runs it returns zero.
func (h history) replays(t *testing.T, other program) time.Duration {
	t.Helper()
	if sampleBooks(t) == 1 {
		return 0
	}
	began := time.Now()
	_, err := h.chain()
	require.NoError(t, err)
	require.NoError(t, other.ask(t.Context(), &chainAnswer{}, "replay", "--chain"))
	return time.Since(began)
}

func isMark(e trade.Event) bool  { _, ok := e.Body.(trade.PriceMarked); return ok }
func isTrade(e trade.Event) bool { return !isMark(e) }

// A copy of the reference with one changed line is compared as replay --against does. It must part
// at the first event after which the two states differ, by the plain definition of the state. A
// short run and one with the race detector have one regression, a full run two.
// BLOTTER_REGRESSIONS=20 has all, on a book of 20 times the size, and prints the time that the
// search takes beyond the two replays. The budget is 10 s. The test fails after 30 s, because the
// copies share the processors.
func TestRegressions(t *testing.T) {
	t.Parallel()
	all := regressions
	switch {
	case testing.Short() || racing:
		all = all[:1]
	case os.Getenv("BLOTTER_REGRESSIONS") == "":
		all = all[:2]
	}
	h, file := sampleHistory(t)
	if sampleBooks(t) == 1 {
		differenceShowsItsEvent(t, h)
	} else {
		same, err := h.compare(t.Context(), refold(t, file, regression{}))
		require.NoError(t, err)
		require.Nil(t, same, "an unchanged copy does not part")
	}
	for _, r := range all {
		t.Run(r.name, func(t *testing.T) {
			t.Parallel()
			other := refold(t, file, r)
			replays := h.replays(t, other)
			began := time.Now()
			part, err := h.compare(t.Context(), other)
			require.NoError(t, err)
			require.NotNil(t, part)
			more := time.Since(began) - replays
			t.Logf("%s, found in %v more than two replays, %v\n%s", placeOf(part.here), more,
				replays, fieldLines(capstone.Parting(part.here, part.there)))
			if sampleBooks(t) > 1 {
				require.Less(t, more, 30*time.Second)
			}
			e := h.streams[part.here.Stream][part.here.Version-1]
			require.True(t, r.at(e), "it parts at %T", e.Body)
			require.Equal(t, part.here.Event, part.there.Event)
			if r.name == "map order" {
				return // its states differ from one another, too
			}
			require.Equal(t, h.stateAfter(t, part.here.N-1), stateAfter(t, other, part.here.N-1))
			require.NotEqual(t, h.stateAfter(t, part.here.N), stateAfter(t, other, part.here.N))
		})
	}
}

// A difference shows the first event that the archived state does not have, with the fields that it
// changed. Without such an event there is nothing to show.
func differenceShowsItsEvent(t *testing.T, h history) {
	t.Helper()
	const stream = "trade/SIM2025T0000013"
	effect := func(version int64) string {
		text, err := effectOf(h.streams, stream, version)
		require.NoError(t, err)
		return text
	}
	require.Contains(t, effect(5), "\n  event 737: version 5 of stream "+stream+", id ")
	require.Contains(t, effect(5), "\n    quantity: before \"-3300\", after \"-2541\"")
	require.Empty(t, effect(0))
	require.Empty(t, effect(1000))
}

// refold builds the program with a regression.
func refold(t *testing.T, log string, r regression) program {
	t.Helper()
	dir := t.TempDir()
	build := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, "refold.exe"))
	if r.file != "" {
		build.Args = append(build.Args, "-overlay", r.overlay(t, dir))
	}
	build.Args = append(build.Args, "./testdata/refold")
	out, err := build.CombinedOutput()
	require.NoError(t, err, "%s", out)
	return program{filepath.Join(dir, "refold.exe"), []string{log}}
}

// overlay writes the changed file, and the file that tells the Go tool of it.
func (r regression) overlay(t *testing.T, dir string) string {
	t.Helper()
	_, self, _, _ := runtime.Caller(0)
	original := filepath.Join(filepath.Dir(self), "../../..", filepath.FromSlash(r.file))
	text, err := os.ReadFile(original)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(string(text), r.line), "%s has another line now", r.file)
	changed := strings.Replace(string(text), r.line, r.changed, 1)
	if r.imports != "" {
		changed = strings.Replace(changed, "import (", "import (\n"+r.imports, 1)
	}
	file := filepath.Join(dir, "changed.go")
	require.NoError(t, os.WriteFile(file, []byte(changed), 0o600))
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{original: file}})
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "overlay"), overlay, 0o600))
	return filepath.Join(dir, "overlay")
}

func stateAfter(t *testing.T, other program, n int64) (digest string) {
	t.Helper()
	require.NoError(t, other.ask(t.Context(), &digest, "replay", "--state", fmt.Sprint(n)))
	return digest
}

// stateAfter returns the digest of the state after n events.
func (h history) stateAfter(t *testing.T, n int64) string {
	t.Helper()
	some := map[string][]trade.Event{}
	for s, err := range trade.Steps(h.streams) {
		require.NoError(t, err)
		if s.N <= n {
			some[s.Stream] = h.streams[s.Stream][:s.Version]
		}
	}
	return fmt.Sprintf("%x", trade.StateOf(some, trade.AsOf{}).Digest())
}

// sampleHistory returns the history of the sample book, or of a larger one, with a mark of an older
// schema at its end. The log is also in a file.
func sampleHistory(t *testing.T) (history, string) {
	t.Helper()
	s := capstone.New(logs.New(contract.SimulatedClock), codec.Offline(), "test")
	for step := range simulate.Book(simulate.Config{
		Seed: 2025, Trades: 540 * sampleBooks(t), From: time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		Days: 365,
	}) {
		_, err := s.Do(t.Context(), step.Command)
		require.NoError(t, err)
	}
	end, err := s.Log.End(t.Context())
	require.NoError(t, err)
	var all []contract.Recorded
	var last contract.Recorded // of a curve
	for r, err := range s.Log.Read(t.Context(), nil, end) {
		require.NoError(t, err)
		if all = append(all, r); r.Stream == "curve/power/CET/base" {
			last = r
		}
	}
	all = append(all, oldMark(t, last, all[len(all)-1].RecordedAt))
	h := history{streams: map[string][]trade.Event{}, to: contract.Cursor{1}}
	for _, r := range all {
		if !trade.Folds(r.Stream) {
			continue
		}
		e, err := contract.Decoded(t.Context(), s.Desk.Codec, r)
		require.NoError(t, err)
		h.streams[r.Stream] = append(h.streams[r.Stream], e)
	}
	var text bytes.Buffer
	require.NoError(t, gob.NewEncoder(&text).Encode(all))
	file := filepath.Join(t.TempDir(), "log")
	require.NoError(t, os.WriteFile(file, text.Bytes(), 0o600))
	return h, file
}

// oldMark returns the next event of a curve, in version 1 of its schema.
func oldMark(t *testing.T, r contract.Recorded, after time.Time) contract.Recorded {
	t.Helper()
	id := slices.IndexFunc(schemas.All(), func(s schemas.Schema) bool {
		return s.Type == r.Type && s.Version == 1
	}) + 1 // the offline registry counts from 1
	body, err := hex.DecodeString( // a price of 84.25 for March 2025
		"1c706f7765722f4345542f626173650645555202e8ba02a6bb020805058d9000")
	require.NoError(t, err)
	r.ID, r.Version = uuid.UUID{1}, r.Version+1
	r.RecordedAt, r.EffectiveAt = after.Add(time.Microsecond), after
	r.Data = append([]byte{0, 0, 0, 0, byte(id)}, body...)
	return r
}
