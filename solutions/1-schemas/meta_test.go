package codec_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/1-schemas/codectest"
	"example.com/blotter/labs/kit/check"
)

// A check that no wrong answer fails proves nothing.
func TestEveryCheckIsFailedByAWrongAnswer(t *testing.T) {
	t.Parallel()
	found := map[string]bool{}
	for _, w := range wrongs {
		found[w.finds] = true
	}
	for _, c := range codectest.Suite(answer(t)).Checks {
		require.True(t, found[c.ID], "no wrong answer is there for %s", c.ID)
	}
}

// Full marks, and for something: a check that asked the answer nothing has not run, whatever its verdict.
func TestTheReferenceHasFullMarks(t *testing.T) {
	t.Parallel()
	fullMarks(t, answer(t))
}

func fullMarks(t *testing.T, f codectest.Fixture) {
	t.Helper()
	s := codectest.Suite(f)
	require.NotEmpty(t, s.Checks)
	for _, v := range check.JudgeAll(t.Context(), s) {
		require.Equal(t, check.Passed, v.Outcome, v.Text)
		require.Positive(t, v.Check.Points, v.Check.ID)
		require.Positive(t, v.Answers, "%s asked nothing of the answer", v.Check.ID)
	}
}
