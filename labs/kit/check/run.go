package check

import (
	"context"
	"fmt"
	"testing"
)

// Attribute is the key under which Run leaves each verdict in the output of go test (see testing.T.Attr), for the program that
// prints the table of the labs. Its value is the check's ID, its points and the outcome, with a blank between.
const Attribute = "check"

// Run runs each check of s as a parallel subtest of t. What is to do, or blocked by it, is skipped. Once checks hang, it waits less long for the
// others.
func Run(t *testing.T, s Suite) {
	var p patience
	for _, c := range s.Checks {
		t.Run(c.ID+" "+c.Title, func(t *testing.T) {
			t.Parallel()
			v := p.judge(t.Context(), s, c)
			t.Attr(Attribute, fmt.Sprintf("%s %d %s", c.ID, c.Points, v.Outcome))
			switch v.Outcome {
			case Todo, Blocked:
				t.Skip(v.Text)
			case Failed:
				t.Error(v.Text)
			}
		})
	}
}

// JudgeAll judges every check of s, one after the other: so a suite is held against a wrong answer.
func JudgeAll(ctx context.Context, s Suite) []Verdict {
	all := make([]Verdict, len(s.Checks))
	for i, c := range s.Checks {
		all[i] = Judge(ctx, s, c)
	}
	return all
}
