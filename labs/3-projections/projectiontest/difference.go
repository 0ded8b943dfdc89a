package projectiontest

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/trade"
)

// requireSame ends the check unless two states have the same canonical bytes. It names the first
// row that differs, and its fields:
//
//	the state after 60 events has another position: north, power/CET/base@2025, EUR
//	  quantity             expected 40, actual 100
//	  average_cost.cost    expected 2000, actual 5000
//	and 2 more rows differ
func requireSame(t check.T, want, got trade.State, format string, args ...any) {
	if canonical(want) == canonical(got) {
		return
	}
	wanted, found := rowsOf(want), rowsOf(got)
	var differ []string
	for _, key := range slices.Sorted(maps.Keys(union(wanted, found))) {
		if wanted[key] != found[key] {
			differ = append(differ, key)
		}
	}
	first := differ[0]
	text := fmt.Sprintf(format, args...)
	switch {
	case found[first] == "":
		text += " lacks a " + first
	case wanted[first] == "":
		text += " has a row too many, a " + first
	default:
		text += " has another " + first + differentFields(wanted[first], found[first])
	}
	if more := len(differ) - 1; more > 0 {
		text += fmt.Sprintf("\nand %d more rows differ", more)
	}
	t.Errorf("%s", text)
	t.FailNow()
}

// rowsOf returns the lines of a state by a name for people.
func rowsOf(s trade.State) map[string]string {
	lines := map[string]string{}
	for line := range strings.Lines(canonical(s)) {
		for kind, row := range fieldsOf(line) {
			name := row.(map[string]any)
			var parts []string
			for _, part := range []string{
				"uti", "book", "instrument", "curve", "delivery", "currency", "stream",
			} {
				if text, ok := name[part].(string); ok && (kind != "trade" || part == "uti") {
					parts = append(parts, text)
				}
			}
			lines[kind+": "+strings.Join(parts, ", ")] = line
		}
	}
	return lines
}

func union(a, b map[string]string) map[string]string {
	all := maps.Clone(a)
	maps.Copy(all, b)
	return all
}

func fieldsOf(line string) map[string]any {
	var fields map[string]any
	if err := json.Unmarshal([]byte(line), &fields); err != nil {
		panic(err) // a line of a canonical state
	}
	return fields
}

// differentFields lists the fields in which two rows differ.
func differentFields(want, got string) string {
	wanted, found := map[string]string{}, map[string]string{}
	flatten(wanted, "", fieldsOf(want))
	flatten(found, "", fieldsOf(got))
	text := ""
	for _, field := range slices.Sorted(maps.Keys(union(wanted, found))) {
		if wanted[field] != found[field] {
			_, name, _ := strings.Cut(strings.TrimPrefix(field, "."), ".")
			text += fmt.Sprintf("\n  %-22s expected %s, actual %s", name, wanted[field],
				found[field])
		}
	}
	return text
}

// flatten collects the values of nested objects under dotted names.
func flatten(into map[string]string, name string, value any) {
	fields, ok := value.(map[string]any)
	if !ok {
		into[name] = fmt.Sprint(value)
		return
	}
	for field, v := range fields {
		flatten(into, name+"."+field, v)
	}
}
