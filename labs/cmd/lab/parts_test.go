package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
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

// Every mix of the reference's parts and one's own has the digest of the reference, if one's own
// are the reference's in disguise. BLOTTER_MIXES=all runs all 32 mixes instead of those that cover
// each pair of parts.
func TestMixesHaveOneDigest(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("builds the capstone for each mix")
	}
	c := posing(t, nil)
	mixes := append([]mix{allMine}, covering...)
	if os.Getenv("BLOTTER_MIXES") == "all" {
		mixes = nil
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
}
