package projection

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

const (
	lab       = "../../../labs/3-projections/"
	guideFile = lab + "README.md"
)

// The guide lists every check and every invariant that a check tests. To rewrite its table of
// checks: go test ./solutions/3-projections/plain -run Guide -update
func TestGuideListsEveryCheck(t *testing.T) {
	t.Parallel()
	check.RequireGuide(t, projectiontest.Lab(projectiontest.Answer{}), "../../..", *Update)
}

// The rules, checks, files, commands and links that the guide names exist.
func TestGuideNamesExistingThings(t *testing.T) {
	t.Parallel()
	text := check.ReadText(t, guideFile)
	stated := check.ReadText(t, "../../../labs/kit/contract/projection.go")
	flat := strings.Join(strings.Fields(strings.ReplaceAll(stated, "//", "")), " ")
	rules := regexp.MustCompile(`\| (L3\.I\d) \| ([^|]+) \|`)
	for _, m := range rules.FindAllStringSubmatch(text, -1) {
		rule, _, _ := strings.Cut(m[2], ", byte for byte")
		require.Contains(t, flat, m[1]+" "+rule)
	}
	makefile := check.ReadText(t, "../../../Makefile")
	for _, m := range regexp.MustCompile(`(?m)^make (\w+)`).FindAllStringSubmatch(text, -1) {
		require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, makefile)
	}
	for _, m := range regexp.MustCompile("`(\\w+\\.go)`").FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(lab + m[1])
		if os.IsNotExist(err) {
			_, err = os.Stat(m[1]) // a test of the solution
		}
		require.NoError(t, err, "the guide names %s", m[1])
	}
	for _, m := range regexp.MustCompile(`\]\(([^)#:]+)\)`).FindAllStringSubmatch(text, -1) {
		_, err := os.Stat(lab + m[1])
		require.NoError(t, err)
	}
	ids := regexp.MustCompile(`L3\.(\d+)\b`).FindAllString(text, -1)
	for _, c := range projectiontest.Lab(projectiontest.Answer{}).Checks {
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
	}
	require.Empty(t, ids, "checks that do not exist")
}

// The guide's figures of the saved states follow from Spacing.
func TestGuideKnowsTheSpacing(t *testing.T) {
	t.Parallel()
	require.Contains(t, check.ReadText(t, guideFile), "States are saved after legs 16, 32 and 40")
	legs := make([]trade.Leg, 40)
	for i := range legs {
		legs[i].Key.Version = int64(i + 1)
		legs[i].Quantity, legs[i].Amount = trade.Int(1), trade.Int(-50)
	}
	states := refolded(t, legs)
	require.Equal(t, []int64{16, 32, 40}, states)
}

// pictured is the pool of the guide's picture: its legs by date, and the late one.
var pictured = []struct {
	date, text       string
	quantity, amount int64
	late             bool
}{
	{"10 Jan", "buy 100 at 50", 100, -5000, false},
	{"20 Jan", "buy 100 at 60", 100, -6000, true},
	{"12 Feb", "sell 60 at 56", -60, 3360, false},
	{"5 Mar", "sell 40 at 52", -40, 2080, false},
}

// The picture in the guide shows the pool before and after the late leg, as trade.Pool nets it. To
// draw it again: go test ./solutions/3-projections/plain -run Guide -update
func TestGuideShowsALateLeg(t *testing.T) {
	t.Parallel()
	want := picture()
	if *Update {
		require.NoError(t, os.WriteFile(lab+"late-leg.svg", []byte(want), 0o644))
	}
	require.Equal(t, want, check.ReadText(t, lab+"late-leg.svg"))
}

func picture() string {
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 800 250" role="img"
  font-family="ui-monospace, monospace" font-size="13">
<title>Legs of a pool before and after a late leg</title>
<style>
  text { fill: #1f2328 } .dim { fill: #656d76 } .line { stroke: #8c959f }
  .new { fill: #ddf4ff } .again { fill: #fff8c5 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dim { fill: #9198a1 } .line { stroke: #6e7681 }
    .new { fill: #0c2d6b } .again { fill: #4b2900 }
  }
</style>
`)
	columns := []int{10, 80, 240, 330, 460}
	y := 24
	write := func(class string, cells ...string) {
		if class != "" {
			fmt.Fprintf(&b, `<rect class="%s" x="4" y="%d" width="560" height="20" rx="3"/>`+"\n",
				class, y-15)
		}
		for i, cell := range cells {
			fmt.Fprintf(&b, `<text x="%d" y="%d">%s</text>`, columns[i], y, cell)
		}
		b.WriteString("\n")
		y += 22
	}
	table := func(late bool) {
		write("", "leg", "", "held", "cost", "realised")
		fmt.Fprintf(&b, `<path class="line" d="M4 %dH564"/>`+"\n", y-17)
		var pool trade.Pool
		seen := false
		for _, l := range pictured {
			if l.late && !late {
				continue
			}
			pool.Apply(trade.Leg{
				Pool: trade.PoolKey{Currency: "EUR"}, Side: trade.Buy,
				Quantity: trade.Int(l.quantity), Amount: trade.Int(l.amount),
			})
			class := ""
			switch seen = seen || l.late; {
			case l.late:
				class = "new"
			case seen:
				class = "again"
			}
			a := pool.Average
			write(class, l.date, l.text, a.Quantity.String(), a.Cost.String(), a.Realised.String())
		}
	}
	table(false)
	y += 14
	table(true)
	for i, note := range []string{"the fold stays valid up to here", "came late",
		"folded again", "folded again"} {
		fmt.Fprintf(&b, `<text class="dim" x="576" y="%d" font-size="11">%s</text>`+"\n",
			148+22*i, note)
	}
	b.WriteString("</svg>\n")
	return b.String()
}

// refolded returns the numbers of legs after which a pool has saved states.
func refolded(t *testing.T, legs []trade.Leg) (counts []int64) {
	t.Helper()
	states, err := Refold(nil, legs[0].Key, func(contract.SavedPool) ([]trade.Leg, error) {
		return legs, nil
	})
	require.NoError(t, err)
	for _, s := range states {
		counts = append(counts, s.Legs)
	}
	return counts
}
