package extract_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// events is the lines of events.jsonl.
func events(t *testing.T, bundle fstest.MapFS) (all []map[string]any) {
	for text := range strings.Lines(string(bundle["events.jsonl"].Data)) {
		var e map[string]any
		require.NoError(t, json.Unmarshal([]byte(text), &e))
		all = append(all, e)
	}
	return all
}

func TestABundleHasWhatWasAskedFor(t *testing.T) {
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
		{"everything, as of an older checkpoint", extract.Query{}, 6, []float64{0, 1, 2, 4}, 3},
		{"a trade, its refusal with it", extract.Query{UTIs: []string{"T-1"}}, 0, []float64{0, 2, 4, 10}, 2},
		{"a trade, as of an older checkpoint", extract.Query{UTIs: []string{"T-1"}}, 6, []float64{0, 2, 4}, 2},
		{"two trades, named twice", extract.Query{UTIs: []string{"T-3", "T-2", "T-3"}}, 0, []float64{1, 7, 8, 11}, 2},
		{"a book, as recorded at first", extract.Query{Book: "CRUDE"}, 0, []float64{0, 2, 4, 7, 8, 10}, 2},
		{"a book, as corrected", extract.Query{Book: "OTHER"}, 0, []float64{1, 7, 8, 11}, 2},
		{"a period, both ends included", extract.Query{From: at(2), Until: at(4)}, 0, []float64{1, 2, 4}, 1},
		{"a trade from a time on", extract.Query{UTIs: []string{"T-1"}, From: at(4)}, 0, []float64{4, 10}, 1},
		{"a book in a period that does not show the book", extract.Query{Book: "CRUDE", From: at(8)}, 0, []float64{10}, 1},
	} {
		t.Run(tc.name, func(t *testing.T) {
			bundle := d.make(tc.query, tc.size)
			v, err := extract.Verify(bundle, d.options.Verifier)
			require.NoError(t, err)
			require.Len(t, v.Manifest.Proven, tc.proven)
			var leaves []float64
			for _, e := range events(t, bundle) {
				leaves = append(leaves, e["leaf"].(float64))
			}
			require.Equal(t, tc.leaves, leaves)
			require.EqualValues(t, len(leaves), v.Manifest.Counts.Events)
		})
	}
}

func TestTheSameQuestionGivesTheSameBytesWhoeverAsks(t *testing.T) {
	t.Parallel()
	d := story(t)
	dirs := []string{filepath.Join(t.TempDir(), "a"), filepath.Join(t.TempDir(), "b")}
	asks := []extract.Ask{
		{Query: extract.Query{UTIs: []string{"T-1", "T-2"}}, Checkpoint: 13, Actor: "auditor/1", Reason: "year end", At: noon},
		{Query: extract.Query{UTIs: []string{"T-2", "T-1", "T-1"}}, Checkpoint: 13, Actor: "regulator/7", Reason: "enquiry", At: noon.Add(time.Hour)},
	}
	for i, dir := range dirs {
		_, err := extract.Make(t.Context(), dir, asks[i], d.options)
		require.NoError(t, err)
		d.record("trade/T-9", oil("CRUDE", "1")) // the log goes on; what is under the checkpoint does not change
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
		require.Equal(t, extract.Request{Manifest: v.Digest, Actor: asks[i].Actor, Reason: asks[i].Reason, At: asks[i].At}, r)
		for n := range len(signed) * 8 {
			bad := []byte(string(signed))
			bad[n/8] ^= 1 << (n % 8)
			_, err := extract.OpenRequest(bad, d.options.Verifier)
			require.Error(t, err, "bit %d", n)
		}
	}
}

func TestWhatCannotBeCertifiedIsNotMade(t *testing.T) {
	t.Parallel()
	ask := extract.Ask{Actor: "auditor/1", Reason: "year end", At: noon}
	with := func(change func(*extract.Ask)) extract.Ask { a := ask; change(&a); return a }
	for _, tc := range []struct {
		name string
		ask  extract.Ask
		want string
	}{
		{"nobody asks", with(func(a *extract.Ask) { a.Actor = " " }), "actor is empty"},
		{"for no reason", with(func(a *extract.Ask) { a.Reason = "" }), "reason is empty"},
		{"no such trade", with(func(a *extract.Ask) { a.UTIs = []string{"T-4"} }), "no event under the checkpoint answers the query"},
		{"no such book", with(func(a *extract.Ask) { a.Book = "GAS" }), "no event under the checkpoint answers the query"},
		{"trades and a book", with(func(a *extract.Ask) { a.UTIs, a.Book = []string{"T-1"}, "GAS" }), "not for both"},
		{"backwards", with(func(a *extract.Ask) { a.From, a.Until = noon, noon.Add(-time.Second) }), "before it begins"},
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
	d := newDesk(t)
	_, err := extract.Make(t.Context(), filepath.Join(t.TempDir(), "out"), ask, d.options)
	require.ErrorIs(t, err, extract.ErrUnsealed)
	d = story(t)
	_, err = extract.Make(t.Context(), t.TempDir(), ask, d.options)
	require.ErrorIs(t, err, os.ErrExist)
}

func TestALogThatIsNotWhatWasSealedIsNotExtracted(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name   string
		tamper func(*contract.Recorded) bool // false deletes it
	}{
		{"a changed reason", func(r *contract.Recorded) bool { r.Reason = "never mind"; return true }},
		{"a flipped bit of data", func(r *contract.Recorded) bool { r.Data[len(r.Data)-1] ^= 1; return true }},
		{"a deleted event", func(*contract.Recorded) bool { return false }},
		{"a stream that hides the event from the query", func(r *contract.Recorded) bool { r.Stream = "trade/T-7"; return true }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			d := story(t)
			d.options.Log = tampered{d.store, tc.tamper}
			ask := extract.Ask{Query: extract.Query{UTIs: []string{"T-1"}}, Actor: "auditor/1", Reason: "year end", At: noon}
			_, err := extract.Make(t.Context(), filepath.Join(t.TempDir(), "out"), ask, d.options)
			require.ErrorIs(t, err, extract.ErrDiffers)
			require.ErrorContains(t, err, "position 0/2 (leaf 2)")
		})
	}
}

func TestASimulatedLogIsCalledOne(t *testing.T) {
	t.Parallel()
	d := story(t)
	d.options.Simulated = true
	v, err := extract.Verify(d.make(extract.Query{}, 0), d.options.Verifier)
	require.NoError(t, err)
	require.True(t, v.Manifest.Simulated)
}

// A crash leaves a half-made bundle under another name, and the next Make is not held up by it.
func TestAHalfMadeBundleIsReplaced(t *testing.T) {
	t.Parallel()
	d, dir := story(t), filepath.Join(t.TempDir(), "out")
	require.NoError(t, os.MkdirAll(dir+".partial", 0o755))
	require.NoError(t, os.WriteFile(filepath.Join(dir+".partial", "rest"), []byte("x"), 0o644))
	_, err := extract.Make(t.Context(), dir, extract.Ask{Actor: "auditor/1", Reason: "year end", At: noon}, d.options)
	require.NoError(t, err)
	_, err = extract.Verify(os.DirFS(dir), d.options.Verifier)
	require.NoError(t, err)
}

// Trees of every size up to 40, and every leaf of each: the paths collected in one pass are the right ones.
func TestProofsHoldInTreesOfEverySize(t *testing.T) {
	t.Parallel()
	d := newDesk(t)
	for n := range 30 {
		d.record("trade/T-1", trade.Settle{Quantity: barrels("1"), Price: trade.Int(int64(n))})
		if n%4 != 0 {
			size := d.seal().Size
			_, err := extract.Verify(d.make(extract.Query{}, size), d.options.Verifier)
			require.NoError(t, err)
			_, err = extract.Verify(d.make(extract.Query{From: noon.Add(time.Duration(n/2) * time.Hour)}, size), d.options.Verifier)
			require.NoError(t, err)
		}
	}
}
