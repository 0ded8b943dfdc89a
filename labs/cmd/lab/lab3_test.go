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

// The capstone runs on the store and the read model of the labs, and its digest is the one in their
// guides.
func TestLabsRunTheCapstone(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	if testing.Short() {
		t.Skip("builds the capstone and runs its demo")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	overlay := map[string]map[string]string{"Replace": {}}
	for lab, files := range map[string][]string{"2-store": lab2Files, "3-projections": lab3Files} {
		for _, file := range files {
			overlay["Replace"][filepath.Join(root, "labs", lab, file)] =
				filepath.Join(root, "solutions", lab, "plain", file)
		}
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "run", "-tags", "lab2,lab3", "-overlay", file,
		"./capstone/cmd/blotter", "--stack", "embedded", "demo")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "equal to the snapshot, byte for byte")
	digest := regexp.MustCompile(`state .*digest sha256:\w{12}`)
	for tag, guide := range map[string]string{
		"lab2": "2-store/2b.md", "lab3": "3-projections/README.md",
	} {
		text, err := os.ReadFile(filepath.Join(root, "labs", guide))
		require.NoError(t, err)
		command := "go run -tags " + tag + " ./capstone/cmd/blotter demo"
		require.Contains(t, string(text), "```\n"+command+"\n```", guide)
		require.Equal(t, digest.FindString(string(out)), digest.FindString(string(text)), guide)
	}
}
