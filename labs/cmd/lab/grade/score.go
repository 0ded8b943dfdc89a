package grade

import (
	"cmp"
	"slices"
	"time"

	"example.com/blotter/labs/kit/check"
)

// A State is the result of a check. Only Pass earns points.
type State string

// The states.
const (
	Pass      State = "PASS"
	Fail      State = "FAIL"
	Todo      State = "TODO"      // not written, or an operation that it needs is not
	Crash     State = "CRASH"     // the process ended during the check, even when it ran alone
	Timeout   State = "TIMEOUT"   // the check, or the lab, took too long
	Forbidden State = "FORBIDDEN" // the gate found something, or someone forged a result
	NotBuilt  State = "NOTBUILT"  // the lab does not compile
	Flaky     State = "FLAKY"     // the runs with two seeds differ
)

// States are all states, the one that earns points first.
var States = []State{Pass, Fail, Todo, Crash, Timeout, Forbidden, NotBuilt, Flaky}

// A Result is the state of one check.
type Result struct {
	Suite check.Suite // of the check
	Check check.Check
	State State
	Text  string // empty for Pass and Todo
}

// Points returns the points that the result earns.
func (r Result) Points() int {
	if r.State == Pass {
		return r.Check.Points
	}
	return 0
}

// A Lab is the results of one lab. Cause is the reason of a state that all its checks have.
type Lab struct {
	Name    string
	Results []Result
	Cause   string
}

// A Report is the grade of one submission.
type Report struct {
	Student  string
	Labs     []Lab
	Rubric   []Row    // of the capstone, if it is graded, too
	Book     string   // the command that writes the book of the rubric's commands again
	Ignored  []string // files of the submission that were not used
	Limits   []string // the limits that held
	Started  time.Time
	Duration time.Duration
}

// A Score is the points that were earned, of the points of all required checks. Bonus counts apart.
type Score struct{ Earned, Of, Bonus, BonusOf int }

// Score returns the sum of a lab.
func (l Lab) Score() (s Score) {
	for _, r := range l.Results {
		if r.Check.Bonus {
			s.Bonus, s.BonusOf = s.Bonus+r.Points(), s.BonusOf+r.Check.Points
		} else {
			s.Earned, s.Of = s.Earned+r.Points(), s.Of+r.Check.Points
		}
	}
	return s
}

// Score returns the sum of all labs.
func (r Report) Score() (sum Score) {
	for _, l := range r.Labs {
		s := l.Score()
		sum.Earned, sum.Of = sum.Earned+s.Earned, sum.Of+s.Of
		sum.Bonus, sum.BonusOf = sum.Bonus+s.Bonus, sum.BonusOf+s.BonusOf
	}
	return sum
}

// A run is the records of one run of a lab, and those of the checks that it left out and that ran
// alone. A check without a record ended its process.
type run struct {
	records map[string]check.Record
	ended   map[string]State // of a check without a record: Crash or Timeout
	text    map[string]string
	forged  bool // the report has a line without the nonce
}

// state returns the state of a check after one run, and its text.
func (r run) state(id string) (State, string) {
	record, found := r.records[id]
	switch {
	case r.forged:
		return Forbidden, "the report of the results has a line that the suite did not write"
	case !found || record.Outcome == check.Stopped:
		return cmp.Or(r.ended[id], Crash), r.text[id]
	case record.Outcome == check.Passed:
		return Pass, ""
	case record.Outcome == check.Todo, record.Outcome == check.Blocked:
		return Todo, ""
	case record.Hung:
		return Timeout, record.Text
	}
	return Fail, record.Text
}

// begun reports whether a run gave anything but TODO. Otherwise a second run would not differ.
func (r run) begun() bool {
	for _, record := range r.records {
		if record.Outcome != check.Todo && record.Outcome != check.Blocked {
			return true
		}
	}
	return r.forged || len(r.ended) > 0
}

// score returns the results of a lab's checks after two runs.
func score(suites []check.Suite, a, b run) (results []Result) {
	for _, s := range suites {
		for _, c := range s.Checks {
			r := Result{Suite: s, Check: c}
			r.State, r.Text = a.state(c.ID)
			if second, text := b.state(c.ID); second != r.State {
				r.Text = "one run: " + string(r.State) + ", another: " + string(second) + "\n" +
					cmp.Or(r.Text, text)
				r.State = Flaky
			}
			results = append(results, r)
		}
	}
	return results
}

// Without returns the score of an answer that fails the checks with the given IDs, and no other.
func Without(suites []check.Suite, lost []string) Score {
	l := Lab{Results: all(suites, Pass)}
	for i, r := range l.Results {
		if slices.Contains(lost, r.Check.ID) {
			l.Results[i].State = Fail
		}
	}
	return l.Score()
}

// all returns the results of a lab whose checks have one state.
func all(suites []check.Suite, state State) (results []Result) {
	for _, s := range suites {
		for _, c := range s.Checks {
			results = append(results, Result{Suite: s, Check: c, State: state})
		}
	}
	return results
}
