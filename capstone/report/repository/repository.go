// Package repository simulates a swap data repository: it takes a report of the
// CFTC's Parts 43 and 45, answers every record with ACK or NACK, and keeps the last accepted record
// of each swap. It shares no code with the rules that make reports.
//
// A repository is a folder:
//
//	inbox/NAME.csv      the reports, as they were sent
//	outbox/N-NAME.csv   the answers: row,uti,action,answer,code,text; N counts them, in 6 digits
//	lapsed.txt          the LEIs that it does not accept, one a line; written by hand
//
// The state of a swap is what the accepted records say, in the order of the answers. There is no
// other file of it: so no crash leaves a record that counts and has no answer. A file appears
// whole, or not at all.
//
// Codes of a NACK:
//
//	FORMAT    a mandatory element is blank, or a value has another form
//	PAIR      the event type is not allowed for the action type (appendix F)
//	STATE     the action is not allowed in the state of the swap (appendix F)
//	TIME      the event is before the execution, or the report is
//	PRIOR     the prior UTI is missing, or it is there and must not be
//	LAPSED    the LEI of a counterparty has lapsed
package repository

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// An Answer is the answer to one record of a report.
type Answer struct {
	Row         int // 1-based
	UTI, Action string
	Code, Text  string // empty for ACK
}

// A Held is a swap that the repository knows.
type Held struct {
	State  string            // open, ended or error
	Record map[string]string // the last accepted record, by the name of the element
}

// A Repository is an open folder.
type Repository struct {
	dir    string
	Swaps  map[string]Held // by UTI
	lapsed []string
}

// Open opens a folder, or prepares a new one.
func Open(dir string) (*Repository, error) {
	r := &Repository{dir: dir, Swaps: map[string]Held{}}
	for _, sub := range []string{"inbox", "outbox"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "lapsed.txt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.lapsed = strings.Fields(string(text))
	answered, err := filepath.Glob(filepath.Join(dir, "outbox", "*.csv")) // sorted
	for _, out := range answered {
		if err == nil {
			err = r.replay(filepath.Base(out))
		}
	}
	return r, err
}

// replay takes the accepted records of an answered report.
func (r *Repository) replay(name string) error {
	_, sent, _ := strings.Cut(name, "-")
	report, err1 := os.ReadFile(filepath.Join(r.dir, "inbox", sent))
	file, err2 := os.ReadFile(filepath.Join(r.dir, "outbox", name))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	records, err1 := recordsOf(report)
	all, err2 := answers(file)
	if err := errors.Join(err1, err2); err != nil {
		return fmt.Errorf("report %s of the repository in %s is damaged: %w", name, r.dir, err)
	}
	if len(all) != len(records) {
		return fmt.Errorf("report %s of the repository in %s has %d records and %d answers",
			name, r.dir, len(records), len(all))
	}
	for i, a := range all {
		if a.Code == "" {
			r.keep(records[i])
		}
	}
	return nil
}

// keep changes the state of a swap by an accepted record. A valuation changes none.
func (r *Repository) keep(record map[string]string) {
	if record[action] != "VALU" {
		next := transitions[r.Swaps[record[uti]].State+" "+record[action]]
		r.Swaps[record[uti]] = Held{next, record}
	}
}

// recordsOf returns the records of a report, by the names of their elements.
func recordsOf(report []byte) (all []map[string]string, err error) {
	lines, err := csv.NewReader(bytes.NewReader(report)).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("the report is no CSV file with a header: %v", err)
	}
	for _, name := range []string{action, event, uti, first, second, executed, reported} {
		if !slices.Contains(lines[0], name) {
			return nil, fmt.Errorf("the report has no column %q: it is of other rules", name)
		}
	}
	for _, line := range lines[1:] {
		all = append(all, named(lines[0], line))
	}
	return all, nil
}

func named(header, record []string) map[string]string {
	all := map[string]string{}
	for i, name := range header {
		all[name] = record[i]
	}
	return all
}

// ErrTaken is a name under which a report was sent before.
var ErrTaken = errors.New("the repository has a report of this name already")

// Submit takes a report and answers it. A report that was answered gets the same answer again. A
// crash before the answer is written leaves no accepted record, and the report may be sent again.
func (r *Repository) Submit(name string, report []byte) (file []byte, all []Answer, err error) {
	records, err := recordsOf(report)
	if err != nil {
		return nil, nil, err
	}
	name = strings.ReplaceAll(name, ":", "") + ".csv"
	in := filepath.Join(r.dir, "inbox", name)
	out, err := r.answerOf(name)
	if err != nil {
		return nil, nil, err
	}
	if file, err := os.ReadFile(out); err == nil {
		if before, err := os.ReadFile(in); err != nil || !bytes.Equal(before, report) {
			return nil, nil, fmt.Errorf("%s: %w", name, ErrTaken)
		}
		all, err := answers(file)
		return file, all, err
	}
	// A crash here leaves nothing.
	if err := write(in, report); err != nil {
		return nil, nil, err
	}
	// A crash here leaves a report without an answer: none of its records counts.
	lines := [][]string{{"row", "uti", "action", "answer", "code", "text"}}
	for i, record := range records {
		a := r.take(record)
		word := "ACK"
		if a.Code != "" {
			word = "NACK"
		}
		lines = append(lines, []string{strconv.Itoa(i + 1), a.UTI, a.Action, word, a.Code, a.Text})
	}
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(lines); err != nil {
		return nil, nil, err
	}
	if all, err = answers(b.Bytes()); err != nil {
		return nil, nil, err
	}
	return b.Bytes(), all, write(out, b.Bytes())
}

// answerOf returns the path of the answer to a report: the one that is there, or the next one.
func (r *Repository) answerOf(name string) (string, error) {
	answered, err := filepath.Glob(filepath.Join(r.dir, "outbox", "*.csv"))
	for _, path := range answered {
		if _, of, _ := strings.Cut(filepath.Base(path), "-"); of == name {
			return path, err
		}
	}
	next := fmt.Sprintf("%06d-%s", len(answered)+1, name)
	return filepath.Join(r.dir, "outbox", next), err
}

// write writes a file that appears whole, or not at all.
func write(path string, text []byte) error {
	f, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// answers reads a file of answers.
func answers(file []byte) (all []Answer, err error) {
	lines, err := csv.NewReader(bytes.NewReader(file)).ReadAll()
	if err != nil || len(lines) == 0 {
		return nil, fmt.Errorf("the answer is no CSV file with a header: %v", err)
	}
	for _, l := range lines[1:] {
		row, err := strconv.Atoi(l[0])
		if err != nil {
			return nil, err
		}
		all = append(all, Answer{row, l[1], l[2], l[4], l[5]})
	}
	return all, nil
}

// Names of elements that the repository reads.
const (
	action    = "Action type"
	event     = "Event type"
	amended   = "Amendment indicator"
	executed  = "Execution timestamp"
	happened  = "Event timestamp"
	reported  = "Reporting timestamp"
	prior     = "Prior UTI (for one-to-one and one-to-many relations between transactions)"
	uti       = "Unique transaction identifier (UTI)"
	first     = "Counterparty 1 (reporting counterparty)"
	second    = "Counterparty 2"
	valuation = "Valuation amount"
)

// take answers one record, and keeps it if it is accepted.
func (r *Repository) take(record map[string]string) Answer {
	a := Answer{UTI: record[uti], Action: record[action]}
	held := r.Swaps[a.UTI]
	next := transitions[held.State+" "+a.Action]
	for _, c := range []struct {
		bad        bool
		code, text string
	}{
		{!complete(record), "FORMAT", "a mandatory element is blank, or has another form"},
		{!allowedPair(a.Action, record[event]), "PAIR", "event type " + record[event]},
		{next == "", "STATE", fmt.Sprintf("%s for a swap that is %s", a.Action,
			orUnknown(held.State))},
		{(a.Action == "MODI") != (record[amended] != ""), "FORMAT", amended},
		{a.Action != "VALU" && record[happened] < record[executed] ||
			record[reported] < record[executed], "TIME", "before the execution"},
		{(a.Action == "NEWT" && record[event] != "TRAD") != (record[prior] != ""), "PRIOR", prior},
		{slices.Contains(r.lapsed, record[first]) || slices.Contains(r.lapsed, record[second]),
			"LAPSED", "the LEI of a counterparty has lapsed"},
	} {
		if c.bad {
			a.Code, a.Text = c.code, c.text
			return a
		}
	}
	r.keep(record)
	return a
}

func orUnknown(state string) string {
	if state == "" {
		return "unknown"
	}
	return state
}

// transitions are the states of a swap by its state and the action type (appendix F).
var transitions = map[string]string{
	" NEWT":     "open",
	"open MODI": "open", "open CORR": "open", "open TERM": "ended", "open EROR": "error",
	"open VALU": "open", "ended MODI": "ended", "ended CORR": "ended", "ended VALU": "ended",
	"ended EROR": "error", "ended REVI": "open", "error REVI": "open",
}

func allowedPair(action, event string) bool {
	pairs := map[string]string{"NEWT": "TRAD NOVA EXER", "MODI": "TRAD NOVA EXER",
		"TERM": "ETRM NOVA EXER"}
	if pairs[action] == "" {
		return event == ""
	}
	return event != "" && slices.Contains(strings.Fields(pairs[action]), event)
}

var (
	lei   = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}$`)
	trade = regexp.MustCompile(`^[A-Z0-9]{18}[0-9]{2}[A-Z0-9]{1,32}$`)
	stamp = regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$`)
	money = regexp.MustCompile(`^-?\d{1,20}(\.\d{1,5})?$`)
)

// complete reports whether the mandatory elements are there, in their forms.
func complete(record map[string]string) bool {
	forms := map[string]*regexp.Regexp{first: lei, second: lei, uti: trade, reported: stamp}
	if record[action] == "VALU" {
		forms[valuation] = money
	} else {
		forms[executed], forms[happened] = stamp, stamp
		forms["Notional amount"], forms["Total notional quantity"] = money, money
	}
	for name, form := range forms {
		if !form.MatchString(record[name]) {
			return false
		}
	}
	return true
}
