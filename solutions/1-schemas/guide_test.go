package codec_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

func guide(t *testing.T, file string) string {
	text, err := os.ReadFile("../../" + file)
	require.NoError(t, err)
	return string(text)
}

// first is the guide of part 1a.
const first = "labs/1-schemas/README.md"

// The tables of checks in the guides come from the suites. This command writes them:
// go test ./solutions/1-schemas -run Guide -update
func TestGuidesListChecksAndRules(t *testing.T) {
	t.Parallel()
	stated, err := os.ReadFile("../../labs/kit/contract/codec.go")
	require.NoError(t, err)
	for _, s := range codectest.Suites(answer(t)) {
		text := guide(t, s.Guide)
		const head = "| check | points | |\n|---|---|---|\n"
		before, after, found := strings.Cut(text, head)
		require.True(t, found, s.Guide)
		_, after, _ = strings.Cut(after, "\n\n")
		table := ""
		for _, c := range s.Checks {
			points := fmt.Sprint(c.Points)
			if c.Bonus {
				points += " bonus"
			}
			table += fmt.Sprintf("| %s (%s) | %s | %s |\n", c.ID, c.Invariant, points, c.Title)
			require.Contains(t, before, "| "+c.Invariant+" | ")
			requirePlace(t, before, c)
		}
		want := before + head + table + "\n" + after
		if *update {
			require.NoError(t, os.WriteFile("../../"+s.Guide, []byte(want), 0o644))
		}
		require.Equal(t, want, guide(t, s.Guide))
		for _, rule := range regexp.MustCompile(`L1\.I\d+`).FindAllString(before, -1) {
			require.Contains(t, string(stated), "//\t"+rule+" ", "the contract states %s", rule)
		}
	}
}

// requirePlace requires that a check has all its words, and that the guide has the section and the
// exercise to which it sends the student.
func requirePlace(t *testing.T, guide string, c check.Check) {
	for _, field := range []string{c.Hint, c.More, c.Misconception, c.Operation, c.Read} {
		require.NotEmpty(t, field, c.ID)
	}
	place := regexp.MustCompile(`(section|exercise) (\d+)`)
	for _, m := range place.FindAllStringSubmatch(c.Read, -1) {
		heading := "\n## " + m[2] + ". "
		if m[1] == "exercise" {
			heading = "\n**Exercise " + m[2] + ", "
		}
		require.Contains(t, guide, heading, "%s reads %s", c.ID, c.Read)
	}
}

// The guide's example is the codec's output, in its line of bytes, in its table and in its JSON.
// Its schema id is an example: registries give different ids.
func TestGuideShowsCodecOutput(t *testing.T) {
	t.Parallel()
	text := guide(t, first)
	body := trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.10")}
	data := exampleData(t, body)
	byHand, err := codec.EncodeSettled(11, body)
	require.NoError(t, err)
	require.Equal(t, data, byHand)
	require.Contains(t, text, fmt.Sprintf("\n% x\n", data))
	shown, err := codec.JSON(body)
	require.NoError(t, err)
	require.Contains(t, text, "\n"+string(shown)+"\n")

	_, table, _ := strings.Cut(text, "| bytes | meaning |\n|---|---|\n")
	table, _, _ = strings.Cut(table, "\n\n")
	var all []byte
	rows := regexp.MustCompile("(?m)^\\| `([0-9a-f ]+)`").FindAllStringSubmatch(table, -1)
	for _, row := range rows {
		b, err := hex.DecodeString(strings.ReplaceAll(row[1], " ", ""))
		require.NoError(t, err)
		all = append(all, b...)
	}
	require.Equal(t, data, all)
}

func TestGuideAnswersAreTrue(t *testing.T) {
	t.Parallel()
	text := guide(t, first)
	number := func(b []byte, scale int32) string {
		d, err := trade.FromUnscaled(b, scale)
		require.NoError(t, err)
		return d.String()
	}
	require.Equal(t, "-2134.967296", number([]byte{0x80, 0xbe, 0xfc, 0x00}, 6))
	require.Equal(t, "8310", number([]byte{0x04, 0xf4, 0x01, 0x60}, 4))
	require.Contains(t, text, "-2134.967296 MWh")
	require.Contains(t, text, "You get 8310,")
	require.Contains(t, guide(t, "labs/1-schemas/1b.md"),
		fmt.Sprintf("have %d wrong answers", len(wrongs)))
}

// The commands in the guides are targets of the Makefile. The checks that they name exist, and so
// do the files that they link to.
func TestGuideCommandsAndLinks(t *testing.T) {
	t.Parallel()
	makefile := guide(t, "Makefile")
	command := regexp.MustCompile(`(?m)^make (\w+)`)
	id := regexp.MustCompile(`CHECK=(L1\.\d+)|\((L1\.\d+)[,)]`)
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, file := range []string{
		"labs/README.md", "labs/INSTRUCTOR.md", "labs/debugging.md", first, "labs/1-schemas/1b.md",
	} {
		text := guide(t, file)
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, makefile, file)
		}
		for _, m := range id.FindAllStringSubmatch(text, -1) {
			require.True(t, hasCheck(codectest.Suites(answer(t)), m[1]+m[2]), "%s names "+
				"%s", file, m[0])
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat("../../" + file[:strings.LastIndexByte(file, '/')+1] + m[1])
			require.NoError(t, err, file)
		}
	}
}

func hasCheck(suites []check.Suite, id string) bool {
	for _, s := range suites {
		if slices.ContainsFunc(s.Checks, func(c check.Check) bool { return c.ID == id }) {
			return true
		}
	}
	return false
}
