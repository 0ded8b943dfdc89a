package check

import (
	"fmt"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/contract"
)

// Events ends the check unless got is want, event for event. It shows both as a short table in which a row that differs is marked,
// and names what of the first such event is different:
//
//	the stream trade/UTI-1 differs at event 2: reason
//	     expected                                    actual
//	  1  trade.new 6ba7b810 2025-03-30T12:00:00Z     trade.new 6ba7b810 2025-03-30T12:00:00Z
//	! 2  trade.settled 6ba7b811 2025-03-30T13:00:00Z -
func Events(t T, what string, want, got []contract.Event) {
	same := func(i int) bool {
		return i < len(want) && i < len(got) && len(difference(want[i], got[i])) == 0
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
	fmt.Fprintf(&b, "%s differs at event %d: %s\n", what, first+1, how(want, got, first))
	fmt.Fprintf(&b, "     %-*s %s", cell, "expected", "actual")
	for i := max(0, first-2); i < min(rows, first+5); i++ {
		mark := ' '
		if !same(i) {
			mark = '!'
		}
		fmt.Fprintf(&b, "\n%c %2d  %-*s %s", mark, i+1, cell, short(want, i), short(got, i))
	}
	if rest := rows - first - 5; rest > 0 {
		fmt.Fprintf(&b, "\n     and %d more", rest)
	}
	t.Errorf("%s", b.String())
	t.FailNow()
}

// cell is the width of an event in the table.
const cell = 46

func short(events []contract.Event, i int) string {
	if i >= len(events) {
		return "-"
	}
	e := events[i]
	return fmt.Sprintf("%s %.8s %s", e.Type, e.ID, e.EffectiveAt.UTC().Format("2006-01-02T15:04:05.999999Z"))
}

func how(want, got []contract.Event, i int) string {
	switch {
	case i >= len(got):
		return "it is missing"
	case i >= len(want):
		return "it is one too many"
	}
	return strings.Join(difference(want[i], got[i]), ", ")
}

// difference names the attributes in which two events differ.
func difference(a, b contract.Event) []string {
	var names []string
	for _, attribute := range []struct {
		name string
		same bool
	}{
		{"id", a.ID == b.ID}, {"stream", a.Stream == b.Stream}, {"type", a.Type == b.Type}, {"schema", a.Schema == b.Schema},
		{"fingerprint", a.Fingerprint == b.Fingerprint}, {"effective_at", a.EffectiveAt.Equal(b.EffectiveAt)},
		{"corrects", a.Corrects == b.Corrects}, {"actor", a.Actor == b.Actor}, {"approver", a.Approver == b.Approver},
		{"reason", a.Reason == b.Reason}, {"correlation", a.Correlation == b.Correlation}, {"causation", a.Causation == b.Causation},
		{"traceparent", a.Traceparent == b.Traceparent}, {"source", a.Source == b.Source}, {"data", slices.Equal(a.Data, b.Data)},
	} {
		if !attribute.same {
			names = append(names, attribute.name)
		}
	}
	return names
}
