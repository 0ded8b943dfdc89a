package codec_test

import (
	"encoding/hex"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/trade"
	codec "example.com/blotter/solutions/1-schemas"
)

func guide(t *testing.T) string {
	text, err := os.ReadFile("../../labs/1-schemas/README.md")
	require.NoError(t, err)
	return string(text)
}

// The table of checks in the guide comes from the suite. This command writes it:
// go test ./solutions/1-schemas -run Guide -update
func TestGuideListsChecksAndRules(t *testing.T) {
	t.Parallel()
	text := guide(t)
	const head = "| check | points | |\n|---|---|---|\n"
	before, after, found := strings.Cut(text, head)
	require.True(t, found)
	_, after, _ = strings.Cut(after, "\n\n")
	table := ""
	suite := codectest.Suite(answer(t))
	for _, c := range suite.Checks {
		table += fmt.Sprintf("| %s (%s) | %d | %s |\n", c.ID, c.Invariant, c.Points, c.Title)
		require.Contains(t, before, "| "+c.Invariant+" | ")
		require.NotEmpty(t, c.Hint, c.ID)
		require.NotEmpty(t, c.Misconception, c.ID)
		require.NotEmpty(t, c.Operation, c.ID)
	}
	want := before + head + table + "\n" + after
	if *update {
		require.NoError(t, os.WriteFile("../../"+suite.Guide, []byte(want), 0o644))
	}
	require.Equal(t, want, guide(t))
	contract, err := os.ReadFile("../../labs/kit/contract/codec.go")
	require.NoError(t, err)
	for _, rule := range regexp.MustCompile(`L1\.I\d+`).FindAllString(before, -1) {
		require.Contains(t, string(contract), "//\t"+rule+" ", "the contract states %s", rule)
	}
}

// The guide's example is the codec's output, in its line of bytes, in its table and in its JSON.
// Its schema id is an example: registries give different ids.
func TestGuideShowsCodecOutput(t *testing.T) {
	t.Parallel()
	text := guide(t)
	body := trade.Settle{Quantity: mwh("2160"), Price: trade.Dec("83.10")}
	data := exampleData(t, body)
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

// exampleData encodes a body, and replaces the id of its schema by 11.
func exampleData(t *testing.T, body trade.Body) []byte {
	p, err := codec.Offline().Encode(t.Context(), body)
	require.NoError(t, err)
	return append([]byte{0, 0, 0, 0, 11}, p.Data[prefixSize:]...)
}

func TestGuideAnswersAreTrue(t *testing.T) {
	t.Parallel()
	text := guide(t)
	number := func(b []byte, scale int32) string {
		d, err := trade.FromUnscaled(b, scale)
		require.NoError(t, err)
		return d.String()
	}
	require.Equal(t, "-2134.967296", number([]byte{0x80, 0xbe, 0xfc, 0x00}, 6))
	require.Equal(t, "8310", number([]byte{0x04, 0xf4, 0x01, 0x60}, 4))
	require.Contains(t, text, "-2134.967296 MWh")
	require.Contains(t, text, "You get 8310,")
	require.Contains(t, text, fmt.Sprintf("have %d wrong answers", len(wrongs)))
}

// The commands in the guides are targets of the Makefile. The checks that they name exist, and so
// do the files that they link to.
func TestGuideCommandsAndLinks(t *testing.T) {
	t.Parallel()
	makefile, err := os.ReadFile("../../Makefile")
	require.NoError(t, err)
	suite := codectest.Suite(answer(t))
	command := regexp.MustCompile(`(?m)^make (\w+)`)
	id := regexp.MustCompile(`CHECK=(L1\.\d+)|\((L1\.\d+)[,)]`)
	link := regexp.MustCompile(`\]\(([^)#:]+)\)`)
	for _, file := range []string{"labs/README.md", "labs/1-schemas/README.md"} {
		b, err := os.ReadFile("../../" + file)
		require.NoError(t, err)
		text := string(b)
		for _, m := range command.FindAllStringSubmatch(text, -1) {
			require.Regexp(t, `(?m)^(\w+ )*`+m[1]+`( \w+)*:`, string(makefile), file)
		}
		for _, m := range id.FindAllStringSubmatch(text, -1) {
			require.True(t, hasCheck(suite, m[1]+m[2]), "%s names %s", file, m[0])
		}
		for _, m := range link.FindAllStringSubmatch(text, -1) {
			_, err := os.Stat("../../" + file[:strings.LastIndexByte(file, '/')+1] + m[1])
			require.NoError(t, err, file)
		}
	}
}

func hasCheck(s check.Suite, id string) bool {
	for _, c := range s.Checks {
		if c.ID == id {
			return true
		}
	}
	return false
}
