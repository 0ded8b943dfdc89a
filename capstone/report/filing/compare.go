package filing

import (
	"context"
	"time"

	"example.com/blotter/capstone/report"
)

// Since returns a run of a rule set over w that reports everything that was recorded after a time,
// whatever earlier reports say; the zero time means from the beginning.
func (w *World) Since(rules report.RuleSet, since time.Time) report.Run {
	run := w.Run(rules, nil)
	run.Filings = report.Filings{Until: since}
	return run
}

// Compare returns the differences between two runs over one log, contract by contract: of two rule
// sets, of two known times, or of both. w knows the log at the later one of their times.
func Compare(
	ctx context.Context, w *World, here, there report.Run,
) (all []report.Change, err error) {
	for s, err := range w.Subjects(ctx) {
		if err != nil {
			return nil, err
		}
		all = append(all, report.Compare(here, there, s)...)
	}
	return all, nil
}
