package audit

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/5-audit/audittest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
)

const (
	lab       = "../../../labs/5-audit/"
	guideFile = lab + "README.md"
)

// The guide lists every check and every invariant that a check tests. To rewrite its table of
// checks: go test ./solutions/5-audit/plain -run Guide -update
func TestGuideListsEveryCheck(t *testing.T) {
	t.Parallel()
	check.RequireGuide(t, audittest.Lab(audittest.Answer{}), "../../..", *Update)
}

// The rules, checks, files, commands and links that the guide names exist.
func TestGuideNamesExistingThings(t *testing.T) {
	t.Parallel()
	text := check.ReadText(t, guideFile)
	stated := check.ReadText(t, "../../../labs/kit/contract/audit.go")
	flat := strings.Join(strings.Fields(strings.ReplaceAll(stated, "//", "")), " ")
	rules := regexp.MustCompile(`\| (L5\.I\d+) \| ([^|]+) \|`)
	for _, m := range rules.FindAllStringSubmatch(text, -1) {
		require.Contains(t, flat, m[1]+" "+m[2])
	}
	makefile := check.ReadText(t, "../../../Makefile")
	for _, m := range regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(text, -1) {
		require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, makefile)
	}
	for _, m := range regexp.MustCompile("`([\\w/.-]+\\.go)`").FindAllStringSubmatch(text, -1) {
		found := slices.ContainsFunc([]string{lab, "", "../../../"}, func(folder string) bool {
			_, err := os.Stat(folder + m[1])
			return err == nil
		})
		require.True(t, found, "the guide names %s", m[1])
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(lab + m[1])
		require.NoError(t, err)
	}
	ids := regexp.MustCompile(`L5\.(\d+)\b`).FindAllString(text, -1)
	for _, c := range audittest.Lab(audittest.Answer{}).Checks {
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
	}
	require.Empty(t, ids, "checks that do not exist")
}

// sevenLeaves are the leaves of the guide's picture.
func sevenLeaves() (leaves [][]byte) {
	for i := range 7 {
		leaves = append(leaves, fmt.Appendf(nil, "leaf %d", i))
	}
	return leaves
}

// over returns the root of the leaves from a to b.
func over(a, b int) contract.Hash { return Root(sevenLeaves()[a : b+1]) }

// The guide's answers about a tree of seven leaves are right: the proof of leaf 5, and the proof
// that a tree of three leaves grew to seven.
func TestGuideKnowsTheProofs(t *testing.T) {
	t.Parallel()
	require.Equal(t, []contract.Hash{over(4, 4), over(6, 6), over(0, 3)}, Prove(sevenLeaves(), 5))
	grew := []contract.Hash{over(2, 2), over(3, 3), over(0, 1), over(4, 6)}
	require.NoError(t, CheckConsistency(7, over(0, 6), 3, over(0, 2), grew))
	text := check.ReadText(t, guideFile)
	for _, answer := range []string{
		"the hash of leaf 4, the hash of\n> leaf 6, and the node over leaves 0 to 3",
		"the hash of leaf 2, the hash of leaf 3, the node over leaves 0 and 1, and the node over" +
			"\n> leaves 4 to 6",
	} {
		require.Contains(t, text, answer)
	}
}

// The guide's three batches have the sizes and first leaves of its answer.
func TestGuideKnowsTheBatches(t *testing.T) {
	t.Parallel()
	log, shelf := audittest.NewLog(1), new(audittest.Shelf)
	signer, verifier := audittest.Keys()
	a := New(Options{
		Log: log, Archive: shelf, Origin: audittest.Origin, Signer: signer, Verifier: verifier,
	})
	var sizes []int64
	for _, n := range []int{4, 2, 3} {
		log.Add(n)
		c, err := a.Seal(t.Context())
		require.NoError(t, err)
		sizes = append(sizes, c.Size)
	}
	batches, _, err := a.archived(t.Context())
	require.NoError(t, err)
	first := []int64{batches[0].First, batches[1].First, batches[2].First}
	text := check.ReadText(t, guideFile)
	require.Contains(t, text, fmt.Sprintf("The first leaves are %d and %d", first[1], first[2]))
	require.Contains(t, text,
		fmt.Sprintf("The sizes are %d, %d and %d", sizes[0], sizes[1], sizes[2]))
}

// The picture in the guide shows the tree of seven leaves, and the proof of leaf 5. To draw it
// again: go test ./solutions/5-audit/plain -run Guide -update
func TestGuideShowsAProof(t *testing.T) {
	t.Parallel()
	want := picture(5)
	if *Update {
		require.NoError(t, os.WriteFile(lab+"proof.svg", []byte(want), 0o644))
	}
	require.Equal(t, want, check.ReadText(t, lab+"proof.svg"))
}

// picture draws the tree of seven leaves. Nodes on the way from a leaf have another colour than
// those of its proof.
func picture(leaf int) string {
	var lines, boxes strings.Builder
	proof := Prove(sevenLeaves(), int64(leaf))
	var draw func(a, b, depth int) (x, y int)
	draw = func(a, b, depth int) (x, y int) {
		x, y = 60+100*a, 30+62*depth
		label := fmt.Sprintf("leaf %d", a)
		if a < b {
			k := int(split(int64(b - a + 1)))
			label = fmt.Sprintf("%d to %d", a, b)
			left, leftY := draw(a, a+k-1, depth+1)
			right, rightY := draw(a+k, b, depth+1)
			x = (left + right) / 2
			for _, to := range [][2]int{{left, leftY}, {right, rightY}} {
				fmt.Fprintf(&lines, `<path class="line" d="M%d %dL%d %d"/>`+"\n",
					x, y+12, to[0], to[1]-12)
			}
		}
		class := "other"
		switch {
		case a <= leaf && leaf <= b:
			class = "way"
		case slices.Contains(proof, over(a, b)):
			class = "proof"
		}
		fmt.Fprintf(&boxes, `<rect class="%s" x="%d" y="%d" width="72" height="24" rx="4"/>`,
			class, x-36, y-12)
		fmt.Fprintf(&boxes, `<text x="%d" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, y+5, label)
		return x, y
	}
	draw(0, 6, 0)
	return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 280" role="img"
  font-family="ui-monospace, monospace" font-size="13">
<title>A tree of seven leaves, and the proof of leaf 5</title>
<style>
  text { fill: #1f2328 } .dim { fill: #656d76 } .line { stroke: #8c959f }
  rect { stroke: #8c959f } .other { fill: none } .way { fill: #ddf4ff } .proof { fill: #fff8c5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dim { fill: #9198a1 } .line { stroke: #6e7681 }
    rect { stroke: #6e7681 } .way { fill: #0c2d6b } .proof { fill: #4b2900 }
  }
</style>
` + lines.String() + boxes.String() +
		`<rect class="way" x="24" y="256" width="14" height="14" rx="3"/>` +
		`<text class="dim" x="46" y="268" font-size="11">computed on the way to the root</text>
<rect class="proof" x="284" y="256" width="14" height="14" rx="3"/>` +
		`<text class="dim" x="306" y="268" font-size="11">the proof: all that is needed</text>
</svg>
`
}
