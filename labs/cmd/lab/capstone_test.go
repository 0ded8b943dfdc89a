package main

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The demo runs on the labs whose guides end with it, and prints the line that each guide shows.
// One run has all of these labs: each has another part of the demo.
func TestLabsRunTheCapstone(t *testing.T) {
	t.Parallel()
	onlyInCI(t)
	if testing.Short() {
		t.Skip("builds the capstone and runs its demo")
	}
	root, err := filepath.Abs("../../..")
	require.NoError(t, err)
	state := regexp.MustCompile(`state .*digest sha256:\w{12}`)
	labs := []struct {
		tag, lab, guide string
		line            *regexp.Regexp
	}{
		{"lab2", "2-store", "2b.md", state},
		{"lab3", "3-projections", "README.md", state},
		{"lab4", "4-replay", "README.md", state},
		{"lab5", "5-audit", "README.md", regexp.MustCompile(`audit .*root \w{12}`)},
	}
	overlay := map[string]map[string]string{"Replace": {}}
	var tags []string
	for _, l := range labs {
		tags = append(tags, l.tag)
		for _, file := range filesOf(l.lab) {
			overlay["Replace"][filepath.Join(root, "labs", l.lab, file)] =
				filepath.Join(root, "solutions", l.lab, "plain", file)
		}
	}
	text, err := json.Marshal(overlay)
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "overlay.json")
	require.NoError(t, os.WriteFile(file, text, 0o600))
	cmd := exec.CommandContext(t.Context(), "go", "run", "-tags", strings.Join(tags, ","),
		"-overlay", file, "./capstone/cmd/blotter", "--stack", "embedded", "demo")
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	require.Contains(t, string(out), "equal to the snapshot, byte for byte")
	for _, l := range labs {
		guide, err := os.ReadFile(filepath.Join(root, "labs", l.lab, l.guide))
		require.NoError(t, err)
		command := "go run -tags " + l.tag + " ./capstone/cmd/blotter demo"
		require.Contains(t, string(guide), "```\n"+command+"\n```")
		shown := l.line.FindString(string(guide))
		require.NotEmpty(t, shown, "the guide of %s shows no line of the demo", l.lab)
		require.Equal(t, shown, l.line.FindString(string(out)), "the demo on %s", l.lab)
	}
}
