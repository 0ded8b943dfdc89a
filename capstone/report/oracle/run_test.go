package oracle_test

import (
	"bytes"
	"iter"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/cftc"
	"example.com/blotter/capstone/report/filing"
	"example.com/blotter/capstone/report/oracle"
	"example.com/blotter/capstone/report/repository"
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
	w, sets := newMarket(7), append(slices.Clone(sets), cftc.P43)
	w.simulate(t, sets)
	runs := make([]report.Filings, len(sets))
	random := rand.New(rand.NewPCG(7, 2))
	for day := 0; w.sent < commands; day++ {
		w.day()
		w.runs(t, sets, runs, w.without("GAMMA", day%2 == 0), func(string, report.Message) bool {
			return random.IntN(10) == 0
		})
	}
	for range 4 {
		w.runs(t, sets, runs, w.reference, nil)
	}
	for i := range runs {
		require.Empty(t, runs[i].Open, sets[i].Name)
		run := report.Run{Rules: sets[i], Known: w.now, Reference: w.reference, Filings: runs[i]}
		held := filing.Holding{}
		for key, h := range w.simulated[sets[i].Regime].Holds {
			held[key] = h.Records
		}
		require.NotEmpty(t, held)
		found, err := filing.Reconcile(w.subjects(), run, held)
		require.NoError(t, err)
		require.Empty(t, found, sets[i].Name)
	}
	for _, uti := range w.desk.UTIs() {
		w.agree(t, uti)
	}
}

// simulate opens the simulated repositories. They are to accept what the model accepts.
func (w *market) simulate(t *testing.T, sets []report.RuleSet) {
	w.simulated = map[string]*repository.Repository{}
	for _, set := range sets {
		r, err := repository.Open(t.TempDir(), set.Regime)
		require.NoError(t, err)
		w.simulated[set.Regime] = r
	}
}

// subjects yields all contracts.
func (w *market) subjects() iter.Seq2[report.Subject, error] {
	return func(yield func(report.Subject, error) bool) {
		for _, uti := range w.desk.UTIs() {
			if !yield(report.Subject{Contract: w.desk.Contract(uti)}, nil) {
				return
			}
		}
	}
}

// submit hands a file to the model, and to the simulated repository if there is one. Their verdicts
// are the same. The model does not know part 43.
func (w *market) submit(t *testing.T, regime string, file []byte) (answers []oracle.Answer) {
	t.Helper()
	var theirs []repository.Answer
	var err error
	if r := w.simulated[regime]; r != nil && len(file) > 0 {
		_, theirs, err = r.Submit(w.now.String(), file)
		require.NoError(t, err)
	}
	if regime == cftc.P43.Regime {
		for _, a := range theirs {
			answers = append(answers, oracle.Answer{Record: a.Row, Key: a.Key, Code: a.Code})
		}
		return answers
	}
	answers, err = w.repository.Submit(regime, file)
	require.NoError(t, err)
	if w.simulated != nil && len(file) > 0 {
		require.Len(t, theirs, len(answers))
		for i, a := range answers {
			require.Equal(t, a.Accepted(), theirs[i].Code == "", "%s: %+v, %+v", regime, a,
				theirs[i])
		}
	}
	return answers
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
	t *testing.T, sets []report.RuleSet, filings []report.Filings, reference report.Reference,
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
		answers := w.submit(t, set.Regime, b.Bytes())
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
