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

// envelope begins a line that a test ends with an operation.
const envelope = `{"command_id":"c-1","entered_at":"2025-01-16T14:03:00+01:00",` +
	`"actor":"ops/1","reason":"x",`

const good = envelope + `"op":"CANCEL","kind":"void","uti":"U1"}`

func parse(t *testing.T, text string) lines.Line {
	t.Helper()
	line, err := lines.Parse(1, []byte(text))
	require.NoError(t, err)
	return line
}

func TestReadGoesOnAfterABadLine(t *testing.T) {
	t.Parallel()
	long := `{"command_id":"` + strings.Repeat("x", lines.MaxLine) + `"}`
	text := strings.Join([]string{
		"\ufeff" + good, good, "", "  \t", "{", long, good + "\r", "a\xffb", long + long, good,
	}, "\n")
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
	require.Equal(t, []string{
		"line.bom", "c-1", "json.syntax", "line.too-long", "c-1", "line.utf8", "line.too-long",
		"c-1",
	}, got)
}

func TestReadTakesTheLongestLine(t *testing.T) {
	t.Parallel()
	text := good + strings.Repeat(" ", lines.MaxLine-len(good))
	for _, end := range []string{"", "\n", "\r\n"} {
		for _, err := range lines.Read(strings.NewReader(text + end)) {
			require.NoError(t, err)
		}
	}
}

func TestReadEndsWithAFailingReader(t *testing.T) {
	t.Parallel()
	broken := errors.New("disk gone")
	var last error
	n := 0
	for _, err := range lines.Read(io.MultiReader(strings.NewReader(good+"\n"),
		iotest.ErrReader(broken))) {
		last = err
		n++
	}
	require.Equal(t, 2, n)
	require.ErrorIs(t, last, broken)
	require.NotErrorAs(t, last, new(*lines.Error))
}

// The name of a field is not checked, and must not control a terminal.
func TestErrorsHaveNoControlCharacters(t *testing.T) {
	t.Parallel()
	text := strings.Replace(good, `"kind"`, `"a\n\u001b[2J":"1","kind"`, 1)
	_, err := lines.Parse(1, []byte(text))
	require.EqualError(t, err, `line 1: a\n\x1b[2J: field.unknown: not a field of CANCEL, `+
		`which takes actor, approver, command_id, effective_at, entered_at, kind, op, reason, uti`)
}

func TestTimesAreUTC(t *testing.T) {
	t.Parallel()
	entered := parse(t, good).Command.EnteredAt
	require.Equal(t, "2025-01-16T13:03:00Z", entered.Format("2006-01-02T15:04:05Z07:00"))
}

// Each name comes once: a line that named its own UTI twice would wait for itself.
func TestNamesListAllLinkedStreams(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text string
		want []string
	}{
		{`"op":"NOVATE","uti":"U1","role":"remaining","new_uti":"U2","incoming":"P"}`,
			[]string{"trade/U1", "command/c-1", "trade/U2"}},
		{`"op":"NOVATE","uti":"U1","role":"transferor","new_uti":"U1","incoming":"P"}`,
			[]string{"trade/U1", "command/c-1"}},
		{`"op":"AMEND","kind":"correction","corrects":"c-0","uti":"U1","restated":{` +
			`"op":"EXERCISE","underlying_price":"1","settlement":"physical","new_uti":"U3"}}`,
			[]string{"trade/U1", "command/c-1", "trade/U3"}},
		{`"op":"MARK","curve":"oil/BRENT","currency":"USD",` +
			`"points":[{"delivery":"2025","price":"1"}]}`,
			[]string{"curve/oil/BRENT", "command/c-1"}},
	} {
		require.Equal(t, c.want, parse(t, envelope+c.text).Names)
	}
}

func TestCorrectionNamesACommand(t *testing.T) {
	t.Parallel()
	line := parse(t, envelope+`"op":"AMEND","kind":"correction","uti":"U1","corrects":"c-0",`+
		`"restated":{"op":"SETTLE","price":"1"}}`)
	require.Equal(t, trade.EventID("c-0", 0), line.Command.Corrects)
}

func TestParseIsStrict(t *testing.T) {
	t.Parallel()
	replaced := func(old, text string) string { return strings.Replace(good, old, text, 1) }
	const followUp = `"follow-up/5b1c1f6e-0d5c-8a43-9d4b-6d2f5f0c9a11"`
	for name, c := range map[string]struct{ text, want string }{
		"a list":                     {`[]`, "json.syntax"},
		"a word":                     {`null`, "json.syntax"},
		"null for a text":            {replaced(`"ops/1"`, `null`), "field.type"},
		"op in another case":         {replaced(`"op"`, `"Op"`), "field.case"},
		"a misspelt name":            {replaced(`"reason"`, `"raeson"`), "field.unknown"},
		"an operation in lower case": {replaced(`CANCEL`, `cancel`), "value.unknown"},
		"a void with a fee":          {replaced(`"void"`, `"void","fee":"1"`), "field.unknown"},
		"a comma before a fraction":  {replaced(`14:03:00`, `14:03:00,5`), "time.invalid"},
		"a time before 1970":         {replaced(`2025-`, `1925-`), "time.invalid"},
		"a time after 9999 in UTC": {
			replaced(`2025-01-16T14:03:00+01:00`, `9999-12-31T23:59:59-00:01`), "time.invalid",
		},
		"the last day of 9999":     {replaced(`2025-01-16`, `9999-12-31`), "time.invalid"},
		"a blank reason":           {replaced(`"x"`, "\" \u00a0\""), "value.empty"},
		"text that runs backwards": {replaced(`"x"`, "\"a\u202eb\""), "text.control"},
		"a line separator":         {replaced(`"x"`, "\"a\u2028b\""), "text.control"},
		"an invisible reason":      {replaced(`"x"`, "\"a\u200bb\""), "text.control"},
		"a reason in pieces":       {replaced(`"x"`, "\"cafe\u0301\""), "text.not-nfc"},
		"a UTI in small letters":   {replaced(`"U1"`, `"u1"`), "name.invalid"},
		"a UTI and a blank":        {replaced(`"U1"`, `"U1 "`), "name.invalid"},
		"a UTI of 53 characters": {
			replaced(`"U1"`, `"`+strings.Repeat("U", 53)+`"`), "text.too-long",
		},
		"an actor in capitals": {replaced(`"ops/1"`, `"OPS/1"`), "name.invalid"},
		"an approver and a blank": {
			replaced(`"ops/1"`, `"ops/1","approver":"ops/2 "`), "name.invalid",
		},
		"a command id with a blank": {replaced(`"c-1"`, `"c 1"`), "name.invalid"},
		"a line break":              {replaced(`"x"`, `"x\ny"`), "text.control"},
		"the id of a follow-up":     {replaced(`"c-1"`, followUp), "command-id.reserved"},
		"a correction of no event": {replaced(`"CANCEL","kind":"void"`,
			`"AMEND","kind":"correction"`), "field.missing"},
		"a duplicate in an object": {replaced(`"uti":"U1"`, `"uti":"U1","option":{"a":1,"a":2}`),
			"field.unknown"},
	} {
		_, err := lines.Parse(1, []byte(c.text))
		var bad *lines.Error
		require.ErrorAs(t, err, &bad, name)
		require.Equal(t, c.want, string(bad.Rule), name)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(good)
	f.Add(envelope + `"op":"SETTLE","uti":"U","price":"1"}`)
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
