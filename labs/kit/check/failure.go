package check

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
)

// A failure is one failed assertion, with the assertion's own hint if it has one.
type failure struct{ text, hint string }

// failureText states the broken rule first, then the failures, then the usual misconception, a hint
// and where to read. The hints of the failed assertions take the place of the check's own hint.
func failureText(s Suite, c Check, failures []failure, log []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s broken: %s\n", c.Invariant, c.Title)
	var hints []string
	for _, f := range failures {
		if text := strings.Trim(f.text, "\n"); text != "" {
			fmt.Fprintf(&b, "%s\n", text)
		}
		if f.hint != "" && !slices.Contains(hints, f.hint) {
			hints = append(hints, f.hint)
		}
	}
	for _, l := range log {
		fmt.Fprintf(&b, "note: %s\n", l)
	}
	if c.Misconception != "" {
		fmt.Fprintf(&b, "misconception: %s\n", c.Misconception)
	}
	if len(hints) == 0 && c.Hint != "" {
		hints = append(hints, c.Hint)
	}
	for _, hint := range hints {
		fmt.Fprintf(&b, "hint: %s\n", hint)
	}
	fmt.Fprintf(&b, "read: %s\n", Place(s, c))
	return b.String()
}

// Place returns the place in the guide that explains a check.
func Place(s Suite, c Check) string {
	if c.Read == "" {
		return s.Guide + ", " + c.Invariant
	}
	return fmt.Sprintf("%s, %s (%s)", s.Guide, c.Read, c.Invariant)
}

// withoutFrame removes testify's frame from a failure. It keeps the message, if there is one, and
// then the error. It drops the trace, which names files of this machine and no rule. A text without
// testify's frame is returned unchanged.
func withoutFrame(text string) string {
	if !strings.Contains(text, "\tError Trace:") {
		return text
	}
	sections := map[string][]string{}
	label := ""
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, " \t\n")
		if name, rest, ok := strings.Cut(strings.TrimPrefix(line, "\t"), ":"); ok && labels[name] {
			label, line = name, rest
		}
		line = strings.TrimPrefix(strings.TrimLeft(line, " "), "\t")
		sections[label] = append(sections[label], line)
	}
	lines := make([]string, 0, 8)
	for _, line := range append(sections["Messages"], sections["Error"]...) {
		line = strings.TrimPrefix(strings.TrimLeft(line, " "), "\t")
		if line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "\n")
}

// labels are the sections of a failure text of testify.
var labels = map[string]bool{"Error Trace": true, "Error": true, "Messages": true, "Test": true}

// Bytes ends the check unless got equals want. It shows the line of 16 bytes with the first
// difference, and a caret under the first byte that differs:
//
//	the data of trade.settled differs at byte 5
//	  expected  0000: 00 00 00 00 09 0a 00 80
//	  actual    0000: 00 00 00 00 09 0b 00 80
//	                                 ^^
func Bytes(t T, name string, want, got []byte) {
	if bytes.Equal(want, got) {
		return
	}
	at := 0
	for at < min(len(want), len(got)) && want[at] == got[at] {
		at++
	}
	if at == min(len(want), len(got)) {
		t.Logf("no byte before that differs: expected %d bytes, got %d", len(want), len(got))
	}
	const label = "  expected  0000: "
	caret := strings.Repeat(" ", len(label)+3*(at%rowBytes)) + "^^"
	t.Errorf("%s differs at byte %d\n  expected  %s\n  actual    %s\n%s",
		name, at, hexRow(want, at), hexRow(got, at), caret)
	t.FailNow()
}

// rowBytes is the number of bytes that a line shows.
const rowBytes = 16

// hexRow shows the row of b that contains the byte at an index, after the row's offset.
func hexRow(b []byte, at int) string {
	from := at - at%rowBytes
	if from > len(b) {
		return fmt.Sprintf("%04x:", from)
	}
	row := b[from:min(from+rowBytes, len(b))]
	return strings.TrimRight(fmt.Sprintf("%04x: % x", from, row), " ")
}

// Events ends the check unless got equals want, event for event. It shows both as a short table, in
// which a mark stands before each row that differs. It names the attributes in which the first such
// event differs:
//
//	the stream trade/UTI-1 differs at event 2: reason
//	     expected                                    actual
//	  1  trade.new 6ba7b810 2025-03-30T12:00:00Z     trade.new 6ba7b810 2025-03-30T12:00:00Z
//	! 2  trade.settled 6ba7b811 2025-03-30T13:00:00Z -
func Events(t T, name string, want, got []contract.Event) {
	same := func(i int) bool {
		return i < len(want) && i < len(got) && len(differences(want[i], got[i])) == 0
	}
	rows := max(len(want), len(got))
	first := 0
	for first < rows && same(first) {
		first++
	}
	if first == rows {
		return
	}
	var b strings.Builder
	difference := firstDifference(want, got, first)
	fmt.Fprintf(&b, "%s differs at event %d: %s\n", name, first+1, difference)
	fmt.Fprintf(&b, "     %-*s %s", cellWidth, "expected", "actual")
	for i := max(0, first-2); i < min(rows, first+5); i++ {
		mark := ' '
		if !same(i) {
			mark = '!'
		}
		fmt.Fprintf(&b, "\n%c %2d  %-*s %s",
			mark, i+1, cellWidth, eventCell(want, i), eventCell(got, i))
	}
	if rest := rows - first - 5; rest > 0 {
		fmt.Fprintf(&b, "\n     and %d more", rest)
	}
	t.Errorf("%s", b.String())
	t.FailNow()
}

// cellWidth is the width of an event in the table.
const cellWidth = 46

func eventCell(events []contract.Event, i int) string {
	if i >= len(events) {
		return "-"
	}
	e := events[i]
	at := e.EffectiveAt.UTC().Format("2006-01-02T15:04:05.999999Z")
	return fmt.Sprintf("%s %.8s %s", e.Type, e.ID, at)
}

func firstDifference(want, got []contract.Event, i int) string {
	switch {
	case i >= len(got):
		return "the event is missing"
	case i >= len(want):
		return "the event was not expected"
	}
	return strings.Join(differences(want[i], got[i]), ", ")
}

// differences names the attributes in which two events differ.
func differences(a, b contract.Event) []string {
	var names []string
	for _, attribute := range []struct {
		name string
		same bool
	}{
		{"id", a.ID == b.ID},
		{"stream", a.Stream == b.Stream},
		{"type", a.Type == b.Type},
		{"schema", a.Schema == b.Schema},
		{"fingerprint", a.Fingerprint == b.Fingerprint},
		{"effective_at", a.EffectiveAt.Equal(b.EffectiveAt)},
		{"entered_at", a.EnteredAt.Equal(b.EnteredAt)},
		{"command_id", a.CommandID == b.CommandID},
		{"corrects", a.Corrects == b.Corrects},
		{"actor", a.Actor == b.Actor},
		{"approver", a.Approver == b.Approver},
		{"reason", a.Reason == b.Reason},
		{"correlation", a.Correlation == b.Correlation},
		{"causation", a.Causation == b.Causation},
		{"traceparent", a.Traceparent == b.Traceparent},
		{"source", a.Source == b.Source},
		{"source_line", a.SourceLine == b.SourceLine},
		{"submitted_by", a.SubmittedBy == b.SubmittedBy},
		{"source_recorded_at", a.SourceRecordedAt.Equal(b.SourceRecordedAt)},
		{"append_group", a.AppendGroup == b.AppendGroup},
		{"data", slices.Equal(a.Data, b.Data)},
	} {
		if !attribute.same {
			names = append(names, attribute.name)
		}
	}
	return names
}
