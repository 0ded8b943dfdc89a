package reconcile

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/trade"
)

// Rows yields rows that are at hand, in order of their keys.
func Rows(all []Row) iter.Seq2[Row, error] {
	slices.SortStableFunc(all, func(a, b Row) int { return strings.Compare(a.Key, b.Key) })
	return func(yield func(Row, error) bool) {
		for _, r := range all {
			if !yield(r, nil) {
				return
			}
		}
	}
}

// terms are the columns of a file of confirmations beside the key, and how a contract states them.
var terms = []struct {
	name    string
	decimal bool
	of      func(trade.Trade) string
}{
	{"counterparty", false, func(t trade.Trade) string { return t.Counterparty }},
	{"side", false, func(t trade.Trade) string { return string(t.Side) }},
	{"instrument", false, func(t trade.Trade) string { return t.Instrument }},
	{"quantity", true, func(t trade.Trade) string { return t.Contracted.String() }},
	{"unit", false, func(t trade.Trade) string { return string(t.Unit) }},
	{"price", true, func(t trade.Trade) string { return t.Price.String() }},
	{"currency", false, func(t trade.Trade) string { return string(t.Currency) }},
}

// Columns returns the columns that a file of confirmations may have beside uti.
func Columns() (names []string) {
	for _, t := range terms {
		names = append(names, t.name)
	}
	return names
}

// TradeRows returns the terms of the contracts with a counterparty, but of none that is void.
func TradeRows(state trade.State, counterparty string, fields []string) (rows []Row) {
	for _, t := range state.Trades {
		if t.Counterparty != counterparty || t.Status == trade.Voided {
			continue
		}
		row := Row{Key: t.UTI}
		for _, f := range fields {
			row.Fields = append(row.Fields, Field{f, terms[slices.Index(Columns(), f)].of(t)})
		}
		rows = append(rows, row)
	}
	return rows
}

// ReadFile reads the confirmations of a counterparty or an exchange as CSV (RFC 4180). The header
// has the column uti and at least one of Columns; the columns of the header are compared. With
// mirrored, the file states the sides of the other party: its buy is our sell. An error names the
// line.
func ReadFile(r io.Reader, mirrored bool) (fields []string, rows []Row, err error) {
	in := csv.NewReader(r)
	header, err := in.Read()
	if errors.Is(err, io.EOF) {
		err = fmt.Errorf("no header: want uti and some of %s", strings.Join(Columns(), ", "))
	}
	if err != nil {
		return nil, nil, err
	}
	key, fields, err := readHeader(header)
	if err != nil {
		return nil, nil, err
	}
	for {
		record, err := in.Read()
		if errors.Is(err, io.EOF) {
			return fields, rows, nil
		}
		if err != nil {
			return nil, nil, err
		}
		line, _ := in.FieldPos(0)
		row := Row{Key: record[key]}
		for i, value := range slices.Delete(slices.Clone(record), key, key+1) {
			if value, err = normal(fields[i], value, mirrored); err != nil {
				return nil, nil, fmt.Errorf("line %d: %w", line, err)
			}
			row.Fields = append(row.Fields, Field{fields[i], value})
		}
		if !trade.UTIs.Has(row.Key) {
			return nil, nil, fmt.Errorf("line %d: uti %q: want %s", line, row.Key,
				trade.UTIs.Want)
		}
		rows = append(rows, row)
	}
}

// readHeader returns the place of the key, and the other columns.
func readHeader(header []string) (key int, fields []string, err error) {
	key = slices.Index(header, "uti")
	for i, name := range header {
		switch {
		case i == key:
		case !slices.Contains(Columns(), name) || slices.Contains(fields, name):
			return 0, nil, fmt.Errorf("line 1: column %q: want uti and some of %s, each once",
				name, strings.Join(Columns(), ", "))
		default:
			fields = append(fields, name)
		}
	}
	if key < 0 || len(fields) == 0 {
		err = fmt.Errorf("line 1: want the column uti and some of %s",
			strings.Join(Columns(), ", "))
	}
	return key, fields, err
}

// normal returns the one spelling of a value.
func normal(field, value string, mirrored bool) (string, error) {
	value = strings.TrimSpace(value)
	switch {
	case terms[slices.Index(Columns(), field)].decimal:
		d, err := trade.ParseDecimal(value)
		if err != nil {
			return "", fmt.Errorf("%s: %w", field, err)
		}
		return d.String(), nil
	case field == "side":
		value = strings.ToLower(value)
		i := slices.Index(sides, value)
		if i < 0 {
			return "", fmt.Errorf("side %q: want buy or sell", value)
		}
		if mirrored {
			i = 1 - i
		}
		return sides[i], nil
	}
	return value, nil
}

var sides = []string{string(trade.Buy), string(trade.Sell)}

// StateRows returns a row for each line of the canonical form of a state: for each trade, position,
// mark, parked stream and skipped event.
func StateRows(state trade.State) (rows []Row) {
	in := json.NewDecoder(bytes.NewReader(state.Canonical()))
	in.UseNumber()
	for {
		var line map[string]map[string]any // one kind, with its fields
		if err := in.Decode(&line); err == io.EOF {
			return rows
		} else if err != nil {
			panic(err) // the canonical form is JSON Lines of objects
		}
		for _, kind := range slices.Sorted(maps.Keys(line)) {
			row := Row{Key: kind}
			for _, name := range keys[kind] {
				row.Key += fmt.Sprintf(" %v", line[kind][name])
			}
			row.Fields = flat(nil, "", line[kind])
			rows = append(rows, row)
		}
	}
}

// keys has the fields that name a line of the canonical form, by its kind.
var keys = map[string][]string{
	"trade": {"uti"}, "position": {"book", "instrument", "currency"},
	"mark": {"curve", "delivery"}, "parked": {"stream"}, "skipped": {"stream", "version"},
}

// flat appends the fields of an object, and those of the objects in it with a dotted name.
func flat(to []Field, prefix string, object map[string]any) []Field {
	for _, name := range slices.Sorted(maps.Keys(object)) {
		if inner, nested := object[name].(map[string]any); nested {
			to = flat(to, prefix+name+".", inner)
			continue
		}
		to = append(to, Field{prefix + name, fmt.Sprint(object[name])})
	}
	return to
}
