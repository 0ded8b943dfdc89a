package store_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/labs/2-store/kafkatest"
	"example.com/blotter/labs/kit/check"
)

// Full marks, and for something: a check that asked the answer nothing has not run, whatever its verdict.
func TestTheReferenceHasFullMarks(t *testing.T) {
	t.Parallel()
	fullMarks(t, answer(t))
}

func fullMarks(t *testing.T, f kafkatest.Fixture) {
	t.Helper()
	s := kafkatest.Suite(f)
	require.NotEmpty(t, s.Checks)
	for _, v := range check.JudgeAll(t.Context(), s) {
		require.Equal(t, check.Passed, v.Outcome, v.Text)
		require.Positive(t, v.Check.Points, v.Check.ID)
		require.Positive(t, v.Answers, "%s asked nothing of the answer", v.Check.ID)
	}
}
