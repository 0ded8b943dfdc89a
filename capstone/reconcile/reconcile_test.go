package reconcile_test

import (
	"errors"
	"fmt"
	"iter"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/reconcile"
	"example.com/blotter/labs/kit/trade"
)

// collect returns the differences in order of their texts.
func collect(t *testing.T, all iter.Seq2[reconcile.Difference, error]) (found []string) {
	t.Helper()
	for d, err := range all {
		require.NoError(t, err)
		found = append(found, fmt.Sprintf("%s.%s: %q %q", d.Key, d.Field, d.Ours, d.Theirs))
	}
	slices.Sort(found)
	return found
}

// Compare finds what a comparison of two maps finds, on random sides of which some rows differ, are
// missing, or come twice.
func TestCompareEqualsANaiveOne(t *testing.T) {
	t.Parallel()
	for seed := range uint64(500) {
		r := rand.New(rand.NewPCG(seed, 11))
		ours, theirs := randomSide(r), randomSide(r)
		got := collect(t, reconcile.Compare("job", reconcile.Rows(ours), reconcile.Rows(theirs)))
		want := naive(ours, theirs)
		slices.Sort(want)
		require.Equal(t, want, got, "seed %d", seed)
	}
}

func randomSide(r *rand.Rand) (rows []reconcile.Row) {
	for key := range 6 {
		for range []int{0, 1, 1, 1, 2}[r.IntN(5)] {
			row := reconcile.Row{Key: fmt.Sprint("T", key)}
			for _, name := range []string{"a", "b"} {
				if value := []string{"", "1", "2"}[r.IntN(3)]; value != "" {
					row.Fields = append(row.Fields, reconcile.Field{Name: name, Value: value})
				}
			}
			rows = append(rows, row)
		}
	}
	r.Shuffle(len(rows), func(i, j int) { rows[i], rows[j] = rows[j], rows[i] })
	return rows
}

func naive(ours, theirs []reconcile.Row) (found []string) {
	first := func(rows []reconcile.Row) (map[string]map[string]string, map[string]int) {
		values, n := map[string]map[string]string{}, map[string]int{}
		for _, row := range rows {
			if n[row.Key]++; n[row.Key] == 1 {
				values[row.Key] = map[string]string{}
				for _, f := range row.Fields {
					values[row.Key][f.Name] = f.Value
				}
			}
		}
		return values, n
	}
	here, ourCount := first(ours)
	there, theirCount := first(theirs)
	keys := maps.Clone(ourCount)
	maps.Copy(keys, theirCount)
	for key := range keys {
		add := func(field, ours, theirs string) {
			found = append(found, fmt.Sprintf("%s.%s: %q %q", key, field, ours, theirs))
		}
		if ourCount[key] > 1 {
			add("twice", "again", "")
		}
		if theirCount[key] > 1 {
			add("twice", "", "again")
		}
		switch {
		case theirCount[key] == 0:
			add("row", "present", "")
			continue
		case ourCount[key] == 0:
			add("row", "", "present")
			continue
		}
		for _, name := range []string{"a", "b"} {
			if here[key][name] != there[key][name] {
				add(name, here[key][name], there[key][name])
			}
		}
	}
	return found
}

// A side out of order, or one that fails, ends the comparison with an error.
func TestCompareRefusesABadSide(t *testing.T) {
	t.Parallel()
	none := reconcile.Rows(nil)
	unsorted := func(yield func(reconcile.Row, error) bool) {
		_ = yield(reconcile.Row{Key: "B"}, nil) && yield(reconcile.Row{Key: "A"}, nil)
	}
	failing := func(yield func(reconcile.Row, error) bool) {
		yield(reconcile.Row{}, errors.New("the store is away"))
	}
	for want, side := range map[string]iter.Seq2[reconcile.Row, error]{
		`key "A" comes after key "B"`: unsorted, "the store is away": failing,
	} {
		for _, sides := range [][2]iter.Seq2[reconcile.Row, error]{{none, side}, {side, none}} {
			var last error
			for _, err := range reconcile.Compare("job", sides[0], sides[1]) {
				last = err
			}
			require.ErrorContains(t, last, want)
		}
	}
}

// The life of a break: a second run opens nothing, a run that does not find it closes it, it is
// opened again if it comes back, and an accepted one is not.
func TestLifeOfABreak(t *testing.T) {
	t.Parallel()
	price := reconcile.Difference{Job: "file:ACME", Key: "T1", Field: "price", Ours: "70",
		Theirs: "71"}
	other := reconcile.Difference{Job: "heads", Key: "T1", Field: "price", Ours: "70", Theirs: "71"}
	require.NotEqual(t, price.ID(), other.ID())
	require.Len(t, price.ID(), 16)
	l := &life{t: t, at: time.Date(2025, 1, 15, 9, 0, 0, 0, time.UTC)}

	require.Equal(t, 2, l.run("file:ACME", price)+l.run("heads", other))
	require.Zero(t, l.run("file:ACME", price, price), "a second run opens nothing")
	step, err := l.breaks.Assign(price.ID(), "ops/1")
	require.NoError(t, err)
	l.take(step)
	_, err = l.breaks.Assign(price.ID(), "ops/1")
	require.ErrorContains(t, err, "break.assignee")
	b := l.only("file:ACME")
	require.Equal(t, "ops/1", b.Assignee)
	require.Equal(t, time.Hour, b.Age(b.Opened.Add(time.Hour)))

	require.Equal(t, 1, l.run("file:ACME"), "it vanished")
	require.Equal(t, reconcile.Vanished, l.only("file:ACME").State)
	require.Equal(t, reconcile.Open, l.only("heads").State, "another job's break stays open")
	require.Equal(t, 1, l.run("file:ACME", price), "it came back")

	step, err = l.breaks.Accept(price.ID())
	require.NoError(t, err)
	l.take(step)
	require.Zero(t, l.run("file:ACME", price)+l.run("file:ACME"), "an accepted one stays closed")
	_, err = l.breaks.Accept(price.ID())
	require.ErrorContains(t, err, "break.not-open")
	_, err = l.breaks.Assign("00", "ops/1")
	require.ErrorContains(t, err, "break.unknown")
}

// A run closes only the breaks that it looked at: not one of a field that it did not compare, nor
// of a row that one side lacks now, nor any while a fault hides what comes after it.
func TestOnlyLookedAtBreaksVanish(t *testing.T) {
	t.Parallel()
	of := func(key, field string) reconcile.Difference {
		return reconcile.Difference{Job: "job", Key: key, Field: field, Ours: "70"}
	}
	l := &life{t: t, at: time.Date(2025, 1, 15, 9, 0, 0, 0, time.UTC)}
	price, row := of("T1", "price"), of("T2", reconcile.Missing)
	twice, other := of("T3", reconcile.Twice), of("T4", "price")
	require.Equal(t, 4, l.run("job", price, row, twice, other))
	closed := func(fields []string, found ...reconcile.Difference) (ids []string) {
		for _, step := range l.breaks.Run("job", found, fields) {
			if _, ends := step.Body.(reconcile.Resolved); ends {
				ids = append(ids, step.ID)
			}
		}
		return ids
	}
	require.Len(t, closed(nil), 4)
	require.Len(t, closed([]string{"price"}), 4)
	require.ElementsMatch(t, []string{row.ID(), twice.ID()}, closed([]string{"side"}))
	require.ElementsMatch(t, []string{row.ID(), twice.ID(), other.ID()},
		closed(nil, of("T1", reconcile.Missing)))
	require.Empty(t, closed(nil, of("leaf 7", reconcile.Fault)))
}

// life evolves breaks by the steps that they decide.
type life struct {
	t      *testing.T
	breaks reconcile.Breaks
	at     time.Time
}

func (l *life) run(job string, found ...reconcile.Difference) int {
	steps := l.breaks.Run(job, found, nil)
	for _, s := range steps {
		l.take(s)
	}
	return len(steps)
}

func (l *life) take(s reconcile.Step) {
	l.at = l.at.Add(time.Minute)
	l.breaks.Evolve(reconcile.Entry{Stream: reconcile.StreamOf(s.ID), Version: s.Version + 1,
		At: l.at, Actor: "ops/9", Body: s.Body})
}

func (l *life) only(job string) reconcile.Break {
	l.t.Helper()
	found := l.breaks.List(func(b reconcile.Break) bool { return b.Job == job })
	require.Len(l.t, found, 1)
	return found[0]
}

// A file that cannot be compared is refused, with the line of the fault.
func TestReadFileNamesTheLine(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"":                                   "no header",
		"price\n70\n":                        "line 1: want the column uti",
		"uti\nT1\n":                          "line 1: want the column uti and some of",
		"uti,prize\nT1,70\n":                 `line 1: column "prize"`,
		"uti,price,price\nT1,70,70\n":        `line 1: column "price"`,
		"uti,price\nT1,70\nT2,seventy\n":     "line 3: price: ",
		"uti,side\nT1,long\n":                `line 2: side "long": want buy or sell`,
		"uti,price\nt 1,70\n":                `line 2: uti "t 1": want `,
		"uti,price\nT1,70,EUR\n":             "wrong number of fields",
		"uti,price\n\"T1,70\nT2,70\nT3,70\n": "quote",
	} {
		_, _, err := reconcile.ReadFile(strings.NewReader(text), false)
		require.ErrorContains(t, err, want, "%q", text)
	}
	file := strings.NewReader("price,uti,side\n70.50,T1,BUY\n")
	fields, rows, err := reconcile.ReadFile(file, true)
	require.NoError(t, err)
	require.Equal(t, []string{"price", "side"}, fields)
	require.Equal(t, []reconcile.Row{{Key: "T1", Fields: []reconcile.Field{
		{Name: "price", Value: "70.5"}, {Name: "side", Value: "sell"}}}}, rows)
}

// A state has a row for each line of its canonical form, and a changed number shows as its field.
func TestStateRowsShowTheField(t *testing.T) {
	t.Parallel()
	at := time.Date(2025, 1, 15, 9, 0, 0, 0, time.UTC)
	state := func(open string) trade.State {
		return trade.State{
			Trades: []trade.Trade{{UTI: "T1", Status: trade.Live, Open: trade.Dec(open)}},
			Positions: []trade.Position{{
				PoolKey: trade.PoolKey{Book: "B", Instrument: "oil/BRENT@2025-06",
					Currency: "USD"},
				AverageCost: trade.Result{Cost: trade.Dec(open)}}},
			Curves: map[string]trade.Curve{"oil/BRENT": {Points: map[trade.Period]trade.Mark{
				{}: {Price: trade.Dec("71"), Currency: "USD", EffectiveAt: at}}}},
			Parked: []trade.Parked{{Stream: "trade/T2", Version: 2}},
		}
	}
	rows := func(open string) iter.Seq2[reconcile.Row, error] {
		return reconcile.Rows(reconcile.StateRows(state(open)))
	}
	require.Empty(t, collect(t, reconcile.Compare("model", rows("70"), rows("70.0"))))
	require.Equal(t, []string{
		`position B oil/BRENT@2025-06 USD.average_cost.cost: "70" "71"`,
		`trade T1.open: "70" "71"`,
	}, collect(t, reconcile.Compare("model", rows("70"), rows("71"))))
}
