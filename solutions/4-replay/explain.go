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

// A Finding is a difference in the terms of the desk.
type Finding struct {
	Subject string  // what the line is about, such as trade UTI-1; the first of the two where they are about different things
	Fields  []Field // that differ, by name
	// Stream and Version are the first event at which the two histories part: the archived state is that of the events of the
	// stream before it. Version is 0 where the archived state is that of no beginning of the stream as it now is: one of its
	// events was changed, or is gone. Stream is empty where the line is about no trade.
	Stream  string
	Version int64
	Gone    bool // the log has no event of Stream
}

// A Field differs. One side is empty where it has no such line.
type Field struct{ Name, Archived, Replayed string }

func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.Subject)
	for _, field := range f.Fields {
		fmt.Fprintf(&b, "\n  %s: archived %s, replayed %s", field.Name, orNone(field.Archived), orNone(field.Replayed))
	}
	switch {
	case f.Gone:
		fmt.Fprintf(&b, "\n  the log has no stream %s", f.Stream)
	case f.Version > 0:
		fmt.Fprintf(&b, "\n  the histories part at version %d of stream %s", f.Version, f.Stream)
	case f.Stream != "":
		fmt.Fprintf(&b, "\n  no beginning of stream %s comes to the archived state: one of its events was changed, or is gone", f.Stream)
	}
	return b.String()
}

func orNone(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// Explain says what d is about and, for a trade, at which event of the log before to the histories part.
func (r Replayer) Explain(ctx context.Context, log contract.Reader, to contract.Cursor, d *contract.Difference) (Finding, error) {
	archived, err1 := parse(d.Archived)
	replayed, err2 := parse(d.Replay)
	if err1 != nil || err2 != nil {
		return Finding{Subject: fmt.Sprintf("line %d, which is not of a canonical state", d.Line)}, nil
	}
	// Lines are sorted. Where they are about different things, the one that sorts first is missing on the other side.
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
	streams, _, err := r.streams(ctx, log, to)
	if err != nil {
		return Finding{}, err
	}
	f.Stream = trade.TradeStream(uti)
	f.Gone = len(streams[f.Stream]) == 0
	f.Version = parting(uti, streams[f.Stream], archived)
	return f, nil
}

// parting is the version behind the longest beginning of events that comes to the archived line, and 0 if none does.
func parting(uti string, events []trade.Event, archived line) int64 {
	for n := len(events); n > 0; n-- {
		t, err := trade.Fold(uti, events[:n], trade.AsOf{})
		if err != nil {
			continue
		}
		text := bytes.TrimSuffix(trade.State{Trades: []trade.Trade{t}}.Canonical(), []byte("\n"))
		if then, err := parse(string(text)); err == nil && len(fields(archived, then)) == 0 {
			return int64(n) + 1
		}
	}
	if archived.values == nil {
		return 1 // the archive has nothing of this trade
	}
	return 0
}

// A line of a canonical state. The zero line is one that is not there.
type line struct {
	kind   string // trade or position
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
	for kind, values := range kinds {
		return line{kind, values}, nil
	}
	return line{}, fmt.Errorf("line %q is of no kind", text)
}

// text is a value that is a string; empty if there is none.
func (l line) text(name string) (s string) {
	_ = json.Unmarshal(l.values[name], &s)
	return s
}

// key is what lines of a kind are sorted by.
func (l line) key() []string {
	if l.kind == "trade" {
		return []string{l.text("uti")}
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

// compare orders lines as they stand in a state: trades first, and what is not there behind everything.
func (l line) compare(o line) int {
	rank := map[string]int{"trade": 0, "position": 1, "": 2}
	if c := rank[l.kind] - rank[o.kind]; c != 0 {
		return c
	}
	return slices.Compare(l.key(), o.key())
}

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
