package lines_test

import (
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

const good = `{"command_id":"c-1","entered_at":"2025-01-16T14:03:00+01:00","actor":"ops/1","reason":"x","op":"CANCEL","kind":"void","uti":"U1"}`

func TestABadLineIsNamedAndReadingGoesOn(t *testing.T) {
	t.Parallel()
	long := `{"command_id":"` + strings.Repeat("x", lines.MaxLine) + `"}`
	text := strings.Join([]string{"\ufeff" + good, good, "", "  \t", "{", long, good + "\r", "a\xffb", long + long, good}, "\n")
	var got []string
	for line, err := range lines.Read(iotest.OneByteReader(strings.NewReader(text))) {
		var bad *lines.Error
		switch {
		case errors.As(err, &bad):
			require.Equal(t, bad.Line, line.Number)
			got = append(got, string(bad.Rule))
		default:
			require.NoError(t, err)
			got = append(got, line.Command.ID)
		}
	}
	require.Equal(t, []string{"line.bom", "c-1", "json.syntax", "line.too-long", "c-1", "line.utf8", "line.too-long", "c-1"}, got)
}

func TestALineOfTheGreatestLengthIsRead(t *testing.T) {
	t.Parallel()
	text := good + strings.Repeat(" ", lines.MaxLine-len(good))
	for _, end := range []string{"", "\n", "\r\n"} {
		for _, err := range lines.Read(strings.NewReader(text + end)) {
			require.NoError(t, err)
		}
	}
}

func TestAFailingReaderEndsTheLines(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk gone")
	var last error
	n := 0
	for _, err := range lines.Read(io.MultiReader(strings.NewReader(good+"\n"), iotest.ErrReader(broken))) {
		last = err
		n++
	}
	require.Equal(t, 2, n)
	require.ErrorIs(t, last, broken)
	require.NotErrorAs(t, last, new(*lines.Error))
}

// A name that nobody checked must not reach a terminal as it is.
func TestAMessageIsOneLineWithoutControlCharacters(t *testing.T) {
	t.Parallel()
	_, err := lines.Parse(1, []byte(strings.Replace(good, `"kind"`, `"a\n\u001b[2J":"1","kind"`, 1)))
	require.EqualError(t, err, `line 1: a\n\x1b[2J: field.unknown: not a field of CANCEL, which takes actor, approver, command_id, effective_at, entered_at, kind, op, reason, uti`)
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	line, err := lines.Parse(1, []byte(good))
	require.NoError(t, err)
	require.Equal(t, "2025-01-16T13:03:00Z", line.Command.EnteredAt.Format("2006-01-02T15:04:05Z07:00"))
}

func TestNamesAreAllThatTwoLinesCanShare(t *testing.T) {
	t.Parallel()
	const envelope = `{"command_id":"c-1","entered_at":"2025-01-16T13:03:00Z","actor":"a","reason":"x",`
	for _, c := range []struct {
		line string
		want []string
	}{
		{`"op":"NOVATE","uti":"U1","role":"remaining","new_uti":"U2","incoming":"P"}`, []string{"trade/U1", "command/c-1", "trade/U2"}},
		{`"op":"AMEND","kind":"correction","corrects":"c-0","uti":"U1","restated":{"op":"EXERCISE","underlying_price":"1","settlement":"physical","new_uti":"U3"}}`,
			[]string{"trade/U1", "command/c-1", "trade/U3"}},
		{`"op":"MARK","curve":"oil/BRENT","currency":"USD","points":[{"delivery":"2025","price":"1"}]}`, []string{"curve/oil/BRENT", "command/c-1"}},
	} {
		line, err := lines.Parse(1, []byte(envelope+c.line))
		require.NoError(t, err)
		require.Equal(t, c.want, line.Names)
	}
}

func TestACorrectionNamesACommandByItsEvent(t *testing.T) {
	t.Parallel()
	line, err := lines.Parse(1, []byte(`{"command_id":"c-2","entered_at":"2025-01-16T13:03:00Z","actor":"a","reason":"x",
		"op":"AMEND","kind":"correction","uti":"U1","corrects":"c-1","restated":{"op":"SETTLE","price":"1"}}`))
	require.NoError(t, err)
	require.Equal(t, trade.EventID("c-1", 0), line.Command.Corrects)
}

func TestSmallStrictnesses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ line, want string }{
		"a list":                     {`[]`, "json.syntax"},
		"a word":                     {`null`, "json.syntax"},
		"null is no text":            {strings.Replace(good, `"ops/1"`, `null`, 1), "field.type"},
		"op in another case":         {strings.Replace(good, `"op"`, `"Op"`, 1), "field.case"},
		"a misspelt name":            {strings.Replace(good, `"reason"`, `"raeson"`, 1), "field.unknown"},
		"an op in lower case":        {strings.Replace(good, `CANCEL`, `cancel`, 1), "value.unknown"},
		"a void with a fee":          {strings.Replace(good, `"void"`, `"void","fee":"1"`, 1), "field.unknown"},
		"a comma before a fraction":  {strings.Replace(good, `14:03:00`, `14:03:00,5`, 1), "time.invalid"},
		"before 1970":                {strings.Replace(good, `2025-`, `1925-`, 1), "time.invalid"},
		"past 9999 in UTC":           {strings.Replace(good, `2025-01-16T14:03:00+01:00`, `9999-12-31T23:59:59-00:01`, 1), "time.invalid"},
		"entered at the end of time": {strings.Replace(good, `2025-01-16`, `9999-12-31`, 1), "time.invalid"},
		"a reason of blanks":         {strings.Replace(good, `"x"`, "\" \u00a0\"", 1), "value.empty"},
		"text that runs backwards":   {strings.Replace(good, `"x"`, "\"a\u202eb\"", 1), "text.control"},
		"another kind of line break": {strings.Replace(good, `"x"`, "\"a\u2028b\"", 1), "text.control"},
		"the id of a follow-up":      {strings.Replace(good, `"c-1"`, `"follow-up/5b1c1f6e-0d5c-8a43-9d4b-6d2f5f0c9a11"`, 1), "command-id.reserved"},
		"a correction of nothing":    {strings.Replace(good, `"CANCEL","kind":"void"`, `"AMEND","kind":"correction"`, 1), "field.missing"},
		"a duplicate inside":         {strings.Replace(good, `"uti":"U1"`, `"uti":"U1","option":{"a":1,"a":2}`, 1), "field.unknown"},
		"one line break in a reason": {strings.Replace(good, `"x"`, `"x\ny"`, 1), "text.control"},
	} {
		_, err := lines.Parse(1, []byte(c.line))
		var bad *lines.Error
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, c.want, string(bad.Rule), name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(`{"command_id":"c","entered_at":"2025-01-16T13:03:00Z","actor":"a","reason":"x","op":"SETTLE","uti":"U","price":"1"}`)
	f.Fuzz(func(t *testing.T, text string) {
		line, err := lines.Parse(1, []byte(text))
		if err != nil {
			return
		}
		again, err := lines.Parse(1, lines.Format(line.Command))
		require.NoError(t, err, text)
		require.Equal(t, line, again)
		require.True(t, slices.Contains(again.Names, line.Command.Stream()))
	})
}
