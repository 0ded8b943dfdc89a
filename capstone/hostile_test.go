package capstone_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/capstone/lines/linestest"
	"example.com/blotter/labs/kit/trade"
)

// Each line of any file is bad, refused or accepted, and nothing stops the import: the desk decides
// each line that lines accepts, the codec encodes the outcome, and the read model folds it. The
// same file again changes nothing, and neither does another order of unrelated lines.
func TestImportOfRandomLines(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		book := randomLines(t, rapid.IntRange(1, 40).Draw(t, "lines"))
		s := newSystem()
		first, state := importAny(t, s, book)
		again, after := importAny(t, s, book)
		require.Equal(t, first.Rules, again.Rules)
		require.Equal(t, first.Kinds, again.Kinds)
		require.Equal(t, first.Bad, again.Bad, "command ids that are used again")
		require.Equal(t, len(book), again.Again+again.Bad+again.Repeated)
		require.Equal(t, state, after)
		_, err := s.FollowUps.Orphaned(t.Context())
		require.NoError(t, err)
		require.NotContains(t, state, `{"parked"`)
		_, reordered := importAny(t, newSystem(), linestest.Shuffled(book, 1))
		require.Equal(t, state, reordered)
	})
}

// importAny imports book and returns the state of the read model. A fold of the same events must
// give the same state.
func importAny(t *rapid.T, s *capstone.System, book []lines.Line) (capstone.Imported, string) {
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
	folded := trade.StateOf(streams, trade.AsOf{})
	require.Equal(t, string(folded.Canonical()), string(state.Canonical()))
	return n, string(state.Canonical())
}

// Values that senders get wrong, and values at a limit.
var (
	oddTexts = []string{
		"", " ", "\x00", "é", "e\u0301", "\u202e", "<&>\"\\", strings.Repeat("é", 64),
		strings.Repeat("y", 129), "'; DROP TABLE", "null", "🜁", "a/b", "\u00a0x", "trade/X",
		"follow-up/x",
	}
	oddNumbers = []string{
		"0", "-0", "-1", "0.000001", "0.0000001", "0.005", "999999999999.999999", "1000000000000",
		"-999999999999.99", "9999999999999999999999999999", "007", "1e3", ".5", "12600.00",
	}
	oddTimes = []string{
		"1970-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-23:59",
		"2025-03-30T02:30:00+01:00", "2025-10-26T02:30:00+02:00", "2025-01-16T13:03:00Z",
		"2025-02-30T00:00:00Z", "2016-12-31T23:59:60Z", "0001-01-01T00:00:00Z",
	}
	oddPeriods = []string{
		"2025", "2025-Q1", "9999", "9999-12", "1970-01", "0001-01", "2025-03-30/2025-03-31",
		"2025-10-26/2025-10-27", "2025-03-01/2025-03-03", "1970/2000", "2025-13",
	}
	oddZones = []string{"GB", "NBP", "WTI", "BRENT/call/70/2025-05-15", "CET/base"}
)

// fields are the fields of a line, or of the restatement in it.
type fields map[string]any

// A scribe draws the fields of lines.
type scribe struct{ *rapid.T }

// oneIn reports whether a one in n chance came up.
func (s scribe) oneIn(n int) bool { return rapid.IntRange(1, n).Draw(s.T, "once in") == 1 }

func (s scribe) of(values ...string) string { return rapid.SampledFrom(values).Draw(s.T, "value") }

// or returns the usual value, and sometimes an odd one.
func (s scribe) or(usual string, odd []string) string {
	if s.oneIn(12) {
		return s.of(odd...)
	}
	return usual
}

func (s scribe) text() string   { return s.or("x", oddTexts) }
func (s scribe) uti() string    { return s.or(s.of("A", "B", "C"), oddTexts) }
func (s scribe) number() string { return s.or(s.of("1", "10", "25", "70.5", "100"), oddNumbers) }

func anyLine(t *rapid.T, i int) fields {
	s := scribe{t}
	line := fields{
		"command_id": s.or(fmt.Sprint("c", i), oddTexts),
		"actor":      s.text(), "approver": "b", "reason": s.text(),
		"entered_at": s.or(fmt.Sprintf("2025-05-%02dT10:00:00Z", 1+i%28), oddTimes),
		"uti":        s.uti(),
	}
	if s.oneIn(4) {
		line["effective_at"] = s.of(oddTimes...)
	}
	switch {
	case i < 3: // some contracts for the later lines
		s.begin(line)
	case s.oneIn(5):
		corrected := rapid.IntRange(0, i).Draw(t, "corrected")
		restated := fields{}
		s.body(restated)
		line["op"], line["kind"] = "AMEND", "correction"
		line["corrects"], line["restated"] = fmt.Sprint("c", corrected), restated
	default:
		s.body(line)
	}
	if line["op"] == "MARK" {
		delete(line, "uti")
	}
	return line
}

func (s scribe) body(b fields) {
	switch op := s.of("NEW", "SETTLE", "NOVATE", "EXERCISE", "CANCEL", "AMEND", "MARK"); op {
	case "NEW":
		s.begin(b)
	case "SETTLE":
		s.quantity(b, op)
		b["price"] = s.number()
	case "NOVATE":
		s.quantity(b, op)
		b["role"], b["new_uti"] = s.of("remaining", "transferor"), s.uti()
		b["incoming"], b["fee"] = s.text(), s.number()
	case "EXERCISE":
		s.quantity(b, op)
		b["underlying_price"], b["settlement"] = s.number(), "cash"
		if s.oneIn(2) {
			b["settlement"], b["new_uti"] = "physical", s.uti()
		}
	case "CANCEL":
		b["op"], b["kind"] = op, "void"
		if !s.oneIn(4) {
			s.quantity(b, op)
			b["kind"], b["fee"] = "terminate", s.number()
		}
	case "AMEND":
		s.quantity(b, op)
		b["kind"], b["price"] = "amendment", s.number()
	case "MARK":
		s.mark(b)
	}
}

func (s scribe) mark(b fields) {
	b["op"], b["currency"] = "MARK", s.of("EUR", "USD")
	b["curve"] = s.of("oil/BRENT", "power/CET/base", "oil/BRENT/call/70/2025-12-31", "x/y")
	b["points"] = []any{fields{"delivery": s.or("2025-06", oddPeriods), "price": s.number()}}
}

// quantity sets a quantity, or leaves it out: then the operation is about the open quantity.
func (s scribe) quantity(b fields, op string) {
	b["op"] = op
	if !s.oneIn(4) {
		b["quantity"], b["unit"] = s.number(), s.of("MWh", "bbl", "bbl", "MW")
	}
}

func (s scribe) begin(b fields) {
	b["op"], b["book"], b["counterparty"], b["trader"] = "NEW", s.text(), s.text(), s.text()
	b["side"] = s.of("buy", "sell")
	b["commodity"], b["zone"] = "oil", s.or("BRENT", oddZones)
	b["delivery"] = s.or("2025-06", oddPeriods)
	b["quantity"], b["unit"], b["price"] = s.number(), "bbl", s.number()
	b["currency"] = s.of("EUR", "USD", "JPY")
	if s.oneIn(3) {
		b["commodity"], b["zone"] = "power", s.or("CET", oddZones)
		b["profile"], b["unit"] = s.of("base", "peak"), s.of("MWh", "MW")
	}
	if s.oneIn(3) {
		b["option"] = fields{
			"kind": s.of("call", "put"), "strike": s.number(),
			"from":  s.or("2025-01-01T00:00:00Z", oddTimes),
			"until": s.or("2025-12-31T00:00:00Z", oddTimes),
		}
	}
	if s.oneIn(6) {
		b["prior_uti"], b["carried_in"] = s.uti(), s.number()
	}
}
