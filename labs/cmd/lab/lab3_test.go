package main

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Each exercise of Lab 3 turns its own checks green, in the order of the guide.
func TestLab3InOrder(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	unsolved := strings.Fields("Fold Advance Apply Refold Rebuild swap Snapshot Restore")
	for _, step := range []struct{ writes, table string }{
		{"", `0 +0 +16 +4 +0/53 +0/3`},
		{"Fold", `3 +0 `},
		{"Advance", `5 +0 `},
		{"Apply", `12 +0 .* 3/3`},
		{"Refold", `15 +0 `},
		{"Rebuild swap", `18 +0 `},
		{"Snapshot Restore", `20 +0 +0 +0 +53/53 +3/3`},
	} {
		unsolved = slices.DeleteFunc(unsolved, func(name string) bool {
			return slices.Contains(strings.Fields(step.writes), name)
		})
		changes := map[string]change{}
		for _, file := range filesOf("3-projections") {
			changes[file] = partlySolved(t, "3-projections/plain/"+file, unsolved)
		}
		out, err := testLab(t, "3-projections", changes)
		require.NoError(t, err, "%s\n%s", step.writes, out)
		require.Regexp(t, "3-projections +"+step.table, out, step.writes)
	}
}
