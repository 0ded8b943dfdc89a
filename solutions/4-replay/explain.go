package replay

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/labs/kit/trade"
)

// A Finding explains a difference in the terms of the desk.
type Finding struct {
	Subject string  // of the line, such as trade UTI-1; of the first line if the two differ
	Fields  []Field // the fields that differ, by name
	// Stream and Version name the first event of the trade that the archived state does not have.
	// Version is 0 if no prefix of the stream gives the archived state: an event was changed or
	// removed. Stream is empty if the line is not about a trade.
	Stream  string
	Version int64
	Gone    bool // the log has no event of Stream
}

// A Field is a field that differs. A side without the line is empty.
type Field struct{ Name, Archived, Replayed string }

func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Subject)
	for _, field := range f.Fields {
		fmt.Fprintf(&b, "\n  %s: archived %s, replayed %s",
			field.Name, orNothing(field.Archived), orNothing(field.Replayed))
	}
	switch {
	case f.Gone:
		fmt.Fprintf(&b, "\n  the log has no stream %s", f.Stream)
	case f.Version > 0:
		fmt.Fprintf(&b, "\n  the histories differ from version %d of stream %s on",
			f.Version, f.Stream)
	case f.Stream != "":
		fmt.Fprintf(&b, "\n  no prefix of stream %s gives the archived state: "+
			"an event of the stream was changed or removed", f.Stream)
	}
	return b.String()
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Explain names the subject and the fields of a difference. For a trade it also names the first
// event before to at which the two histories differ.
func (r Replayer) Explain(ctx context.Context, log contract.Reader, to contract.Cursor,
	d *contract.Difference) (Finding, error) {
	archived, err1 := parse(d.Archived)
	replayed, err2 := parse(d.Replay)
	if err1 != nil || err2 != nil {
		return Finding{Subject: fmt.Sprintf("line %d, which is no canonical line", d.Line)}, nil
	}
	// Lines are sorted. If the subjects differ, the other side lacks the line that sorts first.
	switch order := archived.compare(replayed); {
	case order < 0:
		replayed = line{}
	case order > 0:
		archived = line{}
	}
	f := Finding{Subject: archived.orElse(replayed).subject(), Fields: fields(archived, replayed)}
	uti := archived.orElse(replayed).text("uti")
	if uti == "" {
		return f, nil
	}
	f.Stream = trade.TradeStream(uti)
	events, err := r.stream(ctx, log, to, f.Stream)
	if err != nil {
		return Finding{}, err
	}
	f.Gone = len(events) == 0
	f.Version = firstDifference(uti, events, archived)
	return f, nil
}

// firstDifference returns the version after the longest prefix of events that gives the archived
// line. It returns 0 if no prefix does.
func firstDifference(uti string, events []trade.Event, archived line) int64 {
	for n := len(events); n > 0; n-- {
		t, _ := trade.Fold(uti, events[:n], trade.AsOf{})
		text := bytes.TrimSuffix(trade.State{Trades: []trade.Trade{t}}.Canonical(), []byte("\n"))
		if then, err := parse(string(text)); err == nil && len(fields(archived, then)) == 0 {
			return int64(n) + 1
		}
	}
	if archived.values == nil {
		return 1 // the archived state does not have the trade
	}
	return 0
}

// A line is a line of a canonical state. The zero line is a missing line.
type line struct {
	kind   string // trade, position, mark, parked or skipped
	values map[string]json.RawMessage
}

func parse(text string) (line, error) {
	if text == "" {
		return line{}, nil
	}
	var kinds map[string]map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &kinds); err != nil {
		return line{}, err
	}
	if len(kinds) != 1 {
		return line{}, fmt.Errorf("line %q has %d kinds", text, len(kinds))
	}
	kind := slices.Sorted(maps.Keys(kinds))[0]
	return line{kind, kinds[kind]}, nil
}

// text returns a string value, or "" if there is none.
func (l line) text(name string) (s string) {
	_ = json.Unmarshal(l.values[name], &s)
	return s
}

// key returns the values by which the lines of a kind are sorted.
func (l line) key() []string {
	switch l.kind {
	case "trade":
		return []string{l.text("uti")}
	case "mark":
		return []string{l.text("curve"), l.text("delivery")}
	case "parked":
		return []string{l.text("stream")}
	case "skipped":
		return []string{l.text("stream"), fmt.Sprintf("%20s", l.values["version"])}
	}
	return []string{l.text("book"), l.text("instrument"), l.text("currency")}
}

func (l line) subject() string { return l.kind + " " + strings.Join(l.key(), " ") }

func (l line) orElse(o line) line {
	if l.values == nil {
		return o
	}
	return l
}

// compare orders lines as in a state: trades, positions, marks, parked streams, skipped
// events. A missing line comes last.
func (l line) compare(o line) int {
	rank := map[string]int{"trade": 0, "position": 1, "mark": 2, "parked": 3, "skipped": 4, "": 5}
	if c := rank[l.kind] - rank[o.kind]; c != 0 {
		return c
	}
	return slices.Compare(l.key(), o.key())
}

// fields returns the fields that differ, by name.
func fields(archived, replayed line) []Field {
	var differ []Field
	names := maps.Clone(archived.values)
	if names == nil {
		names = map[string]json.RawMessage{}
	}
	maps.Copy(names, replayed.values)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		if a, r := string(archived.values[name]), string(replayed.values[name]); a != r {
			differ = append(differ, Field{name, a, r})
		}
	}
	return differ
}
