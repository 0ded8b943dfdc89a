package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// A tally counts the tests in the output of go test -json (see: go doc test2json).
type tally struct {
	out     io.Writer
	output  map[string][]string // by package and test, until the test has passed
	running map[string][]string // by package: the tests that have begun and not ended
	count   map[string]int      // tests by outcome; a test with subtests is not one more
	parents map[string]string   // tests with subtests; "fail" once a subtest has failed
	labs    progress
	failed  map[string]bool // packages with a failure
	lost    []string        // failed packages and tests, in their order
}

func newTally(out io.Writer) *tally {
	return &tally{
		out: out, output: map[string][]string{}, running: map[string][]string{},
		count: map[string]int{}, failed: map[string]bool{}, parents: map[string]string{},
		labs: newProgress(),
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
			fmt.Fprintln(t.out, lines.Text()) // go itself prints its complaints as plain text
			continue
		}
		t.take(e)
	}
	for _, name := range slices.Sorted(maps.Keys(t.running)) {
		t.cutOff(name) // go reports no failure if the process exits with code 0 during its tests
	}
	return lines.Err()
}

func (t *tally) take(e testEvent) {
	t.labs.take(e)
	key := e.Package + " " + e.Test
	switch e.Action {
	case "start":
		t.running[e.Package] = nil
	case "run":
		t.running[e.Package] = append(t.running[e.Package], e.Test)
		t.note(key, "run")
	case "output":
		t.output[key] = append(t.output[key], e.Output)
		if strings.HasPrefix(e.Test, "Benchmark") && !strings.HasPrefix(e.Output, "=") {
			fmt.Fprint(t.out, e.Output) // the figures of a benchmark are always shown
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

// note keeps that a subtest has begun or failed for the tests that it belongs to.
func (t *tally) note(key, outcome string) {
	for i := range key {
		if key[i] == '/' && t.parents[key[:i]] != "fail" {
			t.parents[key[:i]] = outcome
		}
	}
}

// counts reports whether the end of a test is one more outcome. A test with subtests is none,
// unless it fails by itself.
func (t *tally) counts(e testEvent, key string) bool {
	subtests, parent := t.parents[key]
	return !parent || e.Action == "fail" && subtests != "fail"
}

func (t *tally) endTest(e testEvent, key string) {
	counts := t.counts(e, key)
	if counts {
		t.count[e.Action]++
	}
	if e.Action == "fail" {
		t.note(key, "fail")
	}
	t.running[e.Package] = slices.DeleteFunc(t.running[e.Package],
		func(test string) bool { return test == e.Test })
	kept := e.Action != "pass" && t.labs.keep(key, t.output[key])
	if e.Action == "fail" {
		t.failed[e.Package] = true
		if !kept {
			if counts {
				t.lost = append(t.lost, key)
			}
			t.show(key)
		}
	}
	delete(t.output, key)
}

// show prints the output of a test or a package, without the lines about starting and pausing.
func (t *tally) show(key string) {
	for _, line := range t.output[key] {
		if !strings.HasPrefix(line, "=== ") {
			fmt.Fprint(t.out, line)
		}
	}
}

func (t *tally) endPackage(e testEvent, key string) {
	if e.Action == "pass" { // go reports no end of a benchmark that passes
		t.running[e.Package] = slices.DeleteFunc(t.running[e.Package],
			func(test string) bool { return strings.HasPrefix(test, "Benchmark") })
	}
	if len(t.running[e.Package]) > 0 {
		t.cutOff(e.Package)
	}
	delete(t.running, e.Package)
	if e.Action == "fail" {
		t.show(key)
	}
	delete(t.output, key)
	switch {
	case e.Action == "fail" && !t.failed[e.Package]:
		t.count["fail"]++ // it does not compile, or failed outside of its tests: one failure
		t.lost = append(t.lost, e.Package)
	case e.Action == "pass" && !t.failed[e.Package]:
		fmt.Fprintf(t.out, "ok    %-50s %6.1fs\n", e.Package, e.Elapsed)
	}
}

// cutOff shows the output of tests whose process ended before they did. A panic in another
// goroutine or a call of log.Fatal is in the output of the test that printed last. This counts as
// one failure.
func (t *tally) cutOff(name string) {
	t.count["fail"]++
	t.failed[name] = true
	t.lost = append(t.lost, name)
	fmt.Fprintf(t.out, "%s: the process ended before its tests; output until then:\n", name)
	for _, test := range t.running[name] {
		t.show(name + " " + test)
		delete(t.output, name+" "+test)
	}
}
