package capstone_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
)

// Whatever is in a file, each of its lines is bad, refused or accepted, and nothing stops the import: what lines takes, the desk
// decides, the codec encodes, the read model folds. The file again changes nothing, and neither does another order of lines
// that share no name.
func TestWhateverIsInAFileTheImportGoesOn(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		var file strings.Builder
		for i := range rapid.IntRange(1, 40).Draw(t, "lines") {
			text, err := json.Marshal(anyLine(t, i))
			require.NoError(t, err)
			file.Write(append(text, '\n'))
		}
		var book []lines.Line
		for line, err := range lines.Read(strings.NewReader(file.String())) {
			if err == nil {
				book = append(book, line)
			}
		}
		s := newSystem()
		first, state := brought(t, s, book)
		again, after := brought(t, s, book)
		require.Equal(t, first.Rules, again.Rules)
		require.Equal(t, first.Kinds, again.Kinds)
		require.Equal(t, first.Bad, again.Bad, "an id used again for something else")
		require.Equal(t, len(book), again.Again+again.Bad)
		require.Equal(t, state, after)
		_, err := s.FollowUps.Orphaned(t.Context())
		require.NoError(t, err)
		_, otherwise := brought(t, newSystem(), shuffled(book, 1))
		require.Equal(t, state, otherwise)
	})
}

// brought imports book, and says what the read model made of it, which a fold of the same events must say too.
func brought(t *rapid.T, s *capstone.System, book []lines.Line) (capstone.Imported, string) {
	s.Width = 4
	n, err := s.Import(t.Context(), each(book), func(capstone.Result) {})
	require.NoError(t, err)
	state, err := s.State(t.Context())
	require.NoError(t, err)
	streams := map[string][]trade.Event{}
	for e, err := range s.Projection.Events(t.Context()) {
		require.NoError(t, err)
		streams[e.Stream] = append(streams[e.Stream], e.Event)
	}
	folded, err := trade.StateOf(streams, trade.AsOf{})
	require.NoError(t, err)
	require.Equal(t, string(folded.Canonical()), string(state.Canonical()))
	return n, string(state.Canonical())
}

// What senders get wrong, and what is only just right.
var (
	oddTexts = []string{"", " ", "\x00", "é", "e\u0301", "\u202e", "<&>\"\\", strings.Repeat("é", 64), strings.Repeat("y", 129),
		"'; DROP TABLE", "null", "🜁", "a/b", "\u00a0x", "trade/X", "follow-up/x"}
	oddNumbers = []string{"0", "-0", "-1", "0.000001", "0.0000001", "0.005", "999999999999.999999", "1000000000000", "-999999999999.99",
		"9999999999999999999999999999", "007", "1e3", ".5", "12600.00"}
	oddTimes = []string{"1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59", "2025-03-30T02:30:00+01:00",
		"2025-10-26T02:30:00+02:00", "2025-01-16T13:03:00Z", "2025-02-30T00:00:00Z", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z"}
	oddPeriods = []string{"2025", "2025-Q1", "9999", "9999-12", "1970-01", "0001-01", "2025-03-30/2025-03-31", "2025-10-26/2025-10-27",
		"2025-03-01/2025-03-03", "1970/2000", "2025-13"}
	oddZones = []string{"GB", "NBP", "WTI", "BRENT/call/70/2025-05-15", "CET/base"}
)

// A scribe draws the fields of lines.
type scribe struct{ *rapid.T }

func (s scribe) once(in int) bool { return rapid.IntRange(1, in).Draw(s.T, "once in") == 1 }

func (s scribe) of(values ...string) string { return rapid.SampledFrom(values).Draw(s.T, "value") }

// or is usual, and now and then something odd.
func (s scribe) or(usual string, odd []string) string {
	if s.once(12) {
		return s.of(odd...)
	}
	return usual
}

func (s scribe) text() string   { return s.or("x", oddTexts) }
func (s scribe) uti() string    { return s.or(s.of("A", "B", "C"), oddTexts) }
func (s scribe) number() string { return s.or(s.of("1", "10", "25", "70.5", "100"), oddNumbers) }

func anyLine(t *rapid.T, i int) map[string]any {
	s := scribe{t}
	line := map[string]any{
		"command_id": s.or(fmt.Sprint("c", i), oddTexts), "actor": s.text(), "approver": "b", "reason": s.text(),
		"entered_at": s.or(fmt.Sprintf("2025-05-%02dT10:00:00Z", 1+i%28), oddTimes), "uti": s.uti(),
	}
	if s.once(4) {
		line["effective_at"] = s.of(oddTimes...)
	}
	switch {
	case i < 3: // so that there is something to go on with
		s.begin(line)
	case s.once(5):
		restated := map[string]any{}
		s.body(restated)
		line["op"], line["kind"], line["corrects"] = "AMEND", "correction", fmt.Sprint("c", rapid.IntRange(0, i).Draw(t, "corrected"))
		line["restated"] = restated
	default:
		s.body(line)
	}
	if line["op"] == "MARK" {
		delete(line, "uti")
	}
	return line
}

func (s scribe) body(b map[string]any) {
	switch op := s.of("NEW", "SETTLE", "NOVATE", "EXERCISE", "CANCEL", "AMEND", "MARK"); op {
	case "NEW":
		s.begin(b)
	case "SETTLE":
		s.some(b, op)
		b["price"] = s.number()
	case "NOVATE":
		s.some(b, op)
		b["role"], b["new_uti"], b["incoming"], b["fee"] = s.of("remaining", "transferor"), s.uti(), s.text(), s.number()
	case "EXERCISE":
		s.some(b, op)
		b["underlying_price"], b["settlement"] = s.number(), "cash"
		if s.once(2) {
			b["settlement"], b["new_uti"] = "physical", s.uti()
		}
	case "CANCEL":
		b["op"], b["kind"] = op, "void"
		if !s.once(4) {
			s.some(b, op)
			b["kind"], b["fee"] = "terminate", s.number()
		}
	case "AMEND":
		s.some(b, op)
		b["kind"], b["price"] = "amendment", s.number()
	case "MARK":
		b["op"], b["curve"], b["currency"] = op, s.of("oil/BRENT", "power/CET/base", "oil/BRENT/call/70/2025-12-31", "x/y"), s.of("EUR", "USD")
		b["points"] = []any{map[string]any{"delivery": s.or("2025-06", oddPeriods), "price": s.number()}}
	}
}

// some is a quantity, or all that is open.
func (s scribe) some(b map[string]any, op string) {
	b["op"] = op
	if !s.once(4) {
		b["quantity"], b["unit"] = s.number(), s.of("MWh", "bbl", "bbl", "MW")
	}
}

func (s scribe) begin(b map[string]any) {
	b["op"], b["book"], b["counterparty"], b["trader"], b["side"] = "NEW", s.text(), s.text(), s.text(), s.of("buy", "sell")
	b["commodity"], b["zone"], b["delivery"] = "oil", s.or("BRENT", oddZones), s.or("2025-06", oddPeriods)
	b["quantity"], b["unit"], b["price"], b["currency"] = s.number(), "bbl", s.number(), s.of("EUR", "USD", "JPY")
	if s.once(3) {
		b["commodity"], b["zone"], b["profile"], b["unit"] = "power", s.or("CET", oddZones), s.of("base", "peak"), s.of("MWh", "MW")
	}
	if s.once(3) {
		b["option"] = map[string]any{"kind": s.of("call", "put"), "strike": s.number(),
			"from": s.or("2025-01-01T00:00:00Z", oddTimes), "until": s.or("2025-12-31T00:00:00Z", oddTimes)}
	}
	if s.once(6) {
		b["prior_uti"], b["carried_in"] = s.uti(), s.number()
	}
}
