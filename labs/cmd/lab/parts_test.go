package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/kit/check"
)

// The text of a mix names each part, and parseMix is its inverse.
func TestMixesHaveTexts(t *testing.T) {
	t.Parallel()
	for m := range allMine + 1 {
		again, err := parseMix(m.String())
		require.NoError(t, err)
		require.Equal(t, m, again)
	}
	m, err := parseMix("3=mine,1=mine")
	require.NoError(t, err)
	require.Equal(t, "1=mine,2=reference,3=mine,4=reference,5=reference", m.String())
	require.Equal(t, "lab1,lab3", m.tags())
	for _, text := range []string{
		"", "1", "0=mine", "6=mine", "1=yours", "1=mine,1=reference", "mine",
	} {
		_, err := parseMix(text)
		require.ErrorContains(t, err, "no part of the capstone", text)
	}
}

// One's own part is taken if its lab passes every required check. A check that failed, was skipped
// or did not run makes the part the reference's; a bonus check does not.
func TestPassingLabsAreParts(t *testing.T) {
	t.Parallel()
	outcomes := func(lab string, change map[string]check.Outcome) (lines string) {
		for _, c := range checksOf(lab) {
			outcome := cmp.Or(change[c.ID], check.Passed)
			if c.Bonus {
				outcome = check.Failed
			}
			lines += fmt.Sprintf(`{"Action":"attr","Package":"m/labs/%s","Test":"Test/%s",`+
				`"Key":%q,"Value":"%s 1 %s"}`+"\n", lab, c.ID, check.Attribute, c.ID, outcome)
		}
		return lines
	}
	stream := outcomes("1-schemas", nil) +
		outcomes("2-store", map[string]check.Outcome{"L2.5": check.Failed}) +
		outcomes("3-projections", map[string]check.Outcome{"L3.1": check.Todo}) +
		`{"Action":"fail","Package":"m/labs/4-replay"}` + "\n" +
		outcomes("5-audit", nil)
	tally := newTally(io.Discard)
	require.NoError(t, tally.read(strings.NewReader(stream)))
	var notes strings.Builder
	require.Equal(t, mix(0b10001), tally.labs.passing(&notes))
	require.Equal(t, `part 2 is the reference's: 2-store does not pass, such as L2.5
part 3 is the reference's: 3-projections does not pass, such as L3.1
part 4 is the reference's: the tests of 4-replay did not run
`, notes.String())
	require.NoError(t, tally.read(strings.NewReader(outcomes("4-replay", nil))))
	require.Equal(t, mix(0b11001), tally.labs.passing(io.Discard))
}

// A part that does not compile is the reference's. The output says so, with the compiler's text.
func TestPartThatDoesNotCompile(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("compiles two labs")
	}
	fault := [2]string{"package replay", "package replay\nx"}
	c := posing(t, map[string][2]string{"4-replay/replay.go": fault})
	var notes strings.Builder
	m, err := (&demoCmd{Parts: "4=mine,5=mine"}).mix(t.Context(), c, &notes)
	require.NoError(t, err)
	require.Equal(t, mix(0b10000), m)
	require.Contains(t, notes.String(), "part 4 is the reference's: 4-replay does not compile\n")
	require.Contains(t, notes.String(), "replay.go:2:1: syntax error")
}

// posing returns a capstone in whose labs the reference poses as the student's parts. The faults
// replace a text in a file of a lab.
func posing(t *testing.T, faults map[string][2]string) *capstone {
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	dir := t.TempDir()
	overlay := map[string]map[string]string{"Replace": {}}
	for _, lab := range labNames {
		folder := filepath.Join(root, "solutions", lab, "plain")
		if lab == "1-schemas" {
			folder = filepath.Dir(folder)
		}
		for _, file := range filesOf(lab) {
			source := filepath.Join(folder, file)
			if fault, found := faults[lab+"/"+file]; found {
				text, err := os.ReadFile(source)
				require.NoError(t, err)
				require.Contains(t, string(text), fault[0])
				source = filepath.Join(dir, lab+"-"+file)
				wrong := strings.Replace(string(text), fault[0], fault[1], 1)
				require.NoError(t, os.WriteFile(source, []byte(wrong), 0o600))
			}
			overlay["Replace"][filepath.Join(root, "labs", lab, file)] = source
		}
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	c, err := newCapstone(root, append(os.Environ(), "GOFLAGS=-overlay="+file))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.close()) })
	return c
}

// covering has each part alone against each other in all four ways: every pair of parts meets as
// mine and mine, mine and reference, reference and mine, reference and reference.
var covering = []mix{0b00000, 0b00111, 0b11001, 0b01010, 0b10100, 0b11110}

func TestCoveringMixesCover(t *testing.T) {
	t.Parallel()
	for a := range labNames {
		for b := range a {
			seen := map[[2]bool]bool{}
			for _, m := range covering {
				seen[[2]bool{m.has(a), m.has(b)}] = true
			}
			require.Len(t, seen, 4, "parts %d and %d", a+1, b+1)
		}
	}
}

// A wrong part is named, whatever the flow shows of it: an error, a digest, a summary, a root. Two
// wrong parts are both named, and parts that are wrong only together.
func TestWrongPartsAreNamed(t *testing.T) {
	t.Parallel()
	right := outcome{summary: "sum\n", state: "sha256:1", root: strings.Repeat("a", 64)}
	for _, c := range []struct {
		what   string
		wrong  func(m mix) bool
		spoil  func(*outcome)
		prints string
	}{
		{"an error of part 2", func(m mix) bool { return m.has(1) },
			func(o *outcome) { *o = outcome{err: "no such stream"} },
			"part 2 (2-store) is wrong in the capstone: no such stream"},
		{"another digest of part 1", func(m mix) bool { return m.has(0) },
			func(o *outcome) { o.state = "sha256:2" },
			"part 1 (1-schemas) is wrong in the capstone: its state has the digest sha256:2"},
		{"another summary of part 3", func(m mix) bool { return m.has(2) },
			func(o *outcome) { o.summary = "sun\n" }, "expected  sum\n  actual    sun"},
		{"another root of part 4", func(m mix) bool { return m.has(3) },
			func(o *outcome) { o.root = strings.Repeat("b", 64) }, "part 4 (4-replay) is wrong"},
		{"parts 1 and 4", func(m mix) bool { return m.has(0) || m.has(3) },
			func(o *outcome) { o.state = "" },
			"part 1 (1-schemas) and part 4 (4-replay) are wrong"},
		{"parts 2 and 3 together", func(m mix) bool { return m.has(1) && m.has(2) },
			func(o *outcome) { o.state = "" }, "part 2 (2-store) and part 3 (3-projections) are"},
	} {
		fake := &capstone{outcome: map[mix]outcome{}}
		for m := range mix(1 << 4) { // without part 5, whose root is that of its guide
			o := right
			if c.wrong(m) {
				c.spoil(&o)
			}
			fake.outcome[m] = o
		}
		_, err := fake.prove(t.Context(), 0b1111, io.Discard)
		require.ErrorContains(t, err, c.prints, c.what)
		_, err = fake.prove(t.Context(), 0, io.Discard)
		require.NoError(t, err)
	}
}

// faults has one fault for each part.
var faults = map[string][2]string{
	"1-schemas/upcast.go":   {`Cut(curve, "/")`, `Cut(curve, "#")`},
	"2-store/decide.go":     {"expected != last.Version", "expected == last.Version"},
	"3-projections/fold.go": {"(uti, streams[stream],", "(uti, streams[stream][:1],"},
	"4-replay/replay.go":    {"events++", "events += 2"},
	"5-audit/tree.go":       {"hash(0, leaves[0])", "hash(1, leaves[0])"},
}

// Every mix of the reference's parts and one's own has the digest of the reference, if one's own
// are the reference's in disguise. A part with a fault is caught by the flow, and named.
// BLOTTER_MIXES=all runs all 32 mixes and all faults, instead of the mixes that cover each pair of
// parts and two faults.
func TestMixesHaveOneDigest(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the capstone for each mix")
	}
	c, wrong := posing(t, nil), posing(t, faults)
	mixes, wrongParts := covering, []int{2, 4}
	if os.Getenv("BLOTTER_MIXES") == "all" {
		mixes, wrongParts = nil, []int{0, 1, 2, 3, 4}
		for m := range allMine + 1 {
			mixes = append(mixes, m)
		}
	}
	states := map[string]bool{}
	for _, m := range mixes {
		o, err := c.prove(t.Context(), m, io.Discard)
		require.NoError(t, err, m)
		states[o.state] = true
		t.Logf("%s %s", m, o.state)
	}
	require.Len(t, states, 1)
	wrong.outcome[0] = c.outcome[0]
	for _, part := range wrongParts {
		_, err := wrong.prove(t.Context(), 1<<part, io.Discard)
		require.ErrorContains(t, err, fmt.Sprintf("part %d (%s) is wrong", part+1, labNames[part]))
		t.Log(err)
	}
}
