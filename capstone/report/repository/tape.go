package repository

import (
	"fmt"
	"maps"
	"slices"
)

// hidden are the elements that are reported under part 43, and not disseminated (appendix A).
var hidden = []string{first, second, "Counterparty 2 identifier source", "Submitter identifier",
	reported, uti}

// A tape is what the repository disseminates under part 43: each accepted record without the
// elements that name the parties and the swap. It has an identifier of its own (D1), and that of
// the message about the same swap that it follows (D2). The repository has no clock: D3 is the time
// of the report. Rounded and capped amounts (17 CFR 43.4) are not simulated.
type tape struct {
	lines [][]string
	names []string          // of the disseminated elements
	last  map[string]string // by UTI: the identifier of the last message
}

func newTape() *tape { return &tape{last: map[string]string{}} }

func (t *tape) add(r Record) {
	if t.names == nil {
		t.names = slices.DeleteFunc(slices.Sorted(maps.Keys(r)), func(name string) bool {
			return slices.Contains(hidden, name)
		})
		t.lines = append(t.lines, append([]string{"Dissemination identifier",
			"Original dissemination identifier", "Dissemination timestamp"}, t.names...))
	}
	id := fmt.Sprintf("D%09d", len(t.lines))
	line := []string{id, t.last[r[uti]], r[reported]}
	for _, name := range t.names {
		line = append(line, r[name])
	}
	t.lines, t.last[r[uti]] = append(t.lines, line), id
}
