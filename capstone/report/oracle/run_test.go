package oracle_test

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
)

// The daily runs bring a repository to the state of the record, though it rejects a tenth of the
// messages, and those that it cannot take then, and though the data of a counterparty is missing on
// every other day. After runs without either, nothing is open.
func TestRunsAgreeAfterRejections(t *testing.T) {
	t.Parallel()
	commands := 1_000
	if testing.Short() {
		commands = 250
	}
	w := newMarket(7)
	runs := make([]report.Filings, len(sets))
	random := rand.New(rand.NewPCG(7, 2))
	for day := 0; w.sent < commands; day++ {
		w.day()
		w.runs(t, runs, w.without("GAMMA", day%2 == 0), func(string, report.Message) bool {
			return random.IntN(10) == 0
		})
	}
	for range 4 {
		w.runs(t, runs, w.reference, nil)
	}
	for i := range runs {
		require.Empty(t, runs[i].Open, sets[i].Name)
	}
	for _, uti := range w.desk.UTIs() {
		w.agree(t, uti)
	}
}

// without returns the reference data, without the facts of a party if it is missing.
func (w *market) without(party string, missing bool) report.Reference {
	facts := slices.DeleteFunc(slices.Clone(w.desk.Facts), func(f report.Fact) bool {
		return missing && f.Kind == report.Party && f.Key == party
	})
	return report.FoldReference(slices.Values(facts), time.Time{})
}

// runs makes and submits the reports of a day. The repository rejects the messages for which
// rejects says so, and judges the others by their content. If rejects is nil, it accepts all.
func (w *market) runs(
	t *testing.T, filings []report.Filings, reference report.Reference,
	rejects func(regime string, m report.Message) bool,
) {
	t.Helper()
	w.now = w.now.Add(time.Second) // follow-ups are recorded microseconds later
	for i, set := range sets {
		set.Valuation = ""
		run := report.Run{Rules: set, Known: w.now, Reference: reference, Filings: filings[i]}
		made := report.Made{Name: w.now.String(), Known: w.now}
		var b bytes.Buffer
		writer := set.Write(&b, report.Header{Reference: reference})
		var sent, rejected []string
		for _, uti := range w.desk.UTIs() {
			out := run.Contract(report.Subject{Contract: w.desk.Contract(uti)})
			for _, e := range out.Exceptions {
				made.Exceptions = append(made.Exceptions, report.Lack{Message: e.Message})
			}
			for _, row := range out.Rows {
				if rejects != nil && rejects(set.Regime, row.Message) {
					rejected = append(rejected, row.Message.ID())
					continue
				}
				sent = append(sent, row.Message.ID())
				require.NoError(t, writer.Row(row))
			}
		}
		require.NoError(t, writer.Close())
		answers, err := w.repository.Submit(set.Regime, b.Bytes())
		require.NoError(t, err)
		answered := report.Answered{Name: made.Name}
		for n, a := range answers {
			if rejects == nil {
				require.True(t, a.Accepted(), "%s %s: %+v", set.Name, sent[n], a)
			}
			if !a.Accepted() {
				rejected = append(rejected, sent[n])
			}
		}
		for _, id := range rejected {
			answered.Rejected = append(answered.Rejected, report.Rejected{Message: id})
		}
		filings[i].Take(w.now.String()+" made", w.now, made)
		filings[i].Take(w.now.String()+" answered", w.now, answered)
	}
}
