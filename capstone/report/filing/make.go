package filing

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/report"
)

// Names of the files of a report, beside those for the repository.
const (
	RowsFile       = "rows.csv"       // the event that each record reports, and its record keeping
	ExceptionsFile = "exceptions.csv" // the fields that could not be filled
	StatementFile  = "statement.json" // a Statement
)

// A Statement says which report a folder has. It depends on the log and the question only.
type Statement struct {
	Format     string    `json:"format"`
	Rules      string    `json:"rules"`
	Source     string    `json:"source"` // of the rules
	Name       string    `json:"name"`   // within the regime
	Known      time.Time `json:"known_at"`
	After      time.Time `json:"after,omitzero"` // the known time of the report before it
	Back       []string  `json:"back,omitempty"`
	Rows       int64     `json:"rows"`
	Exceptions int64     `json:"exceptions"`
	Due        time.Time `json:"due_at"` // the earliest deadline of a row
	// Digests are SHA-256 in hexadecimal, by the name of the file.
	Digests map[string]string `json:"sha256"`
}

const format = "blotter/report/v2"

// Name returns the name of the report as known at a time.
func Name(known time.Time) string { return known.UTC().Format("2006-01-02T15:04:05.000000Z") }

// Encode returns the text of the statement.
func (st Statement) Encode() ([]byte, error) {
	text, err := json.MarshalIndent(st, "", "  ")
	return append(text, '\n'), err
}

// Digest returns the SHA-256 of the text of the statement, in hexadecimal.
func (st Statement) Digest() (string, error) {
	text, err := st.Encode()
	return fmt.Sprintf("%x", sha256.Sum256(text)), err
}

// ReportFile returns the name of the file for the repository that has a row: report.csv, or
// report-<LEI>.xml where each reporting entity has a file.
func ReportFile(s report.RuleSet, r report.Row) string {
	if s.Entity == "" {
		return "report." + s.File
	}
	return "report-" + s.Text(r, s.Entity) + "." + s.File
}

// Make writes a report into a new folder: the files for the repository, the rows with the events
// that they report, the exceptions, and the statement. It appends nothing to the log. The same
// question about the same log gives the same bytes, whatever was recorded after the known time.
//
// A crash leaves a folder without a statement: it is no report, and can be removed.
func Make(ctx context.Context, dir string, w *World, run report.Run) (
	st Statement, lacks []report.Lack, err error,
) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return st, nil, err
	}
	out, err := begin(dir, run)
	if err != nil {
		return st, nil, err
	}
	for s, err := range w.Subjects(ctx) {
		if err == nil {
			err = out.add(run.Contract(s))
		}
		if err != nil {
			return st, nil, out.fail(err)
		}
	}
	st, err = out.finish()
	if err != nil {
		return st, nil, err
	}
	text, err := st.Encode()
	if err != nil {
		return st, nil, err
	}
	return st, out.lacks, writeStatement(dir, text)
}

// writeStatement makes the statement durable, with the names of all files, BEFORE the report is put
// on record. A crash here leaves a folder without a statement.
func writeStatement(dir string, text []byte) error {
	path := filepath.Join(dir, StatementFile)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil || runtime.GOOS == "windows" { // it keeps names by itself, and has no call for it
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// A writer writes the files of a report.
type writer struct {
	dir                    string
	run                    report.Run
	statement              Statement
	files                  []*digested         // all open ones
	records                map[string]*records // by the name of the file for the repository
	rowsCSV, exceptionsCSV *csv.Writer
	lacks                  []report.Lack
}

// records is a file for the repository, and the number of its rows.
type records struct {
	report.Writer
	rows int64
}

// digested is a file with the digest of everything written to it. Write is the only way to the
// file: it has no WriteString, which io.WriteString would prefer.
type digested struct {
	file *os.File
	sum  hash.Hash
}

func (d *digested) Write(b []byte) (int, error) {
	d.sum.Write(b) // a hash returns no error
	return d.file.Write(b)
}

func begin(dir string, run report.Run) (*writer, error) {
	w := &writer{dir: dir, run: run, records: map[string]*records{}, statement: Statement{
		Format: format, Rules: run.Rules.Name, Source: run.Rules.Source, Name: Name(run.Known),
		Known: run.Known.UTC(), After: run.Filings.Until, Back: run.Back, Due: run.Known.UTC(),
		Digests: map[string]string{},
	}}
	rows, err1 := w.create(RowsFile)
	exceptions, err2 := w.create(ExceptionsFile)
	if err := errors.Join(err1, err2); err != nil {
		return nil, w.fail(err)
	}
	w.rowsCSV, w.exceptionsCSV = csv.NewWriter(rows), csv.NewWriter(exceptions)
	err := w.rowsCSV.Write(rowsHeader)
	if err == nil {
		err = w.exceptionsCSV.Write([]string{"message", "uti", "field", "name", "missing",
			"owner", "due_at"})
	}
	if err == nil && run.Rules.Entity == "" {
		_, err = w.recordsOf(ReportFile(run.Rules, report.Row{})) // it is there without rows, too
	}
	if err != nil {
		return nil, w.fail(err)
	}
	return w, nil
}

func (w *writer) create(name string) (*digested, error) {
	f, err := os.Create(filepath.Join(w.dir, name))
	if err != nil {
		return nil, err
	}
	d := &digested{f, sha256.New()}
	w.files = append(w.files, d)
	return d, nil
}

// recordsOf returns the file for the repository with a name, and begins it if it is new.
func (w *writer) recordsOf(name string) (*records, error) {
	if r, ok := w.records[name]; ok {
		return r, nil
	}
	f, err := w.create(name)
	if err != nil {
		return nil, err
	}
	r := &records{Writer: w.run.Rules.Write(f,
		report.Header{Reference: w.run.Reference, Known: w.run.Known})}
	w.records[name] = r
	return r, nil
}

// rowsHeader names the columns of rows.csv. row is the number of the record in its file. They are
// also what record keeping asks of an order: who decided, who entered it and when, and who approved
// it and why (Delegated Regulation (EU) 2017/565, article 72; 17 CFR 45.2).
var rowsHeader = []string{"row", "message", "uti", "action", "event", "id", "version",
	"effective_at", "entered_at", "recorded_at", "trader", "actor", "approver", "reason",
	"command_id", "source", "source_line", "due_at", "file"}

func (w *writer) add(found report.Result) error {
	for i, r := range found.Rows {
		if err := w.row(r, found.Due[i]); err != nil {
			return err
		}
	}
	for _, e := range found.Exceptions {
		w.statement.Exceptions++
		w.lacks = append(w.lacks, report.Lack{Message: e.Message, Field: e.Field,
			Missing: e.Missing, Owner: e.Owner, Due: e.Due.UTC()})
		if err := w.exceptionsCSV.Write([]string{e.Message, e.UTI, e.Field, e.Name, e.Missing,
			e.Owner, stamp(e.Due)}); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) row(r report.Row, due time.Time) error {
	w.statement.Rows++
	if w.statement.Rows == 1 || due.Before(w.statement.Due) {
		w.statement.Due = due
	}
	file := ReportFile(w.run.Rules, r)
	to, err := w.recordsOf(file)
	if err != nil {
		return err
	}
	to.rows++
	m, e := r.Message, r.Message.Action.Event
	if err := w.rowsCSV.Write([]string{fmt.Sprint(to.rows), m.ID(), m.Action.UTI, m.Type,
		m.Event, e.ID.String(), fmt.Sprint(e.Version), stamp(e.EffectiveAt), stamp(e.EnteredAt),
		stamp(e.RecordedAt), m.State.Trader, e.Actor, r.Entry.Approver,
		extract.Harmless(r.Entry.Reason), extract.Harmless(r.Entry.CommandID),
		extract.Harmless(r.Entry.Source), fmt.Sprint(r.Entry.SourceLine), stamp(due), file,
	}); err != nil {
		return err
	}
	return to.Row(r)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// finish writes the ends of the files durably, and returns their statement.
func (w *writer) finish() (Statement, error) {
	w.rowsCSV.Flush()
	w.exceptionsCSV.Flush()
	err := errors.Join(w.rowsCSV.Error(), w.exceptionsCSV.Error())
	for _, r := range w.records {
		err = errors.Join(err, r.Close())
	}
	if err != nil {
		return w.statement, w.fail(err)
	}
	for _, f := range w.files {
		w.statement.Digests[filepath.Base(f.file.Name())] = fmt.Sprintf("%x", f.sum.Sum(nil))
		if err := f.file.Sync(); err != nil {
			return w.statement, w.fail(err)
		}
	}
	return w.statement, w.fail(nil)
}

// fail closes the files, and returns err or an error of closing.
func (w *writer) fail(err error) error {
	for _, f := range w.files {
		if closing := f.file.Close(); err == nil {
			err = closing
		}
	}
	return err
}
