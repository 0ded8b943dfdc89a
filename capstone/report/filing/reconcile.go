package filing

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"

	"example.com/blotter/capstone/report"
	"example.com/blotter/labs/kit/trade"
)

// A Difference is a contract that the repository has otherwise than the record.
type Difference struct {
	UTI   string `json:"uti"`
	Kind  string `json:"kind"`            // over-, under- or mis-reported
	Field string `json:"field,omitempty"` // the name of a field that differs
	Ours  string `json:"ours"`            // by the record
	Held  string `json:"held"`            // by the repository
	// Events are those of the contract that explain the difference: no report has had them yet, or
	// the last one if reports have had all. Of one record among several, it is the event of that.
	Events []string `json:"events"`
	// Reference has the events of reference data that the field reads, if reports have had all
	// events of the contract.
	Reference []string `json:"reference"`
	Why       string   `json:"why"`
	// Key names the record of a regime that has several of a contract: a transaction reference, or
	// the number of a record.
	Key string `json:"key,omitempty"`
}

// sending is the number of the field with the time of the report.
const sending = "97"

// Reconcile compares the records of each contract that a repository is to hold with those that it
// holds, by fields. A valuation is no such record.
func Reconcile(
	subjects iter.Seq2[report.Subject, error], run report.Run, held Holding,
) (all []Difference, err error) {
	held = maps.Clone(held)
	for s, err := range subjects {
		if err != nil {
			return nil, err
		}
		told := run.Told(s)
		d := Difference{UTI: s.UTI, Reference: []string{}}
		d.Events, d.Why = explain(told.Actions, run)
		all = append(all, d.contract(run, told, held)...)
		for _, key := range told.Keys {
			delete(held, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(held)) {
		d := Difference{UTI: key, Kind: "over-reported", Held: "reported", Events: []string{},
			Reference: []string{}, Why: "the record has no such contract"}
		if run.Rules.Key != "" { // a repository that knows no UTI
			d.UTI, d.Key = "", key
		}
		all = append(all, d)
	}
	return all, nil
}

// contract compares the records of one contract.
func (d Difference) contract(run report.Run, t report.Told, held Holding) (all []Difference) {
	ours := map[string][]report.Record{}
	for _, r := range t.Records {
		ours[r.Key] = append(ours[r.Key], r)
	}
	for _, key := range slices.Compact(slices.Sorted(slices.Values(t.Keys))) {
		all = append(all, d.records(run, t, ours[key], key, held[key])...)
	}
	return all
}

// records compares the records of one key: equal ones first, then the others in order. So a record
// that is missing among several is one difference.
func (d Difference) records(
	run report.Run, t report.Told, ours []report.Record, key string, held []map[string]string,
) (all []Difference) {
	lacking, others := unequal(run, ours, held)
	for i, n := range lacking {
		d := d.record(run, key, n)
		if d.Key != "" && d.Why == unexplained {
			d.Events = []string{ours[n].Any[0].Message.Action.Event.ID.String()}
		}
		switch {
		case i < len(others):
			all = append(all, d.fields(run, ours[n].Any[0], held[others[i]])...)
		case !t.Withdrawn: // else neither has it
			d.Kind, d.Ours = "under-reported", "reportable"
			all = append(all, d)
		}
	}
	for _, n := range others[min(len(lacking), len(others)):] {
		d := d.record(run, key, n)
		if d.Kind, d.Held = "over-reported", "reported"; !t.InScope {
			d.Why = "it is out of scope, as known now"
		}
		all = append(all, d)
	}
	return all
}

// unequal returns the indices of our records that the repository does not hold with equal fields,
// and of those that it holds beside them.
func unequal(
	run report.Run, ours []report.Record, held []map[string]string,
) (lacking, others []int) {
	equal := map[string][]int{} // by the texts of the fields
	for n, theirs := range held {
		texts := texts(run.Rules, func(_ int, name string) string { return theirs[name] })
		equal[texts] = append(equal[texts], n)
	}
	paired := map[int]bool{}
	for n, r := range ours {
		i := slices.IndexFunc(r.Any, func(in report.Input) bool {
			row, _, _ := run.Rules.Row(in)
			texts := texts(run.Rules, func(i int, _ string) string { return row.Texts[i] })
			found := equal[texts]
			if len(found) > 0 {
				paired[found[0]], equal[texts] = true, found[1:]
			}
			return len(found) > 0
		})
		if i < 0 {
			lacking = append(lacking, n)
		}
	}
	for n := range held {
		if !paired[n] {
			others = append(others, n)
		}
	}
	return lacking, others
}

// texts joins the texts of the fields that are compared.
func texts(rules report.RuleSet, text func(i int, name string) string) string {
	var all []string
	for i, f := range rules.Fields {
		if name := element(rules, f); name != "" {
			all = append(all, text(i, name))
		}
	}
	return strings.Join(all, "\x00")
}

// element returns the name by which a repository holds a field. It is empty for a field that is not
// compared: the structure of the document says it, or it is of the report.
func element(rules report.RuleSet, f report.Field) string {
	switch {
	case f.Number == sending:
		return ""
	case rules.File == "xml":
		return f.Element
	}
	return f.Name
}

// record returns d about one record, where a contract has several.
func (d Difference) record(run report.Run, key string, n int) Difference {
	switch {
	case run.Rules.Key != "":
		d.Key = key
	case run.Rules.Standing != nil:
		d.Key = fmt.Sprintf("record %d", n+1)
	}
	return d
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

// because explains a field that differs in a record of an event that a report has had: the version
// of the rules, if that report was made under another one, whose text the repository has.
func because(run report.Run, e trade.Event) string {
	for _, f := range run.Filings.Reports {
		if e.RecordedAt.After(f.Known) {
			continue
		}
		if f.Rules != "" && f.Rules != run.Rules.Name {
			return "it was first reported under " + f.Rules + ", which may want another text"
		}
		break
	}
	return unexplained
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
		name := element(run.Rules, f)
		if name == "" {
			continue
		}
		if ours, theirs := row.Texts[i], theirs[name]; ours != theirs {
			next := d
			if d.Why == unexplained {
				next.Reference, next.Why = reads(in, f), because(run, in.Message.Action.Event)
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

// A Holding is the records that a repository holds, by the key that it knows them by. A record is
// the text of each element by its name, or by its path in XML.
type Holding map[string][]map[string]string

// stateHeader names the columns of a state file: the key of a record, its number among those of the
// key, and the name and the text of an element.
var stateHeader = []string{"key", "record", "element", "text"}

// ReadState reads the state file of a repository, of any regime. Elements without a text have no
// line.
func ReadState(file io.Reader) (Holding, error) {
	lines := csv.NewReader(file)
	lines.ReuseRecord = true
	head, err := lines.Read()
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("the state: %w", err)
	}
	if !slices.Equal(head, stateHeader) {
		return nil, fmt.Errorf("the state: line 1: want the header %s",
			strings.Join(stateHeader, ","))
	}
	held := Holding{}
	for {
		l, err := lines.Read()
		if errors.Is(err, io.EOF) {
			return held, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the state: %w", err)
		}
		if err := held.add(l[0], l[1], l[2], l[3]); err != nil {
			line, _ := lines.FieldPos(0)
			return nil, fmt.Errorf("the state: line %d: %w", line, err)
		}
	}
}

// add adds an element of a record of a key, by its number.
func (h Holding) add(key, record, element, text string) error {
	records := h[key]
	n, err := strconv.Atoi(record)
	switch {
	case err != nil || n != len(records) && n != len(records)+1 || n < 1:
		return fmt.Errorf("%s has %d records before, and this is number %q", key, len(records),
			record)
	case n > len(records):
		records = append(records, map[string]string{})
	}
	if _, again := records[n-1][element]; again {
		return fmt.Errorf("%s has the element %s twice", key, element)
	}
	records[n-1][element] = text
	h[key] = records
	return nil
}
