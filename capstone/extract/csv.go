package extract

import (
	"bufio"
	"io"
	"iter"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// A column is a column of events.csv. Only a number in a column of numbers is written without
// quotes.
type column struct {
	name   string
	number bool
	cell   func(event) string // nil for a column of data
}

// attributes are the first columns of every bundle.
var attributes = []column{
	{"leaf", true, func(e event) string { return strconv.FormatInt(e.row.Leaf, 10) }},
	{"stream", false, func(e event) string { return e.row.Stream }},
	{"version", true, func(e event) string { return strconv.FormatInt(e.row.Version, 10) }},
	{"id", false, func(e event) string { return e.row.ID }},
	{"type", false, func(e event) string { return e.row.Type }},
	{"schema", true, func(e event) string { return strconv.Itoa(e.row.Schema) }},
	{"effective_at", false, func(e event) string { return e.row.EffectiveAt }},
	{"entered_at", false, func(e event) string { return e.row.EnteredAt }},
	{"recorded_at", false, func(e event) string { return e.row.RecordedAt }},
	{"source_recorded_at", false, func(e event) string { return e.row.SourceTime }},
	{"command_id", false, func(e event) string { return e.row.CommandID }},
	{"corrects", false, func(e event) string { return e.row.Corrects }},
	{"actor", false, func(e event) string { return e.row.Actor }},
	{"approver", false, func(e event) string { return e.row.Approver }},
	{"reason", false, func(e event) string { return e.row.Reason }},
	{"correlation_id", false, func(e event) string { return e.row.Correlation }},
	{"causation_id", false, func(e event) string { return e.row.Causation }},
	{"traceparent", false, func(e event) string { return e.row.Traceparent }},
	{"source", false, func(e event) string { return e.row.Source }},
	{"source_line", true, func(e event) string { return lineText(e.row.SourceLine) }},
	{"submitted_by", false, func(e event) string { return e.row.SubmittedBy }},
	{"append_group", false, func(e event) string { return e.row.AppendGroup }},
}

// lineText returns a line number, and no text for zero.
func lineText(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// columns returns the attributes, then every field of data that a schema of the bundle has, once. A
// record is split, as into data.quantity.value and data.quantity.unit. A list is JSON in one cell.
func (c catalog) columns() []column {
	all := slices.Clone(attributes)
	for _, s := range c.sorted() {
		for _, col := range s.root.columns("data") {
			at := slices.IndexFunc(all, func(k column) bool { return k.name == col.name })
			if at < 0 {
				all = append(all, col)
				continue
			}
			all[at].number = all[at].number && col.number // text in one schema makes it text
		}
	}
	return all
}

func (n *node) columns(path string) []column {
	if n.kind == "union" {
		null := func(p *node) bool { return p.kind == "null" }
		if branches := slices.DeleteFunc(slices.Clone(n.parts), null); len(branches) == 1 {
			return branches[0].columns(path)
		}
	}
	if n.kind != "record" {
		number := n.is("decimal") || n.logical == "" && (n.kind == "int" || n.kind == "long")
		return []column{{name: path, number: number}}
	}
	var all []column
	for i, field := range n.parts {
		all = append(all, field.columns(path+"."+n.names[i])...)
	}
	return all
}

// writeCSV writes events (RFC 4180: commas, CRLF, doubled quotes). The first row names the columns.
func writeCSV(out io.Writer, columns []column, events iter.Seq2[event, error]) error {
	w := bufio.NewWriter(out)
	cells := make([]string, len(columns))
	for i, c := range columns {
		cells[i] = quoted(c.name)
	}
	w.WriteString(strings.Join(cells, ",") + "\r\n") // Flush returns the error of a bufio.Writer
	for e, err := range events {
		if err != nil {
			return err
		}
		data := map[string]string{}
		for _, c := range columns {
			data[c.name] = ""
		}
		flatten("data", e.data, data)
		for i, c := range columns {
			cells[i] = c.render(e, data)
		}
		if _, err := w.WriteString(strings.Join(cells, ",") + "\r\n"); err != nil {
			return err
		}
	}
	return w.Flush()
}

func (c column) render(e event, data map[string]string) string {
	cell := data[c.name]
	if c.cell != nil {
		cell = c.cell(e)
	}
	if c.number && isNumber(cell) {
		return cell
	}
	return quoted(Harmless(cell))
}

// flatten sets the cells of v that have a column.
func flatten(path string, v value, cells map[string]string) {
	if _, ok := cells[path]; ok {
		cells[path] = v.cell()
		return
	}
	for i, item := range v.items {
		if v.kind == object {
			flatten(path+"."+v.names[i], item, cells)
		}
	}
}

func quoted(cell string) string { return `"` + strings.ReplaceAll(cell, `"`, `""`) + `"` }

// isNumber reports whether s is digits, with at most a minus before them and a point among them.
func isNumber(s string) bool {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	return digits(whole) && (!point || digits(fraction))
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// Harmless returns text that no spreadsheet takes for a formula (OWASP, "CSV Injection"). It puts
// an apostrophe before a text that begins with = + - @, one of their full-width forms, a control
// character such as a tab or a line end, or an apostrophe. Blanks and quotes before do not hide
// such a beginning. Harmless does the same after every , ; | tab and line end in the text: a
// spreadsheet with another separator than the comma, as Excel has in much of Europe, begins a new
// cell there.
//
//	=cmd()          '=cmd()
//	a;=cmd()        a;'=cmd()
//	'tis            ''tis
//	a-b, c          a-b, c
//
// Verbatim is the inverse.
func Harmless(text string) string {
	var out strings.Builder
	for i, part := range parts(text) {
		if formula(part) || i == 0 && strings.IndexFunc(part, unicode.IsControl) == 0 {
			out.WriteByte('\'')
		}
		out.WriteString(part)
	}
	return out.String()
}

// Verbatim is the inverse of Harmless: it removes one apostrophe from each part that begins with
// one.
func Verbatim(text string) string {
	var out strings.Builder
	for _, part := range parts(text) {
		out.WriteString(strings.TrimPrefix(part, "'"))
	}
	return out.String()
}

// parts splits text after every separator.
func parts(text string) []string {
	var all []string
	for rest := text; rest != ""; {
		end := strings.IndexAny(rest, ",;|\t\r\n") + 1
		if end == 0 {
			end = len(rest)
		}
		all, rest = append(all, rest[:end]), rest[end:]
	}
	return all
}

func formula(part string) bool {
	if strings.HasPrefix(part, "'") {
		return true
	}
	part = strings.TrimLeftFunc(part, func(r rune) bool { // Cf has the zero-width characters
		return r == '"' || unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	})
	for _, beginning := range []string{"=", "+", "-", "@", "＝", "＋", "－", "＠"} {
		if strings.HasPrefix(part, beginning) {
			return true
		}
	}
	return false
}
