package mifir

import (
	"errors"
	"io"

	"example.com/blotter/capstone/report"
	"example.com/blotter/capstone/report/form"
)

// write returns a writer of one file: the element Document, which goes into the envelope of the
// authority (head.003 with the business application header head.001). The envelope is not written
// here.
func write(w io.Writer, _ report.Header) report.Writer { return &writer{to: w} }

type writer struct {
	to   io.Writer
	file *form.Writer
}

// elements has the element of each type of message.
var elements = map[string]string{newTransaction: "New", cancellation: "Cxl"}

func (w *writer) Row(r report.Row) error {
	if w.file == nil {
		if err := w.begin(); err != nil {
			return err
		}
	}
	entry := &form.Node{Name: "Tx"}
	body := entry.Child(elements[r.Message.Type])
	for i, f := range Fields {
		if f.Element != "" && r.Texts[i] != "" {
			body.Set(f.Element, r.Texts[i])
		}
	}
	return w.file.Put(entry)
}

func (w *writer) begin() (err error) {
	if w.file, err = structure.Writer(w.to); err != nil {
		return err
	}
	return errors.Join(w.file.Open(structure.Root), w.file.Open("FinInstrmRptgTxRpt"))
}

// Close ends the file. A file without reports stays empty: the schema has none.
func (w *writer) Close() error {
	if w.file == nil {
		return nil
	}
	return w.file.Close()
}

// Read reads a file, and checks it against the structure. The children of the root's only child are
// the reports.
func Read(file []byte) (*form.Node, error) { return structure.Read(file) }
