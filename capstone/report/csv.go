package report

import (
	"encoding/csv"
	"io"
)

// CSV begins a CSV file (RFC 4180) with the names of the fields as its header.
func CSV(w io.Writer, fields []Field) Writer {
	c := csv.NewWriter(w)
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return &csvWriter{c, c.Write(names)}
}

type csvWriter struct {
	csv *csv.Writer
	err error
}

func (w *csvWriter) Row(r Row) error {
	if w.err == nil {
		w.err = w.csv.Write(r.Texts)
	}
	return w.err
}

func (w *csvWriter) Close() error {
	w.csv.Flush()
	if w.err != nil {
		return w.err
	}
	return w.csv.Error()
}
