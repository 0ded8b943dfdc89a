package extract_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
	"example.com/blotter/solutions/2-store/memory"
)

// events returns the lines of events.jsonl.
func events(t *testing.T, bundle fstest.MapFS) (all []map[string]any) {
	for text := range strings.Lines(string(bundle["events.jsonl"].Data)) {
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		all = append(all, e)
	}
	return all
}

func TestBundleHasTheEventsOfTheQuery(t *testing.T) {
	t.Parallel()
	d := story(t)
	at := func(hour int) time.Time { return noon.Add(time.Duration(hour) * time.Hour) }
	for _, tc := range []struct {
		name   string
		query  extract.Query
		size   int64
		leaves []float64
		proven int // claims
	}{
		{"everything", extract.Query{}, 0, []float64{0, 1, 2, 4, 6, 7, 8, 10, 11}, 3},
		{"everything, older checkpoint", extract.Query{}, 6, []float64{0, 1, 2, 4}, 3},
		{"a trade with its refusal", trades("T-1"), 0, []float64{0, 2, 4, 10}, 3},
		{"a trade, older checkpoint", trades("T-1"), 6, []float64{0, 2, 4}, 3},
		{"a trade named twice", trades("T-3", "T-2", "T-3"), 0, []float64{1, 7, 8, 11}, 3},
		{"a book, before a correction", extract.Query{Book: "CRUDE"}, 0,
			[]float64{0, 2, 4, 7, 8, 10}, 3},
		{"a book, after a correction", extract.Query{Book: "OTHER"}, 0, []float64{1, 7, 8, 11}, 3},
		{"a period with both ends", extract.Query{From: at(2), Until: at(4)}, 0,
			[]float64{1, 2, 4}, 2},
		{"a trade from a time on", extract.Query{UTIs: []string{"T-1"}, From: at(4)}, 0,
			[]float64{4, 10}, 2},
		{"a book, named before the period", extract.Query{Book: "CRUDE", From: at(8)}, 0,
			[]float64{10}, 1},
		{"events by their ids", extract.Query{Events: []uuid.UUID{
			trade.EventID("trade/T-3", 6), trade.EventID("trade/T-1", 3),
			trade.EventID("trade/T-3", 6),
		}}, 0, []float64{2, 7}, 2},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bundle := d.make(tc.query, tc.size)
			v, err := extract.Verify(bundle, d.options.Verifier)
			require.NoError(t, err)
			require.Len(t, v.Manifest.Proven, tc.proven)
			readable := "the readable data is the raw data, read by the published schemas"
			require.Equal(t, append(v.Manifest.Proven, readable), v.Proven)
			require.Equal(t, v.Manifest.NotProven, v.NotProven)
			var leaves []float64
			for _, e := range events(t, bundle) {
				leaves = append(leaves, e["leaf"].(float64))
			}
			require.Equal(t, tc.leaves, leaves)
			require.EqualValues(t, len(leaves), v.Manifest.Counts.Events)
		})
	}
}

// The bundle does not depend on the person who asks. The request beside it names that person.
func TestSameQueryGivesTheSameBytes(t *testing.T) {
	t.Parallel()
	d := story(t)
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	asks := []extract.Ask{
		{Query: trades("T-1", "T-2"), Checkpoint: 13,
			Actor: "auditor/1", Reason: "year end", At: noon},
		{Query: trades("T-2", "T-1", "T-1"), Checkpoint: 13,
			Actor: "regulator/7", Reason: "enquiry", At: noon.Add(time.Hour)},
	}
	for i, dir := range dirs {
		_, err := extract.Make(t.Context(), dir, asks[i], d.options)
		require.NoError(t, err)
		d.record("trade/T-9", oil("CRUDE", "1")) // lies after the checkpoint
		d.seal()
	}
	require.Equal(t, load(t, dirs[0]), load(t, dirs[1]))

	for i, dir := range dirs {
		signed, err := os.ReadFile(extract.RequestFile(dir))
		require.NoError(t, err)
		r, err := extract.OpenRequest(signed, d.options.Verifier)
		require.NoError(t, err)
		v, err := extract.Verify(load(t, dir), d.options.Verifier)
		require.NoError(t, err)
		a := asks[i]
		want := extract.Request{Manifest: v.Digest, Actor: a.Actor, Reason: a.Reason, At: a.At}
		require.Equal(t, want, r)
		for n := range len(signed) * 8 {
			bad := []byte(string(signed))
			bad[n/8] ^= 1 << (n % 8)
			_, err := extract.OpenRequest(bad, d.options.Verifier)
			require.Error(t, err, "bit %d", n)
		}
	}
}

func TestMakeRefuses(t *testing.T) {
	t.Parallel()
	const none = "no event under the checkpoint answers the query"
	everything := ask(extract.Query{})
	with := func(change func(*extract.Ask)) extract.Ask { a := everything; change(&a); return a }
	for _, tc := range []struct {
		name string
		ask  extract.Ask
		want string
	}{
		{"no actor", with(func(a *extract.Ask) { a.Actor = " " }), "actor is empty"},
		{"no reason", with(func(a *extract.Ask) { a.Reason = "" }), "reason is empty"},
		{"no such trade", ask(trades("T-4")), none},
		{"no such book", ask(extract.Query{Book: "GAS"}), none},
		{"trades and a book", ask(extract.Query{UTIs: []string{"T-1"}, Book: "GAS"}),
			"not for both"},
		{"events and a period", ask(extract.Query{Events: []uuid.UUID{{1}}, From: noon}),
			"ask for events alone"},
		{"end before begin", ask(extract.Query{From: noon, Until: noon.Add(-time.Second)}),
			"before it begins"},
		{"no such checkpoint", with(func(a *extract.Ask) { a.Checkpoint = 5 }), "no such object"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d, dir := story(t), filepath.Join(t.TempDir(), "out")
			_, err := extract.Make(t.Context(), dir, tc.ask, d.options)
			require.ErrorContains(t, err, tc.want)
			left, err := os.ReadDir(filepath.Dir(dir))
			require.NoError(t, err)
			require.Empty(t, left)
		})
	}
	d := newLog(t)
	_, err := extract.Make(t.Context(), filepath.Join(t.TempDir(), "out"), everything, d.options)
	require.ErrorIs(t, err, extract.ErrUnsealed)
	d = story(t)
	_, err = extract.Make(t.Context(), t.TempDir(), everything, d.options)
	require.ErrorIs(t, err, os.ErrExist)
}

// A bundle is on record BEFORE it has its name. One that cannot be recorded is not handed out.
func TestNoBundleWithoutItsRecord(t *testing.T) {
	t.Parallel()
	d, dir := story(t), filepath.Join(t.TempDir(), "out")
	full := errors.New("the log takes no event")
	var seen []extract.Request
	d.options.Record = func(_ context.Context, r extract.Request, m extract.Manifest) error {
		require.NoDirExists(t, dir)
		require.NoFileExists(t, extract.RequestFile(dir))
		require.Equal(t, "trades T-1", m.Query.String())
		if seen = append(seen, r); len(seen) == 1 {
			return full
		}
		return nil
	}
	_, err := extract.Make(t.Context(), dir, ask(trades("T-1")), d.options)
	require.ErrorIs(t, err, full)
	left, err := os.ReadDir(filepath.Dir(dir))
	require.NoError(t, err)
	require.Empty(t, left)

	_, err = extract.Make(t.Context(), dir, ask(trades("T-1")), d.options)
	require.NoError(t, err)
	r, err := extract.ReadRequest(dir, d.options.Verifier)
	require.NoError(t, err)
	require.Equal(t, []extract.Request{r, r}, seen)
}

func TestChangedLogIsNotExtracted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		tamper func(*contract.Recorded) bool // false deletes it
	}{
		{"reason", func(r *contract.Recorded) bool { r.Reason = "never mind"; return true }},
		{"data bit", func(r *contract.Recorded) bool { r.Data[len(r.Data)-1] ^= 1; return true }},
		{"event removed", func(*contract.Recorded) bool { return false }},
		{"stream, so no query finds it", func(r *contract.Recorded) bool {
			r.Stream = "trade/T-7"
			return true
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := story(t)
			d.options.Log = tampered{d.store, tc.tamper}
			dir := filepath.Join(t.TempDir(), "out")
			_, err := extract.Make(t.Context(), dir, ask(trades("T-1")), d.options)
			require.ErrorIs(t, err, extract.ErrDiffers)
			require.ErrorContains(t, err, "position 0/2 (leaf 2)")
		})
	}
}

func TestManifestNamesASimulatedLog(t *testing.T) {
	t.Parallel()
	d := over(t, memory.NewSimulated())
	d.record("trade/T-1", trade.Settle{Quantity: barrels("1"), Price: trade.Int(1)})
	d.seal()
	v, err := extract.Verify(d.make(extract.Query{}, 0), d.options.Verifier)
	require.NoError(t, err)
	require.True(t, v.Manifest.Simulated)
}

// Data that is cut short, data of a schema that this program lacks, and data with another
// fingerprint are null. The bundle verifies, and does not claim that all data is readable. Nobody
// can say whether a trade is in a book if its first event has such a schema.
func TestNullDataIsNotVouchedFor(t *testing.T) {
	t.Parallel()
	d := newLog(t)
	d.record("trade/T-1", oil("CRUDE", "70"))
	d.record("trade/T-1", trade.Settle{Quantity: barrels("30"), Price: trade.Dec("70")},
		func(e *contract.Event) { e.Data = e.Data[:len(e.Data)-1] })
	d.record("refused/T-1", trade.CommandRefused{CommandID: "c", Rule: "r"},
		func(e *contract.Event) { e.Fingerprint = [32]byte{1} })
	d.seal()
	verified, err := extract.Verify(d.make(extract.Query{Book: "CRUDE"}, 0), d.options.Verifier)
	require.NoError(t, err)
	require.EqualValues(t, 3, verified.Manifest.Counts.Events)

	d.record("trade/T-2", oil("CRUDE", "10"), func(e *contract.Event) { e.Schema = 99 })
	d.seal()
	bundle := d.make(extract.Query{}, 0)
	verified, err = extract.Verify(bundle, d.options.Verifier)
	require.NoError(t, err)
	require.NotContains(t, strings.Join(verified.Proven, "\n"), "readable")
	require.Contains(t, verified.NotProven,
		"the meaning of raw where data is null: number of such events: 3")
	require.Nil(t, events(t, bundle)[1]["data"])
	_, err = extract.Make(t.Context(), t.TempDir()+"/out", ask(extract.Query{Book: "CRUDE"}),
		d.options)
	require.ErrorContains(t, err, "the book of stream trade/T-2 is not known: "+
		"this program does not have schema trade.new version 99")
}

// A crash leaves a half-made bundle with another name. The next Make replaces it.
func TestHalfMadeBundleIsReplaced(t *testing.T) {
	t.Parallel()
	d, dir := story(t), filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.MkdirAll(dir+".partial", 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir+".partial", "rest"), []byte("x"), 0o644))
	_, err := extract.Make(t.Context(), dir, ask(extract.Query{}), d.options)
	require.NoError(t, err)
	_, err = extract.Verify(os.DirFS(dir), d.options.Verifier)
	require.NoError(t, err)
}

// The extract collects all Merkle paths in one pass. They must prove every leaf, in trees of many
// sizes.
func TestProofsInTreesOfEverySize(t *testing.T) {
	t.Parallel()
	d := newLog(t)
	for n := range 30 {
		d.record("trade/T-1", trade.Settle{Quantity: barrels("1"), Price: trade.Int(int64(n))})
		if n%4 != 0 {
			size := d.seal().Size
			_, err := extract.Verify(d.make(extract.Query{}, size), d.options.Verifier)
			require.NoError(t, err)
			late := extract.Query{From: noon.Add(time.Duration(n/2) * time.Hour)}
			_, err = extract.Verify(d.make(late, size), d.options.Verifier)
			require.NoError(t, err)
		}
	}
}
