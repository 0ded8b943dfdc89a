package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/capstone/serve"
)

// printJSON writes v for programs: indented, with a line end.
func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

// printObject writes v for programs as one line of JSON on standard error. A failed write is
// ignored: the exit code remains.
func printObject(w io.Writer, v any) {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
}

// printCounts writes the counts of each key, three to a line, the largest first.
func printCounts[K ~string](w io.Writer, n map[K]int) {
	keys := slices.SortedFunc(maps.Keys(n), func(a, b K) int {
		return cmp.Or(cmp.Compare(n[b], n[a]), cmp.Compare(a, b))
	})
	for row := range slices.Chunk(keys, 3) {
		var line strings.Builder
		for _, k := range row {
			fmt.Fprintf(&line, "%8d %-30s", n[k], k)
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// plural returns "1 line" or "3 lines".
func plural(n int64, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

func printOrphans(w io.Writer, all []serve.Orphan) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintln(w, "  orphaned follow-ups")
	var rows []string
	for _, o := range all {
		rows = append(rows, fmt.Sprintf("%s\t%s\t%s\t%s", o.UTI, o.Owed, o.Why, o.Cause))
	}
	table(w, "contract\towed\twhy\tcause", rows...)
}
