package replay

import (
	"context"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/3-projections/projectiontest"
	"example.com/blotter/labs/4-replay/replaytest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

const (
	lab       = "../../../labs/4-replay/"
	guideFile = lab + "README.md"
)

// The guide lists every check and every invariant that a check tests. To rewrite its table of
// checks: go test ./solutions/4-replay/plain -run Guide -update
func TestGuideListsEveryCheck(t *testing.T) {
	t.Parallel()
	check.RequireGuide(t, replaytest.Lab(replaytest.Answer{}), "../../..", *Update)
}

// The rules, checks, files, commands and links that the guide names exist, and the example prints
// the lines that the guide shows.
func TestGuideNamesExistingThings(t *testing.T) {
	t.Parallel()
	text := check.ReadText(t, guideFile)
	stated := check.ReadText(t, "../../../labs/kit/contract/replay.go")
	flat := strings.Join(strings.Fields(strings.ReplaceAll(stated, "//", "")), " ")
	rules := regexp.MustCompile(`\| (L4\.I\d) \| ([^|]+) \|`)
	for _, m := range rules.FindAllStringSubmatch(text, -1) {
		require.Contains(t, flat, m[1]+" "+m[2])
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
	ids := regexp.MustCompile(`L4\.(\d+)\b`).FindAllString(text, -1)
	for _, c := range replaytest.Lab(replaytest.Answer{}).Checks {
		ids = slices.DeleteFunc(ids, func(id string) bool { return id == c.ID })
	}
	require.Empty(t, ids, "checks that do not exist")
	_, output, found := strings.Cut(check.ReadText(t, lab+"race_test.go"), "// Output:\n")
	require.True(t, found)
	output = strings.ReplaceAll(strings.TrimSuffix(output, "}\n"), "\t// ", "")
	require.Contains(t, text, "```\n"+output+"```\n")
}

// pictured is the history of the guide's picture. The altered history has another amendment.
var pictured = []struct{ uti, text, altered string }{
	{"A", "NEW A: buy 100 at 50", ""},
	{"B", "NEW B: sell 40 at 55", ""},
	{"A", "AMEND A: price 51", "AMEND A: price 52"},
	{"B", "SETTLE B: 10 at 54", ""},
	{"A", "CANCEL A: void", ""},
	{"B", "SETTLE B: 10 at 53", ""},
}

// bodyOf returns the body that a line of the picture stands for.
func bodyOf(text string) trade.Body {
	delivery, err := trade.ParsePeriod("2025-04")
	if err != nil {
		panic(err)
	}
	words := strings.Fields(text)
	last := words[len(words)-1]
	mwh := func(q string) trade.Quantity {
		return trade.Quantity{Value: trade.Dec(q), Unit: trade.MWh}
	}
	switch words[0] {
	case "NEW":
		return trade.New{
			Book: "north", Counterparty: "LEI-1", Trader: "t-1", Side: trade.Side(words[2]),
			Quantity: mwh(words[3]), Price: trade.Dec(last), Currency: "EUR",
			Instrument: trade.Instrument{
				Commodity: trade.Power, Zone: "CET", Profile: "base", Delivery: delivery,
			},
		}
	case "AMEND":
		price := trade.Dec(last)
		return trade.Amend{Kind: trade.Amendment, Price: &price}
	case "SETTLE":
		return trade.Settle{Quantity: mwh(words[2]), Price: trade.Dec(last)}
	}
	return trade.Cancel{Kind: trade.Void}
}

// drawn returns the log of the picture.
func drawn(t *testing.T, altered bool) *projectiontest.Log {
	log, versions := &projectiontest.Log{}, map[string]int64{}
	first := time.Date(2025, 3, 3, 12, 0, 0, 0, time.UTC)
	for i, p := range pictured {
		text := p.text
		if altered && p.altered != "" {
			text = p.altered
		}
		payload, err := projectiontest.Codec{}.Encode(t.Context(), bodyOf(text))
		require.NoError(t, err)
		versions[p.uti]++
		at := first.Add(time.Duration(i) * time.Minute)
		r := contract.Recorded{
			Event: contract.Event{
				ID:     uuid.NewSHA1(uuid.NameSpaceOID, []byte(p.text)),
				Stream: trade.TradeStream(p.uti), Type: payload.Type, EffectiveAt: at,
				EnteredAt: at, Actor: "desk-7", Data: payload.Data,
			},
			Version: versions[p.uti], RecordedAt: at,
			Position: contract.Position{Offset: int64(i)},
		}
		if strings.HasPrefix(p.text, "CANCEL") {
			r.EffectiveAt = first
		}
		log.Events = append(log.Events, r)
	}
	return log
}

// The picture in the guide shows the digests of two histories, as this package computes them. To
// draw it again: go test ./solutions/4-replay/plain -run Guide -update
func TestGuideShowsTwoChains(t *testing.T) {
	t.Parallel()
	want := picture(t)
	if *Update {
		require.NoError(t, os.WriteFile(lab+"chain.svg", []byte(want), 0o644))
	}
	require.Equal(t, want, check.ReadText(t, lab+"chain.svg"))
}

func picture(t *testing.T) string {
	r, ours, theirs := New(projectiontest.Codec{}), drawn(t, false), drawn(t, true)
	states := func(log contract.Reader, k int) string {
		s, _, err := r.Replay(context.Background(), log, contract.Cursor{int64(k)})
		require.NoError(t, err)
		require.Empty(t, s.Parked)
		digest := s.Digest()
		return fmt.Sprintf("%x…", digest[:2])
	}
	chains := func(log contract.Reader, k int) string {
		_, chain, err := r.Chain(context.Background(), log, contract.Cursor{int64(k)})
		require.NoError(t, err)
		return fmt.Sprintf("%x…", chain[k-1][:2])
	}
	var b strings.Builder
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 760 240" role="img"
  font-family="ui-monospace, monospace" font-size="13">
<title>Two histories that differ in one event: their states agree again, their chains do not</title>
<style>
  text { fill: #1f2328 } .dim { fill: #656d76 } .line { stroke: #8c959f }
  .differ { fill: #ffebe9 } .same { fill: #dafbe1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .dim { fill: #9198a1 } .line { stroke: #6e7681 }
    .differ { fill: #67060c } .same { fill: #033a16 }
  }
</style>
`)
	cell := func(x, y int, class, text string) {
		fmt.Fprintf(&b, `<text x="%d" y="%d" class="%s">%s</text>`, x, y, class, text)
	}
	cell(340, 20, "", "state after it")
	cell(560, 20, "", "chain D(k)")
	b.WriteString("\n")
	for i, head := range []string{"k", "event", "ours", "altered", "ours", "altered"} {
		cell([]int{10, 40, 340, 440, 560, 660}[i], 42, "dim", head)
	}
	b.WriteString("\n" + `<path class="line" d="M4 50H752"/>` + "\n")
	for i, p := range pictured {
		k, y := i+1, 72+26*i
		for _, column := range []struct {
			x  int
			of func(contract.Reader, int) string
		}{{340, states}, {560, chains}} {
			a, other, class := column.of(ours, k), column.of(theirs, k), "same"
			if a != other {
				class = "differ"
			}
			fmt.Fprintf(&b, `<rect class="%s" x="%d" y="%d" width="180" height="20" rx="3"/>`,
				class, column.x-8, y-15)
			cell(column.x, y, "", a)
			cell(column.x+100, y, "", other)
		}
		cell(10, y, "", fmt.Sprint(k))
		text := p.text
		if p.altered != "" {
			text += " (altered: " + p.altered[len(p.altered)-2:] + ")"
		}
		cell(40, y, "", text)
		b.WriteString("\n")
	}
	b.WriteString("</svg>\n")
	return b.String()
}
