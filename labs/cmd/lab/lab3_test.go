package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var lab3Files = []string{"fold.go", "apply.go", "refold.go", "rebuild.go"}

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
		for _, file := range lab3Files {
			changes[file] = partlySolved(t, "3-projections/plain/"+file, unsolved)
		}
		out, err := testLab(t, "3-projections", changes)
		require.NoError(t, err, "%s\n%s", step.writes, out)
		require.Regexp(t, "3-projections +"+step.table, out, step.writes)
	}
}

// The capstone runs on Lab 3, and its digest is the one in the guide.
func TestLab3RunsTheCapstone(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	if testing.Short() {
		t.Skip("builds the capstone and runs its demo")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	overlay := map[string]map[string]string{"Replace": {}}
	for _, file := range lab3Files {
		overlay["Replace"][filepath.Join(root, "labs/3-projections", file)] =
			filepath.Join(root, "solutions/3-projections/plain", file)
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	guide, err := os.ReadFile(filepath.Join(root, "labs/3-projections/README.md"))
	require.NoError(t, err)
	command := "go run -tags lab3 ./capstone/cmd/blotter demo"
	require.Contains(t, string(guide), "```\n"+command+"\n```")
	cmd := exec.CommandContext(t.Context(), "go", "run", "-tags", "lab3", "-overlay", file,
		"./capstone/cmd/blotter", "--stack", "embedded", "demo")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	digest := regexp.MustCompile(`state .*digest sha256:\w{12}`)
	require.Equal(t, digest.FindString(string(guide)), digest.FindString(string(out)))
	require.Contains(t, string(out), "equal to the snapshot, byte for byte")
}
