package capstone

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/lines"
	"example.com/blotter/labs/kit/contract"
)

// A queue forgets the tasks of another owner, however many there are, and still keeps each later
// line about their contracts behind them.
func TestQueueForgetsLinesElsewhere(t *testing.T) {
	t.Parallel()
	const all, most = 5000, 1024 + 16
	q := queue{width: 1, last: map[string]*task{}, away: map[string]elsewhere{},
		linked: map[string]string{}, lanes: map[string][]int32{}, turns: map[int32]*turn{}}
	join := func(number, contractOf int) (*task, []*task) {
		return q.join(t.Context(), inputLine{Line: lines.Line{Number: number, Names: []string{
			fmt.Sprint("trade/", contractOf), fmt.Sprint("command/", number)}}})
	}
	for n := range all {
		task, before := join(n+1, n)
		require.Empty(t, before)
		require.NoError(t, task.result.Problem)
		task.result.Problem = &contract.NotOwnerError{Partition: 3, Owner: "b:7000"}
		close(task.done)
		require.LessOrEqual(t, len(q.last), most+ownNames)
	}
	late, _ := join(all+1, 0)
	require.EqualError(t, late.result.Problem, `after line 1: partition 3 is owned by "b:7000"`)
	require.True(t, IsElsewhere(late.result.Problem))
}
