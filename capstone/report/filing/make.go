package filing

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"hash"
	"os"
	"path/filepath"
	"time"

	"example.com/blotter/capstone/extract"
	"example.com/blotter/capstone/report"
)

// Names of the files of a report.
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
	Name       string    `json:"name"`   // within the rule set
	Known      time.Time `json:"known_at"`
	After      time.Time `json:"after,omitzero"` // the known time of the report before it
	Back       []string  `json:"back,omitempty"`
	Rows       int64     `json:"rows"`
	Exceptions int64     `json:"exceptions"`
	Due        time.Time `json:"due_at"` // the earliest deadline of a row
	// Digests are SHA-256 in hexadecimal, by the name of the file.
	Digests map[string]string `json:"sha256"`
}

const format = "blotter/report/v1"

// Name returns the name of the report as known at a time.
func Name(known time.Time) string { return known.UTC().Format("2006-01-02T15:04:05.000000Z") }

// ReportFile returns the name of the file for the repository.
func ReportFile(r report.RuleSet) string { return "report." + r.File }

// Make writes a report into a new folder: the file for the repository, the rows with the events
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
	text, err := json.MarshalIndent(st, "", "  ")
	if err != nil {
		return st, nil, err
	}
	return st, out.lacks, os.WriteFile(filepath.Join(dir, StatementFile), append(text, '\n'), 0o644)
}

// A writer writes the files of a report.
type writer struct {
	run                     report.Run
	statement               Statement
	report, rows, exception *digested
	records                 report.Writer
	rowsCSV, exceptionsCSV  *csv.Writer
	lacks                   []report.Lack
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
	w := &writer{run: run, statement: Statement{
		Format: format, Rules: run.Rules.Name, Source: run.Rules.Source, Name: Name(run.Known),
		Known: run.Known.UTC(), After: run.Filings.Until, Back: run.Back, Due: run.Known.UTC(),
		Digests: map[string]string{},
	}}
	for name, file := range map[string]**digested{
		ReportFile(run.Rules): &w.report, RowsFile: &w.rows, ExceptionsFile: &w.exception,
	} {
		f, err := os.Create(filepath.Join(dir, name))
		if err != nil {
			return nil, err
		}
		*file = &digested{f, sha256.New()}
	}
	w.records = run.Rules.Write(w.report,
		report.Header{Reference: run.Reference, Known: run.Known})
	w.rowsCSV, w.exceptionsCSV = csv.NewWriter(w.rows), csv.NewWriter(w.exception)
	err := w.rowsCSV.Write(rowsHeader)
	if err == nil {
		err = w.exceptionsCSV.Write([]string{"message", "uti", "field", "name", "missing",
			"owner", "due_at"})
	}
	return w, err
}

// rowsHeader names the columns of rows.csv. They are also what record keeping asks of an order: who
// decided, who entered it and when, and who approved it and why (Delegated Regulation (EU)
// 2017/565, article 72; 17 CFR 45.2).
var rowsHeader = []string{"row", "message", "uti", "action", "event", "id", "version",
	"effective_at", "entered_at", "recorded_at", "trader", "actor", "approver", "reason",
	"command_id", "source", "source_line", "due_at"}

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
	m, e := r.Message, r.Message.Action.Event
	if err := w.rowsCSV.Write([]string{fmt.Sprint(w.statement.Rows), m.ID(), m.Action.UTI, m.Type,
		m.Event, e.ID.String(), fmt.Sprint(e.Version), stamp(e.EffectiveAt), stamp(e.EnteredAt),
		stamp(e.RecordedAt), m.State.Trader, e.Actor, r.Entry.Approver,
		extract.Harmless(r.Entry.Reason), extract.Harmless(r.Entry.CommandID),
		extract.Harmless(r.Entry.Source), fmt.Sprint(r.Entry.SourceLine), stamp(due),
	}); err != nil {
		return err
	}
	return w.records.Row(r)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05.000000Z") }

// finish writes the ends of the files durably, and returns their statement.
func (w *writer) finish() (Statement, error) {
	w.rowsCSV.Flush()
	w.exceptionsCSV.Flush()
	for _, err := range []error{
		w.rowsCSV.Error(), w.exceptionsCSV.Error(), w.records.Close(),
	} {
		if err != nil {
			return w.statement, w.fail(err)
		}
	}
	for _, f := range []*digested{w.report, w.rows, w.exception} {
		w.statement.Digests[filepath.Base(f.file.Name())] = fmt.Sprintf("%x", f.sum.Sum(nil))
		if err := f.file.Sync(); err != nil {
			return w.statement, w.fail(err)
		}
	}
	return w.statement, w.fail(nil)
}

// fail closes the files, and returns err or an error of closing.
func (w *writer) fail(err error) error {
	for _, f := range []*digested{w.report, w.rows, w.exception} {
		if closing := f.file.Close(); err == nil {
			err = closing
		}
	}
	return err
}
