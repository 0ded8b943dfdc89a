// Package repository simulates the places that reports are sent to: a swap data repository of the
// CFTC's parts 43 and 45, the reporting mechanism of REMIT, and the approved reporting mechanism of
// MiFIR. It takes the reports of a regime, answers every record with ACK or NACK, and holds the
// accepted records. It shares no code with the rules that make reports.
//
// A repository is a folder, with a folder for each regime:
//
//	lapsed.txt                 the LEIs that it does not accept, one a line; written by hand
//	REGIME/inbox/NAME          the files, as they were sent
//	REGIME/outbox/N-NAME.csv   the answers: row,key,action,answer,code,text; N counts them
//	REGIME/state.csv           the state: key,record,element,text; a line for each element
//	CFTC-P43/tape.csv          the public messages, without the elements that name the parties
//
// Each regime has records of its own:
//
//	regime    key                    records of a key
//	CFTC      UTI                    the last accepted one that is no valuation
//	CFTC-P43  UTI                    the last accepted one
//	REMIT     UTI                    all that no E has withdrawn, in order
//	MIFIR     transaction reference  the one that no CANC has cancelled
//
// The state is what the accepted records say, in the order of the answers. Open makes it again, so
// no crash leaves a record that counts and has no answer. A file appears whole, or not at all.
//
// Codes of a NACK. They are of this simulation: a real repository has its own.
//
//	FORMAT    a mandatory element is blank, or a value has another form
//	PAIR      the event type is not allowed for the action type (appendix F)
//	PUBLIC    the message is for part 45 only (appendix F, table 7)
//	STATE     the action is not allowed in the state of the contract or transaction
//	RECORD    an E repeats another record than the last one
//	TIME      the event is before the execution, or the report is
//	PRIOR     the prior UTI is missing, or it is there and must not be
//	LAPSED    the LEI of a party has lapsed
package repository

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// A Record is an accepted record: the text of each element by its name, or by its path in XML.
type Record = map[string]string

// An Answer is the answer to one record of a file.
type Answer struct {
	Row         int // 1-based
	Key, Action string
	Code, Text  string // empty for ACK
}

// A Held is a contract or transaction that the repository knows.
type Held struct {
	State   string // a word of the regime, such as open
	Records []Record
}

// A regime has the rules of acceptance of one regime.
type regime struct {
	key, action string // names of elements
	read        func(file []byte) ([]Record, error)
	// judge returns the code of a refusal, or "".
	judge func(h Held, r Record) (code, text string)
	// keep returns the state after an accepted record.
	keep func(h Held, r Record) Held
}

func regimes() map[string]regime {
	return map[string]regime{
		"CFTC":     {uti, action, swaps, judgeSwap, keepSwap},
		"CFTC-P43": {uti, action, publicSwaps, judgePublic, keepSwap},
		"REMIT":    {supplyUTI, supplyAction, supplies, judgeSupply, keepSupply},
		"MIFIR":    {reference, status, transactions, judgeTransaction, keepTransaction},
	}
}

// Takes reports whether the repository takes the reports of a regime.
func Takes(name string) bool {
	_, ok := regimes()[name]
	return ok
}

// A Repository is the open folder of one regime.
type Repository struct {
	dir    string
	rules  regime
	Holds  map[string]Held // by key
	lapsed []string
	tape   *tape // nil for a regime that disseminates nothing
}

// Open opens the folder of a regime that the repository takes, or prepares a new one.
func Open(dir, name string) (*Repository, error) {
	rules, ok := regimes()[name]
	if !ok {
		return nil, fmt.Errorf("the simulated repository takes no reports of %s", name)
	}
	if err := refuseFormer(dir, name); err != nil {
		return nil, err
	}
	r := &Repository{dir: filepath.Join(dir, name), rules: rules, Holds: map[string]Held{}}
	if name == "CFTC-P43" {
		r.tape = newTape()
	}
	for _, sub := range []string{"inbox", "outbox"} {
		if err := os.MkdirAll(filepath.Join(r.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, "lapsed.txt"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	r.lapsed = strings.Fields(string(text))
	answered, err := filepath.Glob(filepath.Join(r.dir, "outbox", "*.csv")) // sorted
	for _, out := range answered {
		if err == nil {
			err = r.replay(filepath.Base(out))
		}
	}
	if err != nil {
		return nil, err
	}
	return r, r.writeState()
}

// refuseFormer refuses a folder from before each regime had one: it would look empty.
func refuseFormer(dir, name string) error {
	for _, part := range []string{"inbox", "outbox", "state.csv"} {
		_, err := os.Stat(filepath.Join(dir, part))
		if err == nil {
			return fmt.Errorf("the repository in %s has %s outside the folder of a regime: move "+
				"it to %s, or to that of the regime of its reports", dir, part,
				filepath.Join(dir, name, part))
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// replay takes the accepted records of an answered report.
func (r *Repository) replay(name string) error {
	_, sent, _ := strings.Cut(strings.TrimSuffix(name, ".csv"), "-")
	report, err1 := os.ReadFile(filepath.Join(r.dir, "inbox", sent))
	if errors.Is(err1, fs.ErrNotExist) { // a name from before each regime had a folder
		report, err1 = os.ReadFile(filepath.Join(r.dir, "inbox", sent+".csv"))
	}
	file, err2 := os.ReadFile(filepath.Join(r.dir, "outbox", name))
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	records, err1 := r.rules.read(report)
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

// keep changes the state by an accepted record.
func (r *Repository) keep(record Record) {
	key := record[r.rules.key]
	r.Holds[key] = r.rules.keep(r.Holds[key], record)
	if r.tape != nil {
		r.tape.add(record)
	}
}

// ErrTaken is a name under which another file was sent before.
var ErrTaken = errors.New("the repository has a report of this name already")

// Submit takes a file and answers it. A file that was answered gets the same answer again. A crash
// before the answer is written leaves no accepted record, and the file may be sent again.
func (r *Repository) Submit(name string, report []byte) (file []byte, all []Answer, err error) {
	records, err := r.rules.read(report)
	if err != nil {
		return nil, nil, err
	}
	name = strings.ReplaceAll(name, ":", "")
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
	if file, err = r.answer(records); err != nil {
		return nil, nil, err
	}
	if all, err = answers(file); err != nil {
		return nil, nil, err
	}
	if err := write(out, file); err != nil {
		return nil, nil, err
	}
	// A crash here leaves the state of before, which Open makes again.
	return file, all, r.writeState()
}

// answer takes the records, and returns the file of their answers.
func (r *Repository) answer(records []Record) ([]byte, error) {
	lines := [][]string{{"row", "key", "action", "answer", "code", "text"}}
	for i, record := range records {
		a := r.take(record)
		word := "ACK"
		if a.Code != "" {
			word = "NACK"
		}
		lines = append(lines, []string{strconv.Itoa(i + 1), a.Key, a.Action, word, a.Code, a.Text})
	}
	var b bytes.Buffer
	err := csv.NewWriter(&b).WriteAll(lines)
	return b.Bytes(), err
}

// answerOf returns the path of the answer to a report: the one that is there, or the next one.
func (r *Repository) answerOf(name string) (string, error) {
	answered, err := filepath.Glob(filepath.Join(r.dir, "outbox", "*.csv"))
	for _, path := range answered {
		if _, of, _ := strings.Cut(filepath.Base(path), "-"); of == name+".csv" {
			return path, err
		}
	}
	next := fmt.Sprintf("%06d-%s.csv", len(answered)+1, name)
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

// take answers one record, and keeps it if it is accepted.
func (r *Repository) take(record Record) Answer {
	a := Answer{Key: record[r.rules.key], Action: record[r.rules.action]}
	a.Code, a.Text = r.rules.judge(r.Holds[a.Key], record)
	for _, text := range record {
		if a.Code == "" && slices.Contains(r.lapsed, text) {
			a.Code, a.Text = "LAPSED", "the LEI of a counterparty has lapsed"
		}
	}
	if a.Code == "" {
		r.keep(record)
	}
	return a
}

// writeState writes the state, and the tape of a regime that has one.
func (r *Repository) writeState() error {
	lines := [][]string{{"key", "record", "element", "text"}}
	for _, key := range slices.Sorted(maps.Keys(r.Holds)) {
		for i, record := range r.Holds[key].Records {
			for _, name := range slices.Sorted(maps.Keys(record)) {
				if record[name] != "" {
					line := []string{key, strconv.Itoa(i + 1), name, record[name]}
					lines = append(lines, line)
				}
			}
		}
	}
	err := r.writeCSV("state.csv", lines)
	if err == nil && r.tape != nil {
		err = r.writeCSV("tape.csv", r.tape.lines)
	}
	return err
}

func (r *Repository) writeCSV(name string, lines [][]string) error {
	var b bytes.Buffer
	if err := csv.NewWriter(&b).WriteAll(lines); err != nil {
		return err
	}
	return write(filepath.Join(r.dir, name), b.Bytes())
}

// stateOf returns the code of an action that the state forbids.
func stateOf(action, state string) (code, text string) {
	if state == "" {
		state = "unknown"
	}
	return "STATE", fmt.Sprintf("%s for a contract or transaction that is %s", action, state)
}

// matches reports whether the elements of a record have their forms.
func matches(r Record, forms map[string]*regexp.Regexp) bool {
	for name, form := range forms {
		if !form.MatchString(r[name]) {
			return false
		}
	}
	return true
}
