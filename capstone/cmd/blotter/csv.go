package main

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"example.com/blotter/capstone/extract"
)

// printCSV writes an answer as a table for spreadsheets (RFC 4180, with line feeds). Its names are
// those of the JSON answer: a column such as fifo.realised is a field of an object. A list of
// objects has a row for each. Any other list is JSON in one cell. A cell is never a formula: see
// extract.Harmless.
func printCSV(w io.Writer, v any) error {
	text, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var list []json.RawMessage
	if json.Unmarshal(text, &list) != nil {
		list = []json.RawMessage{text}
	}
	var header []string
	column := map[string]int{}
	var rows []map[string]string
	for _, item := range list {
		row := map[string]string{}
		err := flatten(item, "", func(name, value string) {
			if _, known := column[name]; !known {
				column[name] = len(header)
				header = append(header, name)
			}
			row[name] = value
		})
		if err != nil {
			return err
		}
		rows = append(rows, row)
	}
	if header == nil {
		return nil // an empty list
	}
	out := csv.NewWriter(w)
	_ = out.Write(header) // Error returns the first error of a write
	for _, row := range rows {
		cells := make([]string, len(header))
		for name, value := range row {
			cells[column[name]] = value
		}
		_ = out.Write(cells)
	}
	out.Flush()
	return out.Error()
}

// flatten calls each for every field of a JSON object, with its text: see flattenRaw.
func flatten(text json.RawMessage, prefix string, each func(name, value string)) error {
	return flattenRaw(text, prefix, func(name string, value json.RawMessage) error {
		cell, err := cellOf(value)
		if err == nil {
			each(name, cell)
		}
		return err
	})
}

// flattenRaw calls each for every field of a JSON object, in its order, with the names of nested
// objects joined by dots. A value that is no object has the name of its field.
func flattenRaw(
	text json.RawMessage, prefix string, each func(name string, value json.RawMessage) error,
) error {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || text[0] != '{' {
		return each(strings.TrimSuffix(prefix, "."), text)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	if _, err := d.Token(); err != nil {
		return err
	}
	for d.More() {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		if err := flattenRaw(value, fmt.Sprint(prefix, name, "."), each); err != nil {
			return err
		}
	}
	return nil
}

// cellOf returns the text of a JSON value that is no object. The null of JSON is an empty cell.
func cellOf(value json.RawMessage) (string, error) {
	switch {
	case string(value) == "null":
		return "", nil
	case len(value) == 0 || value[0] != '"':
		return string(value), nil
	}
	var text string
	err := json.Unmarshal(value, &text)
	if number.MatchString(text) {
		return text, err
	}
	return extract.Harmless(text), err
}
