package capstone

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// Streams returns the events before end by their streams, in version order.
func (s *System) Streams(
	ctx context.Context, end contract.Cursor,
) (map[string][]trade.Event, error) {
	streams := map[string][]trade.Event{}
	for r, err := range s.Log.Read(ctx, nil, end) {
		if err != nil {
			return nil, err
		}
		e, err := contract.Decoded(ctx, s.Desk.Codec, r)
		if err != nil {
			return nil, err
		}
		streams[r.Stream] = append(streams[r.Stream], e)
	}
	return streams, nil
}

// A ChangedField is a field of a canonical line that an event changed: its value as JSON before the
// event, and after it in each of two histories. A value is empty where its line is missing.
type ChangedField struct {
	Subject string `json:"subject"` // of the line, such as trade PWR-70
	Name    string `json:"field"`
	Before  string `json:"before"`
	Here    string `json:"here"`
	There   string `json:"there"`
}

func (f ChangedField) String() string {
	before, here := orNothing(f.Before), orNothing(f.Here)
	if f.There == f.Here {
		return fmt.Sprintf("%s: before %s, after %s", f.Name, before, here)
	}
	return fmt.Sprintf("%s: before %s, here %s, there %s", f.Name, before, here,
		orNothing(f.There))
}

func orNothing(value string) string { return cmp.Or(value, "nothing") }

// Parting compares the effects of one event in two histories that were equal before it. It returns
// the changed fields of the lines that differ after it, or of all lines if none does.
func Parting(here, there trade.Step) []ChangedField {
	before := fieldsOf(here.Before, there.Before)
	after := [2]map[string]map[string]string{maps.Clone(before), maps.Clone(before)}
	for i, step := range []trade.Step{here, there} {
		maps.DeleteFunc(after[i], func(subject string, _ map[string]string) bool {
			return fieldsOf(step.Before)[subject] != nil
		})
		maps.Copy(after[i], fieldsOf(step.After))
	}
	var all, differ []ChangedField
	for _, subject := range sortedKeys(before, after[0], after[1]) {
		was, a, b := before[subject], after[0][subject], after[1][subject]
		for _, name := range sortedKeys(was, a, b) {
			f := ChangedField{subject, name, was[name], a[name], b[name]}
			if f.Before == f.Here && f.Here == f.There {
				continue
			}
			all = append(all, f)
			if !maps.Equal(a, b) {
				differ = append(differ, f)
			}
		}
	}
	if differ == nil {
		return all
	}
	return differ
}

func sortedKeys[V any](of ...map[string]V) []string {
	all := map[string]bool{}
	for _, m := range of {
		for key := range m {
			all[key] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// lineKeys has the fields that name a canonical line, by its kind: see trade.State.Canonical.
var lineKeys = map[string][]string{
	"trade": {"uti"}, "position": {"book", "instrument", "currency"},
	"mark": {"curve", "delivery"}, "parked": {"stream"},
}

// fieldsOf returns the fields of canonical lines by their subjects. The subject of any other line
// is the line itself.
func fieldsOf(lines ...[]string) map[string]map[string]string {
	all := map[string]map[string]string{}
	for _, line := range slices.Concat(lines...) {
		subject, fields := strings.TrimSpace(line), map[string]string{}
		var kinds map[string]map[string]json.RawMessage
		if json.Unmarshal([]byte(line), &kinds) != nil {
			fields["line"] = subject
		}
		for kind, values := range kinds {
			subject = kind
			for _, key := range lineKeys[kind] {
				subject += " " + strings.Trim(string(values[key]), `"`)
			}
			for name, value := range values {
				fields[name] = string(value)
			}
		}
		all[subject] = fields
	}
	return all
}
