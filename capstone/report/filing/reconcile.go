package filing

import (
	"context"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/capstone/report"
)

// A Difference is a contract that the repository has otherwise than the record.
type Difference struct {
	UTI   string `json:"uti"`
	Kind  string `json:"kind"`            // over-, under- or mis-reported
	Field string `json:"field,omitempty"` // the name of a field that differs
	Ours  string `json:"ours"`            // by the record
	Held  string `json:"held"`            // by the repository
	// Events are those of the contract that explain the difference: no report has had them yet, or
	// the last one if reports have had all.
	Events []string `json:"events"`
	// Reference has the events of reference data that the field reads, if reports have had all
	// events of the contract.
	Reference []string `json:"reference"`
	Why       string   `json:"why"`
}

// sending is the number of the field with the time of the report.
const sending = "97"

// Reconcile compares the last message of each contract in scope with the last record that a
// repository holds, by the names of the fields. A valuation is no such record.
func Reconcile(
	ctx context.Context, w *World, run report.Run, held map[string]map[string]string,
) (all []Difference, err error) {
	held = maps.Clone(held)
	for s, err := range w.Subjects(ctx) {
		if err != nil {
			return nil, err
		}
		last, actions, withdrawn := run.Last(s)
		theirs, known := held[s.UTI]
		delete(held, s.UTI)
		events, why := explain(actions, run)
		d := Difference{UTI: s.UTI, Events: events, Reference: []string{}, Why: why}
		switch {
		case last == nil && known:
			d.Kind, d.Held = "over-reported", "reported"
			d.Why = "it is out of scope, as known now"
			all = append(all, d)
		case !known && withdrawn: // neither has it
		case last != nil && !known:
			d.Kind, d.Ours = "under-reported", "reportable"
			all = append(all, d)
		case last != nil:
			all = append(all, d.nearest(run, last, theirs)...)
		}
	}
	for _, uti := range slices.Sorted(maps.Keys(held)) {
		all = append(all, Difference{UTI: uti, Kind: "over-reported", Held: "reported",
			Events: []string{}, Reference: []string{}, Why: "the record has no such contract"})
	}
	return all, nil
}

// nearest returns no difference if the repository holds one of the messages, and else those to the
// first one.
func (d Difference) nearest(
	run report.Run, last []report.Input, theirs map[string]string,
) (best []Difference) {
	for i, in := range last {
		found := d.fields(run, in, theirs)
		if len(found) == 0 {
			return nil
		}
		if i == 0 {
			best = found
		}
	}
	return best
}

// explain names the events that no report has had.
func explain(actions []report.Action, run report.Run) (events []string, why string) {
	for _, a := range actions {
		if a.Event.RecordedAt.After(run.Filings.Until) {
			events = append(events, a.Event.ID.String())
		}
	}
	if len(events) > 0 {
		return events, "recorded after the last report"
	}
	if n := len(actions); n > 0 {
		events = []string{actions[n-1].Event.ID.String()}
	}
	return events, unexplained
}

const unexplained = "it was rejected or is an exception, or reference data has changed"

func reads(in report.Input, f report.Field) []string {
	ids := []string{} // never nil: none is an empty list
	for _, id := range in.Reads(f.Rule) {
		ids = append(ids, id.String())
	}
	return ids
}

// fields compares the fields of a row with those that the repository holds.
func (d Difference) fields(
	run report.Run, in report.Input, theirs map[string]string,
) (all []Difference) {
	row, missing, _ := run.Rules.Row(in)
	for i, f := range run.Rules.Fields {
		if ours, theirs := row.Texts[i], theirs[f.Name]; ours != theirs && f.Number != sending {
			next := d
			if d.Why == unexplained {
				next.Reference = reads(in, f)
			}
			next.Kind, next.Field, next.Ours, next.Held = "mis-reported", f.Name, ours, theirs
			for _, e := range missing {
				if e.Field == f.Number {
					next.Why = strings.TrimSpace(e.Missing)
				}
			}
			all = append(all, next)
		}
	}
	return all
}
