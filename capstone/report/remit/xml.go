package remit

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/form"
)

// write returns a writer of one file of records. A file names its reporting entity once, before the
// records (REMITTable1_V3.xsd: reportingEntityID occurs once), so all rows must have the same one:
// RuleSet.Entity makes a file for each.
func write(w io.Writer, _ report.Header) report.Writer { return &writer{to: w} }

type writer struct {
	to     io.Writer
	file   *form.Writer
	entity string
	n      int
}

func (w *writer) Row(r report.Row) error {
	if w.n++; w.n == 1 {
		if err := w.begin(r); err != nil {
			return err
		}
	}
	trade := &form.Node{Name: "TradeReport"}
	trade.Set("RecordSeqNumber", strconv.Itoa(w.n))
	for i, f := range Fields {
		switch text := r.Texts[i]; {
		case f.Element == entity && text != w.entity:
			return fmt.Errorf("remit: record %d is of the reporting entity %s, and the file of "+
				"%s: make one file for each entity", w.n, text, w.entity)
		case f.Element != "" && f.Element != entity && text != "":
			trade.Set(f.Element, text)
		}
	}
	return w.file.Put(trade)
}

// begin writes the file up to the list of records.
func (w *writer) begin(first report.Row) (err error) {
	w.entity = Table1().Text(first, "6")
	path := strings.Split(entity, "/") // empty, the element, and the element of the code
	id := &form.Node{Name: path[1]}
	id.Set(path[2], w.entity)
	if w.file, err = structure.Writer(w.to); err != nil {
		return err
	}
	return errors.Join(w.file.Open(structure.Root), w.file.Put(id), w.file.Open("TradeList"))
}

// Close ends the file. A file without records stays empty: the schema has no such report.
func (w *writer) Close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// Read reads a file, and checks it against the structure of the schema. The last child of the root
// holds the records.
func Read(file []byte) (*form.Node, error) { return structure.Read(file) }
