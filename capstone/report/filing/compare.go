package filing

import (
	"bytes"
	"cmp"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"example.com/blotter/capstone/extract"
)

// A Change is a difference between two reports, with the event of the message.
type Change struct {
	Message string `json:"message"`
	Event   string `json:"event"` // the id of the event that the message reports
	Field   string `json:"field,omitempty"`
	Here    string `json:"here"`  // empty with an empty Field: the first report lacks the message
	There   string `json:"there"` // so with the second one
}

// A compared message is the lines of one message in a report.
type compared struct {
	event  string
	fields map[string]string
}

// Compare returns the differences between two reports of CSV files, message by message and field by
// field: of two rule sets, of two times, or of two states of reference data. Fields are compared by
// their names. The time of the report is no difference.
func Compare(here, there string) (all []Change, err error) {
	a, err := readMessages(here)
	if err != nil {
		return nil, err
	}
	b, err := readMessages(there)
	if err != nil {
		return nil, err
	}
	for message, m := range a {
		if other, ok := b[message]; ok {
			all = append(all, m.changes(message, other)...)
		} else {
			all = append(all, Change{Message: message, Event: m.event, Here: "reported"})
		}
	}
	for message, m := range b {
		if _, ok := a[message]; !ok {
			all = append(all, Change{Message: message, Event: m.event, There: "reported"})
		}
	}
	slices.SortFunc(all, func(x, y Change) int {
		return cmp.Or(cmp.Compare(x.Message, y.Message), cmp.Compare(x.Field, y.Field))
	})
	return all, nil
}

func (m compared) changes(message string, o compared) (all []Change) {
	names := map[string]bool{}
	for name := range m.fields {
		names[name] = true
	}
	for name := range o.fields {
		names[name] = true
	}
	delete(names, "Reporting timestamp")
	for name := range names {
		if m.fields[name] != o.fields[name] {
			all = append(all, Change{message, m.event, name, m.fields[name], o.fields[name]})
		}
	}
	return all
}

func readMessages(dir string) (map[string]compared, error) {
	st, err := Read(dir)
	if err != nil {
		return nil, err
	}
	const file = "report.csv"
	if st.Digests[file] == "" {
		return nil, fmt.Errorf("%s: only reports in CSV are compared, and that of %s has no %s",
			dir, st.Rules, file)
	}
	rows, err := readCSV(filepath.Join(dir, RowsFile))
	if err != nil {
		return nil, err
	}
	records, err := readCSV(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	if len(rows) != len(records) || len(rows) == 0 {
		return nil, &extract.Fault{File: filepath.Join(dir, RowsFile),
			What: "it does not have a line for each record"}
	}
	all := map[string]compared{}
	for i, row := range rows[1:] {
		fields := map[string]string{}
		for n, name := range records[0] {
			fields[name] = records[i+1][n]
		}
		all[row[1]] = compared{row[5], fields}
	}
	return all, nil
}

func readCSV(path string) ([][]string, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		err = fmt.Errorf("%s: %w", path, err)
	}
	return lines, err
}
