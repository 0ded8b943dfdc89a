package codectest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Others measure meanwhile what is allocated in the whole process (L1.10). So does this, and runs before the parallel ones.
func TestALookAtTheGoroutinesAllocatesLittle(t *testing.T) {
	stacks := make([]byte, accountSize)
	require.Less(t, leastAllocated(func() { allWait(stacks, "readAgainAndAgain") }), uint64(1<<20))
}

// A goroutine that is asked about waits only while it does nothing.
func TestWhoRunsDoesNotWait(t *testing.T) {
	t.Parallel()
	stacks := make([]byte, accountSize)
	require.True(t, allWait(stacks, "nobody is in this function"))
	require.False(t, allWait(stacks, "TestWhoRunsDoesNotWait"))
}
