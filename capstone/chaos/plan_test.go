package chaos_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"example.com/blotter/capstone/chaos"
)

func tasks(seed uint64, client int) (all []chaos.Task) {
	for t := range chaos.Tasks(seed, client) {
		if all = append(all, t); len(all) == 200 {
			break
		}
	}
	return all
}

func TestSeedGivesTheSameOperations(t *testing.T) {
	t.Parallel()
	require.Equal(t, tasks(7, 3), tasks(7, 3))
	require.NotEqual(t, tasks(7, 3), tasks(7, 4))
	require.NotEqual(t, tasks(7, 3), tasks(8, 3))
	faults := func() []chaos.Fault { return chaos.Faults(7, 100, chaos.Stall, chaos.Replace) }
	require.Equal(t, faults(), faults())
	require.NotEqual(t, chaos.Faults(7, 100), chaos.Faults(8, 100))
}

func TestNumberOfFaults(t *testing.T) {
	t.Parallel()
	for kills, each := range map[int]int{0: 1, 5: 1, 50: 2, 500: 20} {
		n := map[chaos.Blow]int{}
		for _, f := range chaos.Faults(1, kills, chaos.Stall, chaos.Replace, chaos.Away) {
			n[f.Blow]++
		}
		require.Equal(t, kills, n[chaos.Kill])
		for _, blow := range []chaos.Blow{chaos.Stall, chaos.Replace, chaos.Away} {
			require.Equal(t, each, n[blow], "%s with %d kills", blow, kills)
		}
	}
}
