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

var lab5Files = []string{"tree.go", "seal.go", "verify.go", "witness.go", "trace.go"}

// Each exercise of Lab 5 turns its own checks green, in the order of the guide.
func TestLab5InOrder(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	unsolved := strings.Fields(
		"Root Prove CheckInclusion Seal CheckConsistency Verify Cosign Trace")
	for _, step := range []struct{ writes, table string }{
		{"", `0 +0 +\d+ +\d+ +0/51 +0/5`},
		{"Root", `1 +0 `},
		{"Prove", `2 +0 `},
		{"CheckInclusion", `4 +0 `},
		{"Seal", `10 +0 `},
		{"CheckConsistency", `12 +0 `},
		{"Verify", `16 +0 .* 5/5`},
		{"Cosign", `18 +0 `},
		{"Trace", `20 +0 +0 +0 +51/51 +5/5`},
	} {
		unsolved = slices.DeleteFunc(unsolved, func(name string) bool {
			return slices.Contains(strings.Fields(step.writes), name)
		})
		changes := map[string]change{}
		for _, file := range lab5Files {
			changes[file] = partlySolved(t, "5-audit/plain/"+file, unsolved)
		}
		out, err := testLab(t, "5-audit", changes)
		require.NoError(t, err, "%s\n%s", step.writes, out)
		require.Regexp(t, "5-audit +"+step.table, out, step.writes)
	}
}

// The capstone seals and verifies with Lab 5, and its root is the one in the guide.
func TestLab5RunsTheCapstone(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	if testing.Short() {
		t.Skip("builds the capstone and runs its demo")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	overlay := map[string]map[string]string{"Replace": {}}
	for _, file := range lab5Files {
		overlay["Replace"][filepath.Join(root, "labs/5-audit", file)] =
			filepath.Join(root, "solutions/5-audit/plain", file)
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	guide, err := os.ReadFile(filepath.Join(root, "labs/5-audit/README.md"))
	require.NoError(t, err)
	command := "go run -tags lab5 ./capstone/cmd/blotter demo"
	require.Contains(t, string(guide), "```\n"+command+"\n```")
	cmd := exec.CommandContext(t.Context(), "go", "run", "-tags", "lab5", "-overlay", file,
		"./capstone/cmd/blotter", "--stack", "embedded", "demo")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	audited := regexp.MustCompile(`audit .*root \w{12}`)
	require.Equal(t, audited.FindString(string(guide)), audited.FindString(string(out)))
}
