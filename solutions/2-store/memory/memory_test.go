package memory_test

import (
	"testing"

	"example.com/blotter/labs/2-store/storetest"
	"example.com/blotter/labs/kit/check"
	"example.com/blotter/labs/kit/contract"
	"example.com/blotter/solutions/2-store/memory"
)

func TestStore(t *testing.T) {
	t.Parallel()
	check.Run(t, storetest.Suite(storetest.Fixture{
		Volatile: true, Atomic: true, Resumes: true,
		Open: func(_ check.T, clock contract.Clock) storetest.Log {
			return storetest.Log{Store: memory.New(clock)}
		},
	}))
}
