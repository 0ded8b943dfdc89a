package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"example.com/blotter/labs/kit/check"
)

// A tally counts the tests in a stream of go test -json (see: go doc test2json).
type tally struct {
	out    io.Writer
	output map[string][]string // of a package and test, until it is known to have passed
	open   map[string][]string // the tests that have begun and not ended, by the packages that have not ended
	count  map[string]int      // tests by how they ended
	labs   labProgress
	failed map[string]bool // packages of which a test failed
}

func newTally(out io.Writer) *tally {
	return &tally{
		out: out, output: map[string][]string{}, open: map[string][]string{}, count: map[string]int{}, failed: map[string]bool{},
		labs: labProgress{heard: map[string]map[string]check.Outcome{}},
	}
}

type testEvent struct {
	Action, Package, ImportPath, Test, Output string
	Key, Value                                string // of an attribute
	Elapsed                                   float64
}

func (t *tally) read(r io.Reader) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var e testEvent
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			fmt.Fprintln(t.out, lines.Text()) // what is not JSON is go's own complaint
			continue
		}
		t.take(e)
	}
	for _, name := range slices.Sorted(maps.Keys(t.open)) {
		t.cutOff(name) // a process that ends with code 0 among its tests is no failure to go
	}
	return lines.Err()
}

func (t *tally) take(e testEvent) {
	t.labs.take(e)
	key := e.Package + " " + e.Test
	switch e.Action {
	case "start":
		t.open[e.Package] = nil
	case "run":
		t.open[e.Package] = append(t.open[e.Package], e.Test)
	case "output":
		t.output[key] = append(t.output[key], e.Output)
		if strings.HasPrefix(e.Test, "Benchmark") && !strings.HasPrefix(e.Output, "=") {
			fmt.Fprint(t.out, e.Output) // a figure is what a benchmark is run for
		}
	case "build-output":
		fmt.Fprint(t.out, e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			t.endPackage(e, key)
		} else {
			t.endTest(e, key)
		}
	}
}

func (t *tally) endTest(e testEvent, key string) {
	t.count[e.Action]++
	t.open[e.Package] = slices.DeleteFunc(t.open[e.Package], func(test string) bool { return test == e.Test })
	if e.Action == "fail" {
		t.failed[e.Package] = true
		t.show(key)
	}
	delete(t.output, key)
}

// show prints what a test or a package said, without what go test says of its coming and going.
func (t *tally) show(key string) {
	for _, line := range t.output[key] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(t.out, line)
		}
	}
}

func (t *tally) endPackage(e testEvent, key string) {
	if len(t.open[e.Package]) > 0 {
		t.cutOff(e.Package)
	}
	delete(t.open, e.Package)
	if e.Action == "fail" {
		t.show(key)
	}
	delete(t.output, key)
	switch {
	case e.Action == "fail" && !t.failed[e.Package]:
		t.count["fail"]++ // it does not compile, or failed outside of its tests: that counts as one
	case e.Action == "pass" && !t.failed[e.Package]:
		fmt.Fprintf(t.out, "ok    %-50s %6.1fs\n", e.Package, e.Elapsed)
	}
}

// cutOff shows what is known of tests whose process ended before they had: a panic beside a test, or a call of log.Fatal, is in the output
// of whichever of them spoke last. That counts as one failure.
func (t *tally) cutOff(name string) {
	t.count["fail"]++
	t.failed[name] = true
	fmt.Fprintf(t.out, "%s: its process ended before its tests had; what they had said until then:\n", name)
	for _, test := range t.open[name] {
		t.show(name + " " + test)
		delete(t.output, name+" "+test)
	}
}
