package capstone_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone"
	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/trade"
	projection "example.com/blotter/solutions/3-projections"
)

// A workedCase is a small book of testdata/cases, with the answers that were worked out by hand.
type workedCase struct {
	refused map[string]trade.Rule // by command id
	answers []workedAnswer
}

// A workedAnswer is the position of a book. Both cost methods give it.
type workedAnswer struct {
	book, known, effective          string // a zero time does not limit
	quantity, cost, realised, worth string // the worth is empty without a mark
}

var workedCases = map[string]workedCase{
	// A void stands at its NEW: the contract never was, and as known before it was.
	"void": {map[string]trade.Rule{"void-3": trade.NeedsApprover}, []workedAnswer{
		{book: "b", effective: "2025-01-09T12:00:00Z"},
		{"b", "2025-01-09T12:00:00Z", "2025-01-09T12:00:00Z", "60", "3000", "200", ""},
	}},
	// Cancel and rebook shows one contract at a time.
	"rebook": {nil, []workedAnswer{
		{"b", "", "2025-01-07T00:00:00Z", "90", "4500", "0", ""},
		{"b", "2025-01-08T00:00:00Z", "2025-01-07T00:00:00Z", "100", "5000", "0", ""},
	}},
	// The premium of an option is cash that was paid.
	"option-exit": {nil, []workedAnswer{
		{"a", "", "2025-02-16T00:00:00Z", "0", "0", "850", "0"},
		{"n", "", "2025-02-16T00:00:00Z", "0", "0", "850", "0"},
	}},
	// An exit takes its own lot with it.
	"terminate-in-pool": {nil, []workedAnswer{
		{"b", "", "2025-01-10T00:00:00Z", "100", "5000", "0", ""}}},
	"novate-in-pool": {nil, []workedAnswer{
		{"b", "", "2025-01-10T00:00:00Z", "200", "11000", "0", ""}}},
	// A command whose follow-up would be refused is refused itself.
	"taken": {map[string]trade.Rule{"taken-3": trade.AlreadyBegun}, []workedAnswer{
		{"b", "", "2025-01-08T00:00:00Z", "107", "5350", "0", ""}}},
	// The hours that are left take the prices of their months.
	"quarter": {nil, []workedAnswer{
		{"b", "", "2025-06-01T09:00:00Z", "7200", "576000", "72000", "504000"}}},
	// 100,000 therms at 0.81 are bought, and 40% of them sold in kWh. The price of a quantity in
	// therms is not guessed.
	"therms": {map[string]trade.Rule{"therms-2": trade.WrongUnit}, []workedAnswer{
		{"b", "", "2025-01-08T00:00:00Z", "1758.426", "48600", "3589.12", "54000"}}},
	// A closed contract is amended where the amendment belongs in time.
	"late-amend": {nil, []workedAnswer{
		{"b", "", "2025-01-12T12:00:00Z", "0", "0", "400", "0"}}},
	// One person alone changes no closed contract.
	"void-closed": {map[string]trade.Rule{"void-closed-3": trade.NeedsApprover,
		"void-closed-4": trade.NeedsApprover}, []workedAnswer{
		{"b", "", "2025-01-12T00:00:00Z", "0", "0", "500", "0"}}},
}

// Each case is imported into a log of its own, and asked.
func TestWorkedCases(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/cases/*.jsonl")
	require.NoError(t, err)
	require.Len(t, files, len(workedCases))
	for name, c := range workedCases {
		s := newSystem()
		s.Simulated, s.AsOf = true, projection.AsOf
		require.Equal(t, c.refused, importCase(t, s, name), name)
		for _, a := range c.answers {
			require.Equal(t, a, answered(t, s, a), name)
		}
	}
	late := newSystem()
	importCase(t, late, "late-amend")
	require.Equal(t, "5100", tradeOf(t, late, "L1").SettledAmount.String())
	require.Equal(t, "51", tradeOf(t, late, "L1").Price.String())
}

// importCase imports a case and returns the refused commands.
func importCase(t *testing.T, s *capstone.System, name string) (refused map[string]trade.Rule) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/cases", name+".jsonl"))
	require.NoError(t, err)
	_, err = s.Import(t.Context(), lines.Read(strings.NewReader(string(text))),
		func(r capstone.Result) {
			require.NoError(t, r.Problem, "%s, line %d", name, r.Line)
			if refusal := r.Outcome.Refusal; refusal != nil {
				if refused == nil {
					refused = map[string]trade.Rule{}
				}
				refused[r.Command.ID] = refusal.Rule
			}
		})
	require.NoError(t, err)
	return refused
}

// answered returns the answer that the system gives to the question of a.
func answered(t *testing.T, s *capstone.System, a workedAnswer) workedAnswer {
	t.Helper()
	at := trade.AsOf{Known: moment(t, a.known), Effective: moment(t, a.effective)}
	all, _, err := s.Positions(t.Context(), at)
	require.NoError(t, err)
	got := workedAnswer{book: a.book, known: a.known, effective: a.effective}
	for _, p := range all {
		if p.Book != a.book {
			continue
		}
		got.quantity, got.cost = p.Quantity.String(), p.AverageCost.Cost.String()
		got.realised = p.AverageCost.Realised.String()
		require.Equal(t, got.cost, p.FIFO.Cost.String())
		require.Equal(t, got.realised, p.FIFO.Realised.String())
		if p.MarketValue != nil {
			got.worth = p.MarketValue.String()
		}
	}
	return got
}

// moment reads a time; the empty text is the zero time.
func moment(t *testing.T, text string) time.Time {
	t.Helper()
	if text == "" {
		return time.Time{}
	}
	at, err := time.Parse(time.RFC3339, text)
	require.NoError(t, err)
	return at
}
